"""Fetching images and metadata over HTTP: only what is asked for, checked, continued, and accounted for."""
