"""The version of mattingdata, and those of the packages that decide bytes."""

from __future__ import annotations

from functools import lru_cache
from importlib import metadata

__version__ = "0.2.0.dev0"

_DECIDE_BYTES = ("numpy", "scipy", "numba", "pillow", "polars", "pymatting", "simplejpeg", "ImageHash", "onnxruntime")


@lru_cache(maxsize=1)
def tool_versions() -> dict[str, str]:
    """Look up the versions of what decides bytes: name of the distribution → version."""
    import cv2

    versions = {"mattingdata": __version__, "opencv": cv2.__version__}
    return versions | {name: metadata.version(name) for name in _DECIDE_BYTES}
