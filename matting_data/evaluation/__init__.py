"""Scoring predictions: conventions, tables, and the methods that need no training."""
