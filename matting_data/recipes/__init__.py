"""Recipes: their classes, reading them with ``--set``, licences, and the decisions of people."""
