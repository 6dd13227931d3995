"""Running work: in this process, in worker processes or on a Ray cluster, with progress on screen or in the log."""
