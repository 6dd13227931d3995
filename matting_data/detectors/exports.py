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
STRIDES_P6 = (8, 16, 32, 64)


@dataclass(frozen=True, slots=True)
class Layout:
    """One way in which exports hand over what they found.

    Parameters
    ----------
    decode : callable
        From (outputs, (h, w) of the input, numbers of the human classes) to :data:`People`.
    classes : callable
        From outputs to the number of classes; None where the outputs do not tell.
    resize, pixels, channels : str
        What the network was trained with; see :class:`matting_data.detectors.spec.DetectorSpec`.
    centred : bool
        Whether a letterboxed picture lies in the middle, or at the top left.
    """

    decode: Callable[[Outputs, tuple[int, int], Sequence[int]], People]
    classes: Callable[[Outputs], int | None]
    resize: Literal["letterbox", "squeeze"]
    pixels: Literal["raw", "unit", "imagenet"]
    channels: Literal["rgb", "bgr"] = "rgb"
    centred: bool = True


def grid(size: tuple[int, int], strides: Sequence[int] = STRIDES) -> Floats:
    """Return the cells of a YOLO head: column, row and stride, shape (n, 3), finest map first, row by row."""
    found = []
    for stride in strides:
        y, x = np.meshgrid(np.arange(size[0] // stride), np.arange(size[1] // stride), indexing="ij")
        found.append(np.stack([x, y, np.full_like(x, stride)], axis=-1).reshape(-1, 3))
    return np.concatenate(found).astype(np.float32)


def corners(boxes: Floats) -> Floats:
    """Turn centre x, y, width and height into x0, y0, x1, y1; the last axis holds the four."""
    half = boxes[..., 2:4] / 2
    return np.concatenate([boxes[..., :2] - half, boxes[..., :2] + half], axis=-1)


def sigmoid(logits: NDArray[np.floating]) -> Floats:
    """Return 1 / (1 + exp(-logits)) without overflow."""
    shares: Floats = (1.0 / (1.0 + np.exp(-np.clip(logits.astype(np.float32), -60.0, 60.0)))).astype(np.float32)
    return shares


def softmax(logits: NDArray[np.floating]) -> Floats:
    """Return the softmax over the last axis."""
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


def _yolox_raw(outputs: Outputs, size: tuple[int, int], people: Sequence[int]) -> People:
    table = _single(outputs)
    cells = grid(size, _strides(size, table.shape[1]))
    boxes = np.concatenate([table[..., :2] + cells[:, :2], np.exp(np.clip(table[..., 2:4], -20, 20))], axis=-1)
    return _objects(table, people), corners(boxes * cells[:, 2:])


def _objectness(outputs: Outputs, size: tuple[int, int], people: Sequence[int]) -> People:
    table = _single(outputs)
    return _objects(table, people), corners(table[..., :4])


def _yolo(outputs: Outputs, size: tuple[int, int], people: Sequence[int]) -> People:
    table = _single(outputs).transpose(0, 2, 1)
    return _strongest(table[..., 4:], people), corners(table[..., :4])


def _rows(outputs: Outputs, size: tuple[int, int], people: Sequence[int]) -> People:
    table = _single(outputs)
    return _of_classes(table[..., 4], table[..., 5], people), table[..., :4]


def _joined(outputs: Outputs, size: tuple[int, int], people: Sequence[int]) -> People:
    table = _single(outputs)
    return _strongest(table[..., 4:], people), corners(table[..., :4]) * _extent(size)


def _queries(softmaxed: bool) -> Callable[[Outputs, tuple[int, int], Sequence[int]], People]:
    def decode(outputs: Outputs, size: tuple[int, int], people: Sequence[int]) -> People:
        logits, boxes = _logits_and_boxes(outputs)
        scores, shares = from_queries(logits, boxes, softmaxed, people)
        return scores, shares * _extent(size)

    return decode


def _detections(outputs: Outputs, size: tuple[int, int], people: Sequence[int]) -> People:
    found = _labels_boxes_scores(outputs)
    if found is None:
        raise _mismatch("detections", outputs)
    labels, boxes, scores = found
    return _of_classes(scores.astype(np.float32), labels, people), boxes.astype(np.float32)


LAYOUTS: dict[str, Layout] = {
    "yolox": Layout(_yolox_raw, lambda o: _single(o).shape[2] - 5, "letterbox", "raw", "bgr", centred=False),
    "yolox_decoded": Layout(_objectness, lambda o: _single(o).shape[2] - 5, "letterbox", "raw", "bgr", centred=False),
    "yolov5": Layout(_objectness, lambda o: _single(o).shape[2] - 5, "letterbox", "unit"),
    "yolo": Layout(_yolo, lambda o: _single(o).shape[1] - 4, "letterbox", "unit"),
    "yolo_end2end": Layout(_rows, lambda o: None, "letterbox", "unit"),
    "rtdetr": Layout(_queries(False), lambda o: _logits_and_boxes(o)[0].shape[2], "squeeze", "unit"),
    "rfdetr": Layout(_queries(False), lambda o: _logits_and_boxes(o)[0].shape[2], "squeeze", "imagenet"),
    "detr": Layout(_queries(True), lambda o: _logits_and_boxes(o)[0].shape[2] - 1, "squeeze", "imagenet"),
    "rtdetr_joined": Layout(_joined, lambda o: _single(o).shape[2] - 4, "squeeze", "unit"),
    "detections": Layout(_detections, lambda o: None, "squeeze", "unit"),
}
"""By the name that ``format`` takes.

yolox          (b, cells, 5 + classes), centre and size relative to the cell, objectness: YOLOX's tools/export_onnx.py
yolox_decoded  the same in pixels: with --decode_in_inference
yolov5         (b, 3 · cells, 5 + classes) in pixels, objectness: YOLOv5, YOLOv7
yolo           (b, 4 + classes, cells) in pixels: YOLOv8, v9, 11, 12
yolo_end2end   (b, n, 6), corners in pixels, score, class: YOLOv10, YOLO26, exports with nms=True
rtdetr         logits (b, n, classes) for a sigmoid, boxes (b, n, 4) as shares: RT-DETR, D-FINE by transformers
rfdetr         the same named labels and dets, with ImageNet's normalisation: RF-DETR
detr           the same for a softmax over classes and "no object", ImageNet's normalisation: DETR, YOLOS
rtdetr_joined  (b, n, 4 + classes), shares: RT-DETR by Ultralytics
detections     labels, boxes, scores, (b, n) each: RT-DETR, D-FINE, DEIM by their own tools/export_onnx.py
"""


def recognised(outputs: Outputs, size: tuple[int, int]) -> str:
    """Say which layout the outputs have.

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
        Naming what was found and the formats there are, if none fits or several do.
    """
    if _labels_boxes_scores(outputs) is not None:
        return "detections"
    if {"labels", "dets"} <= set(outputs):
        return "rfdetr"
    values = list(outputs.values())
    kind = _kind_of_queries(outputs) if len(values) > 1 else _kind_of_table(values[0], size)
    if kind is None:
        raise UsageError(
            f"the detector's outputs ({described(outputs)}) have no known layout: "
            f"name one of the formats {', '.join(LAYOUTS)}, or export it in one of them"
        )
    LAYOUTS[kind].decode(outputs, size, (0,))
    return kind


def person_class(count: int | None) -> int | None:
    """Return the number of COCO's person among `count` classes without names, or None where that cannot be told.

    80 classes are COCO's, 91 its original numbering, which starts at 1, 365 those of Objects365; with one class that
    must be it. Exports that do not tell their classes (None) are taken to have COCO's 80.
    """
    return {None: 0, 1: 0, 80: 0, 91: 1, 365: 0}.get(count)


def described(outputs: Outputs) -> str:
    """Return names and shapes of outputs for a sentence."""
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
    cells = {len(grid(size, strides)) for strides in (STRIDES, STRIDES_P6)}
    if rows in cells and columns > 5:
        # in pixels the centres spread over the picture; relative to their cells they are a few units
        centres = np.abs(table[..., :2].astype(np.float32)).mean()
        return "yolox_decoded" if centres > max(size) / 8 else "yolox"
    if rows in {3 * n for n in cells} and columns > 5:
        return "yolov5"
    if columns in cells and rows > 4:
        return "yolo"
    if columns == 6 and rows <= 1000:
        return "yolo_end2end"
    if 50 <= rows <= 1000 and columns - 4 in (80, 365):
        return "rtdetr_joined"
    return None


def _single(outputs: Outputs) -> Floats:
    for value in outputs.values():
        if value.ndim == 3:
            return value.astype(np.float32, copy=False)
    raise _mismatch("a single table", outputs)


def _logits_and_boxes(outputs: Outputs) -> tuple[Floats, Floats]:
    for logits, boxes in (("logits", "pred_boxes"), ("pred_logits", "pred_boxes"), ("labels", "dets")):
        if logits in outputs and boxes in outputs:
            found = outputs[logits], outputs[boxes]
            break
    else:
        values = sorted(outputs.values(), key=lambda value: value.shape[-1] == 4)
        if len(values) != 2 or values[1].shape[-1] != 4 or values[0].shape[-1] == 4:
            raise _mismatch("logits and boxes", outputs)
        found = values[0], values[1]
    if any(value.ndim != 3 for value in found) or found[0].shape[:2] != found[1].shape[:2]:
        raise _mismatch("logits and boxes", outputs)
    return found[0].astype(np.float32, copy=False), found[1].astype(np.float32, copy=False)


def _labels_boxes_scores(
    outputs: Outputs,
) -> tuple[NDArray[np.generic], NDArray[np.generic], NDArray[np.generic]] | None:
    if not {"labels", "boxes", "scores"} <= set(outputs):
        return None
    labels, boxes, scores = outputs["labels"], outputs["boxes"], outputs["scores"]
    fits = labels.ndim == scores.ndim == 2 and boxes.shape == (*labels.shape, 4) and labels.shape == scores.shape
    return (labels, boxes, scores) if fits else None


def _strides(size: tuple[int, int], rows: int) -> tuple[int, ...]:
    for strides in (STRIDES, STRIDES_P6):
        if len(grid(size, strides)) == rows:
            return strides
    raise UsageError(
        f"the detector puts out {rows} boxes, not one for each cell of {size[0]}×{size[1]}: set another 'format'"
    )


def _objects(table: Floats, people: Sequence[int]) -> Floats:
    return table[..., 4] * _strongest(table[..., 5:], people)


def _strongest(shares: Floats, people: Sequence[int]) -> Floats:
    strongest: Floats = shares[..., list(people)].max(axis=-1)
    return strongest


def _of_classes(scores: Floats, labels: NDArray[np.generic], people: Sequence[int]) -> Floats:
    return np.where(np.isin(labels.astype(np.int64), list(people)), scores, np.float32(0.0)).astype(np.float32)


def _extent(size: tuple[int, int]) -> Floats:
    return np.asarray([size[1], size[0], size[1], size[0]], dtype=np.float32)


def _mismatch(wanted: str, outputs: Outputs) -> UsageError:
    return UsageError(f"the detector's outputs ({described(outputs)}) are not {wanted}: set another 'format'")
