"""Pure functions from (foregrounds, backgrounds, recipe) to the table of all composites."""
