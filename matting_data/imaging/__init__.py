"""Pixels only: pure functions from arrays to arrays; nothing here opens a file."""
