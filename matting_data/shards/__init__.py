"""A dataset on disk: tars, manifests, the index, and what checks them."""
