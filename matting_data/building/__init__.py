"""From a recipe to a dataset on disk: scan, plan, render, commit."""
