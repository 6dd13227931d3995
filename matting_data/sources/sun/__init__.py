"""SUN: its trees, lists and partitions, its LabelMe polygons, and its images straight from a tar."""
