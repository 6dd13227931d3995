"""Where a training crop lies: the SAFE-Net paper's rule, which keeps the head and the upper body inside."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from matting_data.imaging.geometry import Box, bounding_box

_PERSON = 26
"""Alpha levels from this one on, a tenth of opacity, belong to the person's box."""

_HEAD = 8
"""The head is looked for in this part of the box's height, from above."""

_SHOWN = 0.75
"""Share of the box's height, from above, that stays inside: in close portraits the head takes up two thirds."""


@dataclass(frozen=True)
class Person:
    """What the crop must know of a matte.

    Attributes
    ----------
    box : Box
        Around everyone shown; the whole frame where there is nobody.
    head : float
        Column of the middle of what reaches highest.
    """

    box: Box
    head: float


@dataclass(frozen=True)
class Draws:
    """The random numbers of one crop.

    Attributes
    ----------
    height : float
        Of the person, in crop sides: what scales image and matte.
    across : float
        How far the middle of the crop lies beside the middle of the box, in crop sides.
    up : float
        How far above it, in image heights.
    """

    height: float
    across: float
    up: float


def find_person(alpha: NDArray[np.uint8]) -> Person:
    """Measure a matte (H×W uint8)."""
    box = bounding_box(alpha >= _PERSON)
    if not box.width:
        box = Box(0, 0, alpha.shape[1], alpha.shape[0])
    top = alpha[box.y0 : box.y0 + max(1, box.height // _HEAD), box.x0 : box.x1] >= _PERSON
    columns = np.flatnonzero(top.any(axis=0))
    head = box.x0 + (float(columns.mean()) if columns.size else box.width / 2)
    return Person(box, head)


def person_window(size: tuple[int, int], person: Person, draws: Draws, margin: float) -> Box:
    """Choose the square of the image that becomes the crop.

    The paper scales image and matte at random, shifts the centre of the person's box upward by up to a quarter of the
    image, sets the crop's top above the box, and cuts one square. Cutting the square that becomes the crop and scaling
    only that is the same. Where the drawn numbers would lose the head or the upper three quarters of the box (or as
    much of it as fits), the square moves just as far as is needed; it never leaves the image, so that the largest
    square there is the limit of small images, which are enlarged.

    Parameters
    ----------
    size : (int, int)
        Width and height of the image.
    person : Person
        From :func:`find_person`.
    draws : Draws
        The random numbers.
    margin : float
        Between the crop's top and the box, in crop sides; less where the image ends before.

    Returns
    -------
    Box
        Square, inside the image. Its top is above the box or at the image's, and the head's column inside it.
    """
    width, height = size
    box = person.box
    side = max(1, min(round(box.height / draws.height), width, height))
    above = int(np.ceil(margin * side))
    shown = min(_SHOWN * box.height, side - above)
    top = (box.y0 + box.y1) / 2 - draws.up * height - side / 2
    top = np.clip(top, box.y0 + shown - side, box.y0 - above)
    left = (box.x0 + box.x1) / 2 + draws.across * side - side / 2
    left = np.clip(left, person.head - side * 7 / 8, person.head - side / 8)
    # downwards: rounding up could put the top inside the margin
    x, y = int(np.floor(left)), int(np.clip(np.floor(top), 0, height - side))
    x = min(max(x, int(person.head) - side + 1), int(person.head))  # what rounding may lose of the smallest windows
    x = min(max(x, 0), width - side)
    return Box(x, y, x + side, y + side)
