"""Declarations that travel with the library: recipes, schemas and label lists."""
