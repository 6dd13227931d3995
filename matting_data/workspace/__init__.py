"""The folder of a dataset while it is built: its lock, its caches and the tables of its plan."""
