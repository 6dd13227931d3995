"""Pictures of what a network does, side by side: image, trimap, truth, each refinement, and the error that is left."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from matting_data.reporting.contact_sheet import tile


def refinement_row(
    key: str,
    image: NDArray[np.uint8],
    trimap: NDArray[np.uint8] | None,
    truth: NDArray[Any],
    mattes: Sequence[NDArray[np.float32]],
    refinements: int,
) -> NDArray[np.uint8]:
    """Draw one image's row of a sheet.

    Parameters
    ----------
    key : str
    image : ndarray
        H×W×3 uint8.
    trimap : ndarray or None
        H×W uint8.
    truth : ndarray
        H×W, uint8 or uint16.
    mattes : sequence of ndarray
        After 0, 1, ... refinements, H×W float32 in [0, 1].
    refinements : int
        Whose error is shown in the last picture: white where the matte is off by ½ or more.

    Returns
    -------
    ndarray
        H×W×3 uint8.
    """
    truth = np.asarray(truth / np.iinfo(truth.dtype).max, np.float32)
    error = np.abs(mattes[min(refinements, len(mattes) - 1)] - truth)
    known = np.asarray(np.zeros_like(truth) if trimap is None else trimap / 255, np.float32)
    gray = [_rgb(plane) for plane in (known, truth, *mattes, 2 * error)]
    named = ", ".join(str(count) for count in range(len(mattes)))
    return tile([image, *gray], f"{key}: image, trimap, truth, refinements {named}, twice the error of {refinements}")


def _rgb(plane: NDArray[np.float32]) -> NDArray[np.uint8]:
    codes = np.floor(np.clip(plane, 0, 1) * 255 + 0.5).astype(np.uint8)
    return np.asarray(cv2.cvtColor(codes, cv2.COLOR_GRAY2RGB), dtype=np.uint8)
