"""Compiled inner loops; each has a slow, obvious equivalent in its test."""
