"""Compiled inner loops; each has a slow, obvious equivalent in its test, and ``docs/kernels.md`` says why it exists."""
