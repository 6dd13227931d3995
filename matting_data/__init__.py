"""mattingdata: human-matting training sets, composited, filtered, verified and sharded."""

__version__ = "0.1.0"
