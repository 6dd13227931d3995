"""What single file formats need besides their decoder: damage that it passes over, tags that it does not read."""
