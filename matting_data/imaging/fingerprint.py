"""Perceptual fingerprints: what near-duplicates are told by.

256-bit DCT hashes (pHash, by the ImageHash library). Unrelated photographs differ in about 128 bits; among 146 real
foregrounds and 284 real backgrounds the nearest unrelated pair differed in 90 (foregrounds), the one person pasted
onto two backgrounds in 10.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from matting_data.imaging.geometry import bounding_box

_SIDE = 16


def fingerprint(image: NDArray[np.uint8]) -> str:
    """Compute the 256-bit perceptual hash of an H×W×3 uint8 RGB image as 64 hex digits."""
    import imagehash
    from PIL import Image

    return str(imagehash.phash(Image.fromarray(image), hash_size=_SIDE))


def foreground_fingerprint(image: NDArray[np.uint8], alpha: NDArray[np.uint8]) -> str:
    """Hash what is foreground only: over mid-gray, cut to the box of alpha > 0, so that no background counts."""
    box = bounding_box(alpha)
    weight = alpha[box.slices].astype(np.uint32)[..., None]
    flat = (weight * image[box.slices] + (255 - weight) * 128 + 127) // 255
    return fingerprint(flat.astype(np.uint8))
