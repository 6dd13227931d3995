"""SSDLite-MobileNetV2 with the one class "person": one look at people that fill an image, one at small ones.

The network was trained on whole photographs squeezed to 300x300. Being convolutional up to its box predictors it also
runs on larger pictures, where its two finest feature maps find people down to about a twentieth of the short side: as
good as a grid of overlapping 300x300 crops on the labelled photographs, at less than half the cost. The coarser maps
expect to see the border of a 300x300 picture and are of no use there.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from matting_data.detectors.bundled_network import Network
from matting_data.detectors.scaling import covering_size, resized, signed_unit

WEIGHTS = "ssdlite_person.onnx"
WINDOW = 300
"""Side of the picture the network was trained on; anchors are shares of it."""

DENSE_SHORT_SIDE = 600
DENSE_LEVELS = 2
DENSE_MAX_ASPECT = 4.0

_SCALES = (0.2, 0.35, 0.5, 0.65, 0.8, 0.95, 1.0)
_RATIOS = (1.0, 2.0, 0.5, 3.0, 1.0 / 3.0)
_FIRST_STRIDE = 16


@dataclass(frozen=True, slots=True)
class Look:
    """What one network saw in one picture.

    Parameters
    ----------
    logits : ndarray of float32, shape (n,)
        Log odds of a person at every anchor.
    boxes : ndarray of float32, shape (n, 4)
        x0, y0, x1, y1 as shares of width and height, clipped to [0, 1].
    """

    logits: NDArray[np.float32]
    boxes: NDArray[np.float32]


def anchors(height: int, width: int, levels: int = 6) -> NDArray[np.float32]:
    """Compute the anchors of the network for a picture of a given size.

    Parameters
    ----------
    height, width : int
        Of the picture given to the network.
    levels : int
        How many feature maps, finest first.

    Returns
    -------
    ndarray of float32, shape (n, 4)
        Centre y, centre x, height and width in pixels of that picture, in the order of the network's outputs.

    References
    ----------
    Liu et al., SSD: Single Shot MultiBox Detector, ECCV 2016; the finest map has three anchors with a smaller first
    one, as in TensorFlow's object detection API.
    """
    found = []
    for level in range(levels):
        shapes, stride = _anchor_shapes(level), _FIRST_STRIDE << level
        rows, columns = -(-height // stride), -(-width // stride)
        y = (np.arange(rows) + 0.5) * (height / rows)
        x = (np.arange(columns) + 0.5) * (width / columns)
        grid = np.stack(np.meshgrid(y, x, indexing="ij"), axis=-1).reshape(-1, 1, 2)
        centres = np.broadcast_to(grid, (len(grid), len(shapes), 2))
        sides = np.broadcast_to(shapes * WINDOW, (len(grid), len(shapes), 2))
        found.append(np.concatenate([centres, sides], axis=2).reshape(-1, 4))
    return np.concatenate(found).astype(np.float32)


def decoded(
    encodings: NDArray[np.float32], anchor: NDArray[np.float32], height: int, width: int
) -> NDArray[np.float32]:
    """Turn the network's box codes into rectangles.

    Parameters
    ----------
    encodings : ndarray of float32, shape (n, 4)
        Offsets of centre y and x in tenths of the anchor's sides, logarithms of height and width in fifths.
    anchor : ndarray of float32, shape (n, 4)
        From :func:`anchors`.
    height, width : int
        Of the picture given to the network.

    Returns
    -------
    ndarray of float32, shape (n, 4)
        x0, y0, x1, y1 as shares of width and height, clipped to [0, 1].
    """
    centre = encodings[:, :2] / 10.0 * anchor[:, 2:] + anchor[:, :2]
    half = np.exp(np.clip(encodings[:, 2:] / 5.0, -10.0, 10.0)) * anchor[:, 2:] / 2.0
    extent = np.asarray([height, width], dtype=np.float32)
    low, high = (centre - half) / extent, (centre + half) / extent
    corners = np.concatenate([low[:, ::-1], high[:, ::-1]], axis=1)
    clipped: NDArray[np.float32] = np.clip(corners, 0.0, 1.0).astype(np.float32)
    return clipped


def look_at_whole(network: Network, image: NDArray[np.uint8]) -> Look:
    """Look at the image squeezed to 300x300: people that fill much of it.

    Parameters
    ----------
    network : Network
        Of :data:`WEIGHTS`.
    image : ndarray of uint8, shape (h, w, 3)
    """
    return _look(network, resized(image, (WINDOW, WINDOW)), levels=6)


def look_closer(network: Network, image: NDArray[np.uint8]) -> Look:
    """Look at the image with a short side of 600 pixels, finest feature maps only: small people.

    Parameters
    ----------
    network : Network
        Of :data:`WEIGHTS`.
    image : ndarray of uint8, shape (h, w, 3)
    """
    size = covering_size((image.shape[0], image.shape[1]), DENSE_SHORT_SIDE, DENSE_MAX_ASPECT)
    return _look(network, resized(image, size), levels=DENSE_LEVELS)


def _look(network: Network, picture: NDArray[np.uint8], levels: int) -> Look:
    encodings, logits = network(signed_unit(picture))
    height, width = picture.shape[:2]
    anchor = anchors(height, width, levels)
    count = len(anchor)
    return Look(logits[:count], decoded(encodings[:count], anchor, height, width))


def _anchor_shapes(level: int) -> NDArray[np.float64]:
    if level == 0:
        pairs = [(0.1, 1.0), (_SCALES[0], 2.0), (_SCALES[0], 0.5)]
    else:
        pairs = [(_SCALES[level], ratio) for ratio in _RATIOS]
        pairs.append((float(np.sqrt(_SCALES[level] * _SCALES[level + 1])), 1.0))
    return np.asarray([(scale / np.sqrt(ratio), scale * np.sqrt(ratio)) for scale, ratio in pairs])
