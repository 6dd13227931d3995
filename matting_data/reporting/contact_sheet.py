"""Contact sheets: samples of a dataset side by side, to be looked at."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from matting_data.errors import UsageError
from matting_data.imaging import encode
from matting_data.readers.dataset import open as open_dataset
from matting_data.records.stored import Sample
from matting_data.seeds import spread
from matting_data.storage.atomic import write_bytes

_CELL = 240
_GAP = 8
_CAPTION = 18
_PAPER = (250, 250, 250)
_INK = (40, 40, 40)


def contact_sheet(out: Path, count: int = 12, split: str | None = None) -> NDArray[np.uint8]:
    """Draw samples of a dataset: image, alpha and trimap of each, with its key.

    Samples are chosen by a hash of their key, at most one for each foreground while there are enough, so the sheet
    of a dataset is always the same.

    Parameters
    ----------
    out : Path
        A built dataset.
    count : int
        Samples to show.
    split : str, optional
        Only of this split.

    Returns
    -------
    ndarray
        H×W×3 uint8 RGB.

    Raises
    ------
    DamageError
        The dataset is unfinished or damaged.
    UsageError
        It has no such split, or no sample.
    """
    dataset = open_dataset(out)
    splits = [dataset[name] for name in ((split,) if split else dataset.splits)]
    rows = [row for part in splits for row in part.rows]
    if not rows:
        raise UsageError(f"{out} holds no sample to show: its ledger says why every composite failed")
    tiles = []
    for row in choose(rows, count):
        sample = dataset[row.split].read(row.key)
        trimap = sample.trimap if sample.trimap is not None else np.zeros_like(sample.alpha)
        planes = [np.repeat(plane[..., None], 3, axis=2) for plane in (sample.alpha, trimap)]
        caption = f"{row.key}  ({row.split}{', ' + row.subset if row.subset else ''})"
        tiles.append(tile([sample.image, *planes], caption))
    return grid(tiles, columns=2 if len(tiles) > 1 else 1)


def write_sheet(path: Path, sheet: NDArray[np.uint8]) -> None:
    """Write a sheet as PNG, atomically."""
    write_bytes(path, encode.png(sheet))


def choose(rows: Sequence[Sample], count: int) -> list[Sample]:
    """Choose rows by a hash of their key, those of foregrounds not shown yet first."""
    places = spread([row.key for row in rows], [row.foreground for row in rows], count, "contact sheet")
    return [rows[place] for place in places]


def tile(pictures: Sequence[NDArray[np.uint8]], caption: str) -> NDArray[np.uint8]:
    """Lay H×W×3 pictures of one size side by side, at most 240 pixels high and wide each, over a caption."""
    height, width = pictures[0].shape[:2]
    scale = min(_CELL / height, _CELL / width)
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    canvas = Image.new("RGB", (len(pictures) * (_CELL + _GAP) - _GAP, _CELL + _CAPTION), _PAPER)
    for number, picture in enumerate(pictures):
        small = cv2.resize(picture, size, interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR)
        left = number * (_CELL + _GAP) + (_CELL - size[0]) // 2
        canvas.paste(Image.fromarray(small), (left, (_CELL - size[1]) // 2))
    most = canvas.width // 7
    text = caption if len(caption) <= most else f"{caption[: most - 1]}…"
    ImageDraw.Draw(canvas).text((2, _CELL + 3), text, fill=_INK, font=ImageFont.load_default(12))
    return np.array(canvas)


def grid(tiles: Sequence[NDArray[np.uint8]], columns: int) -> NDArray[np.uint8]:
    """Lay tiles of one size out in rows."""
    height, width = tiles[0].shape[:2]
    rows = -(-len(tiles) // columns)
    step_y, step_x = height + 2 * _GAP, width + 3 * _GAP
    sheet = np.full((rows * step_y + 2 * _GAP, columns * step_x + _GAP, 3), _PAPER, np.uint8)
    for number, picture in enumerate(tiles):
        y, x = 2 * _GAP + number // columns * step_y, 2 * _GAP + number % columns * step_x
        sheet[y : y + height, x : x + width] = picture
    return sheet
