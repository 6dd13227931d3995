"""From a plan to shards: composites, layers, and the inputs that their pixels are read from."""
