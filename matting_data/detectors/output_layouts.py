"""What the outputs of exported detectors look like: a table of layouts, how each is recognised and decoded.

Every function here is pure: arrays as the network put them out go in, scores and corners of people come out.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from matting_data.errors import UsageError

Floats = NDArray[np.float32]
Outputs = Mapping[str, NDArray[np.generic]]
"""Outputs of one run by name, the batch first."""

People = tuple[Floats, Floats]
"""Scores of shape (batch, n) in [0, 1], and x0, y0, x1, y1 of shape (batch, n, 4) in pixels of the network's input."""

STRIDES = (8, 16, 32)


@dataclass(frozen=True, slots=True)
class Layout:
    """One way in which exports hand over what they found.

    Parameters
    ----------
    decode : callable
        From (outputs, (h, w) of the input, numbers of the human classes) to :data:`People`.
    classes : callable
        From outputs to the number of classes.
    resize, pixels, channels : str
        What the network was trained with; see :class:`matting_data.detectors.spec.DetectorSpec`.
    centred : bool
        Whether a letterboxed picture lies in the middle, or at the top left.
    """

    decode: Callable[[Outputs, tuple[int, int], Sequence[int]], People]
    classes: Callable[[Outputs], int]
    resize: Literal["letterbox", "squeeze"]
    pixels: Literal["raw", "unit", "imagenet"]
    channels: Literal["rgb", "bgr"] = "rgb"
    centred: bool = True


def grid(size: tuple[int, int]) -> Floats:
    """Compute the cells of a YOLO head: column, row and stride, shape (n, 3), finest map first, row by row."""
    found = []
    for stride in STRIDES:
        y, x = np.meshgrid(np.arange(size[0] // stride), np.arange(size[1] // stride), indexing="ij")
        found.append(np.stack([x, y, np.full_like(x, stride)], axis=-1).reshape(-1, 3))
    return np.concatenate(found).astype(np.float32)


def corners(boxes: Floats) -> Floats:
    """Turn centre x, y, width and height into x0, y0, x1, y1; the last axis holds the four."""
    half = boxes[..., 2:4] / 2
    return np.concatenate([boxes[..., :2] - half, boxes[..., :2] + half], axis=-1)


def sigmoid(logits: NDArray[np.floating]) -> Floats:
    """Compute 1 / (1 + exp(-logits)) without overflow."""
    shares: Floats = (1.0 / (1.0 + np.exp(-np.clip(logits.astype(np.float32), -60.0, 60.0)))).astype(np.float32)
    return shares


def softmax(logits: NDArray[np.floating]) -> Floats:
    """Compute the softmax over the last axis."""
    powers = np.exp(logits.astype(np.float32) - logits.max(axis=-1, keepdims=True))
    shares: Floats = (powers / powers.sum(axis=-1, keepdims=True)).astype(np.float32)
    return shares


def from_queries(logits: NDArray[np.floating], boxes: Floats, softmaxed: bool, people: Sequence[int]) -> People:
    """Read a DETR's queries.

    Parameters
    ----------
    logits : ndarray of float, shape (batch, n, classes)
        With `softmaxed` the last class is "no object" and never a person.
    boxes : ndarray of float32, shape (batch, n, 4)
        Centre x, y, width and height as shares of the image.
    softmaxed : bool
        Whether classes exclude each other (DETR, YOLOS), or each has a sigmoid of its own (all newer ones).
    people : sequence of int
        Numbers of the human classes.

    Returns
    -------
    People
        Corners as shares of the image.
    """
    shares = softmax(logits) if softmaxed else sigmoid(logits)
    return _strongest(shares, people), corners(boxes)


def _yolox(outputs: Outputs, size: tuple[int, int], people: Sequence[int]) -> People:
    table, cells = _single(outputs), grid(size)
    if table.shape[1] != len(cells):
        raise UsageError(
            f"the detector puts out {table.shape[1]} boxes, not one for each cell of {size[0]}×{size[1]}: set another "
            "'format'"
        )
    boxes = np.concatenate([table[..., :2] + cells[:, :2], np.exp(np.clip(table[..., 2:4], -20, 20))], axis=-1)
    return table[..., 4] * _strongest(table[..., 5:], people), corners(boxes * cells[:, 2:])


def _yolo(outputs: Outputs, size: tuple[int, int], people: Sequence[int]) -> People:
    table = _single(outputs).transpose(0, 2, 1)
    return _strongest(table[..., 4:], people), corners(table[..., :4])


def _queries(softmaxed: bool) -> Callable[[Outputs, tuple[int, int], Sequence[int]], People]:
    def decode(outputs: Outputs, size: tuple[int, int], people: Sequence[int]) -> People:
        logits, boxes = _logits_and_boxes(outputs)
        scores, shares = from_queries(logits, boxes, softmaxed, people)
        return scores, shares * np.asarray([size[1], size[0]] * 2, dtype=np.float32)

    return decode


LAYOUTS: dict[str, Layout] = {
    "yolox": Layout(_yolox, lambda o: _single(o).shape[2] - 5, "letterbox", "raw", "bgr", centred=False),
    "yolo": Layout(_yolo, lambda o: _single(o).shape[1] - 4, "letterbox", "unit"),
    "rtdetr": Layout(_queries(False), lambda o: _logits_and_boxes(o)[0].shape[2], "squeeze", "unit"),
    "detr": Layout(_queries(True), lambda o: _logits_and_boxes(o)[0].shape[2] - 1, "squeeze", "imagenet"),
}
"""By the name that ``format`` takes.

yolox   (b, cells, 5 + classes), centre and size relative to the cell, objectness: YOLOX's tools/export_onnx.py
yolo    (b, 4 + classes, cells) in pixels: YOLOv8, v9, 11, 12
rtdetr  logits (b, n, classes) for a sigmoid, boxes (b, n, 4) as shares: RT-DETR, D-FINE by transformers
detr    the same for a softmax over classes and "no object", ImageNet's normalisation: DETR, YOLOS

Tests read files that torch exports from the models of transformers (rtdetr, detr), and graphs built in the exact
layout that the two YOLOs' exporters publish.
"""


def recognised(outputs: Outputs, size: tuple[int, int]) -> str:
    """Tell which layout the outputs have.

    Parameters
    ----------
    outputs : mapping of str to ndarray
        Of one picture without any content.
    size : (h, w)
        Of the network's input.

    Returns
    -------
    str
        A key of :data:`LAYOUTS`.

    Raises
    ------
    UsageError
        No layout fits; the sentence names what was found and the formats there are.
    """
    kind = _kind_of_queries(outputs) if len(outputs) > 1 else _kind_of_table(next(iter(outputs.values())), size)
    if kind is None:
        raise UsageError(
            f"the detector's outputs ({described(outputs)}) have no known layout: "
            f"name one of the formats {', '.join(LAYOUTS)}, or export it in one of them"
        )
    return kind


def person_class(count: int) -> int | None:
    """Look up the number of COCO's person among `count` classes without names; None where that cannot be told.

    80 classes are COCO's, 91 its original numbering, which starts at 1, 365 those of Objects365; with one class that
    must be it.
    """
    return {1: 0, 80: 0, 91: 1, 365: 0}.get(count)


def described(outputs: Outputs) -> str:
    """Write names and shapes of outputs for a sentence."""
    return ", ".join(f"{name} {'×'.join(map(str, value.shape))}" for name, value in outputs.items())


def _kind_of_queries(outputs: Outputs) -> str | None:
    try:
        logits, _ = _logits_and_boxes(outputs)
    except UsageError:
        return None
    # a softmax over 91 classes and "no object" is DETR on COCO, 80 are RT-DETR's; 91 may be Deformable or Conditional
    # DETR with one normalisation or a model of the user's with another, and other counts tell nothing
    return {92: "detr", 80: "rtdetr"}.get(logits.shape[2])


def _kind_of_table(table: NDArray[np.generic], size: tuple[int, int]) -> str | None:
    if table.ndim != 3:
        return None
    rows, columns = table.shape[1:]
    cells = len(grid(size))
    if rows == cells and columns > 5:
        # relative to their cells, centres are a few units; spread over the picture they were exported in pixels, with
        # --decode_in_inference, which is another layout of the same shape
        centres = np.abs(table[..., :2].astype(np.float32)).mean()
        return "yolox" if centres <= max(size) / 8 else None
    return "yolo" if columns == cells and rows > 4 else None


def _single(outputs: Outputs) -> Floats:
    for value in outputs.values():
        if value.ndim == 3:
            return value.astype(np.float32, copy=False)
    raise _mismatch("a single table", outputs)


def _logits_and_boxes(outputs: Outputs) -> tuple[Floats, Floats]:
    if {"logits", "pred_boxes"} <= set(outputs):
        logits, boxes = outputs["logits"], outputs["pred_boxes"]
    else:
        values = sorted(outputs.values(), key=lambda value: value.shape[-1:] == (4,))
        if len(values) != 2 or values[0].shape[-1:] == (4,):
            raise _mismatch("logits and boxes", outputs)
        logits, boxes = values
    if not logits.ndim == boxes.ndim == 3 or boxes.shape != (*logits.shape[:2], 4):
        raise _mismatch("logits and boxes", outputs)
    return logits.astype(np.float32, copy=False), boxes.astype(np.float32, copy=False)


def _strongest(shares: Floats, people: Sequence[int]) -> Floats:
    strongest: Floats = shares[..., list(people)].max(axis=-1)
    return strongest


def _mismatch(wanted: str, outputs: Outputs) -> UsageError:
    return UsageError(f"the detector's outputs ({described(outputs)}) are not {wanted}: set another 'format'")
