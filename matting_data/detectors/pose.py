"""The person detector of MediaPipe's pose pipeline (BlazePose): people close to the camera, at the cost of 10 ms.

It was trained to find the one or two people a phone camera is held at. It sees the bust of a person where SSDLite
expects whole bodies, and hardly ever agrees with SSDLite's mistakes.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from matting_data.detectors.bundled_network import Network
from matting_data.detectors.scaling import letterbox_placement, resized, signed_unit
from matting_data.detectors.ssdlite import Look

WEIGHTS = "pose_person.onnx.gz"
WINDOW = 224
_STRIDES_AND_ANCHORS = ((8, 2), (16, 2), (32, 6))
_HIP, _REACH = slice(4, 6), slice(6, 8)


def anchor_centres() -> NDArray[np.float32]:
    """Compute the centres of the network's anchors.

    Returns
    -------
    ndarray of float32, shape (2254, 2)
        x, y in pixels of the 224x224 input, in the order of the network's outputs. All anchors have the size of the
        input.
    """
    found = []
    for stride, repeat in _STRIDES_AND_ANCHORS:
        centre = (np.arange(WINDOW // stride) + 0.5) * stride
        y, x = np.meshgrid(centre, centre, indexing="ij")
        found.append(np.repeat(np.stack([x, y], axis=-1).reshape(-1, 2), repeat, axis=0))
    return np.concatenate(found).astype(np.float32)


def look_at_whole(network: Network, image: NDArray[np.uint8]) -> Look:
    """Look at the whole image, centred in a black square.

    Parameters
    ----------
    network : Network
        Of :data:`WEIGHTS`.
    image : ndarray of uint8, shape (h, w, 3)

    Returns
    -------
    Look
        Its boxes are the squares around the hips that reach as far as the body does.
    """
    top, left, height, width = letterbox_placement((image.shape[0], image.shape[1]), WINDOW)
    picture = np.zeros((WINDOW, WINDOW, 3), dtype=np.uint8)
    picture[top : top + height, left : left + width] = resized(image, (height, width))
    encodings, logits = network(signed_unit(picture))
    centres = anchor_centres()
    hip = encodings[:, _HIP] + centres
    reach = np.linalg.norm(encodings[:, _REACH] + centres - hip, axis=1, keepdims=True)
    origin = np.asarray([left, top], dtype=np.float32)
    extent = np.asarray([width, height], dtype=np.float32)
    boxes = np.concatenate([(hip - reach - origin) / extent, (hip + reach - origin) / extent], axis=1)
    return Look(logits, np.clip(boxes, 0.0, 1.0).astype(np.float32))
