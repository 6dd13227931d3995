"""Pictures of what a network does, side by side: image, trimap, truth, each refinement, and the error that is left."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from matting_data.reporting.contact_sheet import grid, tile


@dataclass(frozen=True)
class Row:
    """One image of a sheet.

    Attributes
    ----------
    key : str
    image : ndarray
        H×W×3 uint8.
    trimap : ndarray or None
        H×W uint8.
    truth : ndarray
        H×W, uint8 or uint16.
    mattes : list of ndarray
        After 0, 1, ... refinements, H×W float32 in [0, 1].
    """

    key: str
    image: NDArray[np.uint8]
    trimap: NDArray[np.uint8] | None
    truth: NDArray[Any]
    mattes: list[NDArray[np.float32]]


def refinement_sheet(rows: Sequence[Row], refinements: int) -> NDArray[np.uint8]:
    """Draw one line an image.

    Parameters
    ----------
    rows : sequence of Row
    refinements : int
        Whose error is shown in the last picture: white where the matte is off by ½ or more.

    Returns
    -------
    ndarray
        H×W×3 uint8.
    """
    return grid([_line(row, refinements) for row in rows], columns=1)


def _line(row: Row, refinements: int) -> NDArray[np.uint8]:
    truth = np.asarray(row.truth / np.iinfo(row.truth.dtype).max, np.float32)
    error = np.abs(row.mattes[min(refinements, len(row.mattes) - 1)] - truth)
    trimap = np.asarray(np.zeros_like(truth) if row.trimap is None else row.trimap / 255, np.float32)
    planes: list[NDArray[np.float32]] = [trimap, truth, *row.mattes, 2 * error]
    gray = [_rgb(plane) for plane in planes]
    named = ", ".join(str(count) for count in range(len(row.mattes)))
    return tile(
        [row.image, *gray], f"{row.key}: image, trimap, truth, refinements {named}, twice the error of {refinements}"
    )


def _rgb(plane: NDArray[np.float32]) -> NDArray[np.uint8]:
    codes = np.floor(np.clip(plane, 0, 1) * 255 + 0.5).astype(np.uint8)
    return np.asarray(cv2.cvtColor(codes, cv2.COLOR_GRAY2RGB), dtype=np.uint8)
