"""Where inputs come from: foregrounds and backgrounds, found, decoded and checked."""
