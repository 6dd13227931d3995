"""A human detector from any local ONNX file in one of the usual export layouts."""

from __future__ import annotations

import ast
import glob
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from matting_data.detectors.detector import Detection
from matting_data.detectors.exports import LAYOUTS, Layout, described, recognised
from matting_data.detectors.plugins import PluginDetector, people_found, person_numbers, version_of
from matting_data.detectors.scaling import resized
from matting_data.detectors.spec import DetectorSpec
from matting_data.errors import UsageError

if TYPE_CHECKING:
    import onnxruntime

_CODE_VERSION = "1"
"""Raise it with any change of code that changes a score."""

_DEFAULT_SIDE = 640
_PADDING = 114
_MEAN = np.asarray([0.485, 0.456, 0.406], dtype=np.float32)
_DEVIATION = np.asarray([0.229, 0.224, 0.225], dtype=np.float32)
_DTYPES = {"tensor(float)": np.float32, "tensor(float16)": np.float16}


@dataclass(frozen=True, slots=True)
class Placement:
    """Where an image lies in the network's input: ``input = image · scale + offset`` across and down."""

    scale_x: float
    scale_y: float
    left: int
    top: int

    def undone(self, corners: NDArray[np.float32]) -> NDArray[np.float32]:
        """Bring corners (n, 4) from pixels of the input to pixels of the image."""
        offset = np.asarray([self.left, self.top] * 2, dtype=np.float32)
        scale = np.asarray([self.scale_x, self.scale_y] * 2, dtype=np.float32)
        moved: NDArray[np.float32] = (corners - offset) / scale
        return moved


def placed(
    image: NDArray[np.uint8], size: tuple[int, int], letterbox: bool, centred: bool
) -> tuple[NDArray[np.uint8], Placement]:
    """Resize an image into a network's input.

    Parameters
    ----------
    image : ndarray of uint8, shape (h, w, 3)
    size : (h, w)
        Of the input.
    letterbox : bool
        Keep the aspect ratio and fill up with gray 114, as YOLO does; else squeeze.
    centred : bool
        Fill up on both sides, or only at the right and the bottom, as YOLOX does.

    Returns
    -------
    (ndarray of uint8, shape (size[0], size[1], 3), Placement)
    """
    height, width = image.shape[:2]
    if not letterbox:
        return resized(image, size), Placement(size[1] / width, size[0] / height, 0, 0)
    scale = min(size[0] / height, size[1] / width)
    rows, columns = (max(1, min(side, round(old * scale))) for side, old in zip(size, (height, width), strict=True))
    top, left = ((size[0] - rows) // 2, (size[1] - columns) // 2) if centred else (0, 0)
    picture = np.full((*size, 3), _PADDING, dtype=np.uint8)
    picture[top : top + rows, left : left + columns] = resized(image, (rows, columns))
    return picture, Placement(columns / width, rows / height, left, top)


class OnnxDetector(PluginDetector["_Opened"]):
    """Human detector that runs an ONNX file with onnxruntime, on one thread of the CPU unless told otherwise.

    Parameters
    ----------
    spec : DetectorSpec
        Of kind ``onnx``, with `weights` that can be opened from the current folder.

    Attributes
    ----------
    name, version : str
        ``onnx:`` and the file's stem; the version follows the file, its external data and every option that decides a
        score.
    thresholds : Thresholds
    batch_size : int
        Files exported for a fixed batch are run with that batch whatever this says.

    Raises
    ------
    UsageError
        If there is no such file. What is in it shows on the first image: whether it is damaged, has outputs of no
        known layout, or puts out what its format does not allow.
    """

    def __init__(self, spec: DetectorSpec) -> None:
        self.path = Path(spec.weights or "")
        if not self.path.is_file():
            raise UsageError(f"weights {spec.weights!r} of the detector are no file: name an ONNX file")
        self.name = f"onnx:{self.path.stem}"
        super().__init__(spec, partial(_Opened, self.path, spec))

    @cached_property
    def version(self) -> str:
        """Code version and a digest of the file and of the options that decide a score."""
        s = self.spec
        files = [self.path, *self.path.parent.glob(f"{glob.escape(self.path.name)}?data*")]
        options = (s.format, s.person_classes, s.input_size, s.resize, s.pixels, s.channels, s.providers)
        return version_of(_CODE_VERSION, files, *options)

    @property
    def input_side(self) -> int:
        """Short side of the network's input in pixels."""
        return min(self.model().size)


class _Opened:
    """A session with everything that is read from the file: input, layout and human classes."""

    def __init__(self, path: Path, spec: DetectorSpec) -> None:
        self.path = path
        self.session = open_session(path, spec.providers)
        self.input, self.others = _inputs(self.session, path)
        self.dtype = _DTYPES[self.input.type]
        batch, _, height, width = self.input.shape
        self.fixed_batch = batch if isinstance(batch, int) and batch > 0 else None
        self.size = _input_size((height, width), spec.input_size, path)
        self.outputs = [output.name for output in self.session.get_outputs()]
        empty = np.full((1, *self.size, 3), _PADDING, dtype=np.uint8)
        format_: str = spec.format
        if format_ == "auto":
            probe = LAYOUTS["rtdetr"]  # the values of an empty picture do not matter, its outputs' shapes do
            format_ = recognised(self._run(self._tensor(empty, probe.pixels, probe.channels)), self.size)
        self.layout: Layout = LAYOUTS[format_]
        self.letterbox = (self.layout.resize if spec.resize == "auto" else spec.resize) == "letterbox"
        self.pixels = self.layout.pixels if spec.pixels == "auto" else spec.pixels
        self.channels = self.layout.channels if spec.channels == "auto" else spec.channels
        outputs = self._run(self._tensor(empty, self.pixels, self.channels))
        names, count = _class_names(self.session), self.layout.classes(outputs)
        if count is not None and count < 1:
            raise UsageError(f"{path.name} has outputs ({described(outputs)}) too narrow for format {format_!r}")
        self.people = person_numbers(spec.person_classes, names, count, path.name)
        self.layout.decode(outputs, self.size, self.people)

    def detect(self, images: Sequence[NDArray[np.uint8]]) -> list[Detection]:
        pairs = [placed(image, self.size, self.letterbox, self.layout.centred) for image in images]
        tensor = self._tensor(np.stack([picture for picture, _ in pairs]), self.pixels, self.channels)
        scores, corners = self.layout.decode(self._run(tensor), self.size, self.people)
        return [
            people_found(scores[i], place.undone(corners[i]), (image.shape[0], image.shape[1]))
            for i, (image, (_, place)) in enumerate(zip(images, pairs, strict=True))
        ]

    def _tensor(self, pictures: NDArray[np.uint8], pixels: str, channels: str) -> NDArray[np.floating]:
        values = pictures.astype(np.float32)
        if pixels != "raw":
            values /= np.float32(255.0)
        if pixels == "imagenet":
            values = (values - _MEAN) / _DEVIATION
        if channels == "bgr":
            values = values[..., ::-1]
        return np.ascontiguousarray(values.transpose(0, 3, 1, 2)).astype(self.dtype, copy=False)

    def _run(self, tensor: NDArray[np.floating]) -> dict[str, NDArray[np.generic]]:
        count = len(tensor)
        if self.fixed_batch and count < self.fixed_batch:
            tensor = np.concatenate([tensor, np.zeros((self.fixed_batch - count, *tensor.shape[1:]), tensor.dtype)])
        feed: dict[str, NDArray[np.generic]] = {self.input.name: tensor}
        for other in self.others:
            if other.name == "orig_target_sizes":  # boxes come in pixels of the input then
                feed[other.name] = np.asarray([self.size[::-1]] * len(tensor), dtype=np.int64)
            else:
                given = zip(other.shape[1:], self.size, strict=True)
                sides = [side if isinstance(side, int) else own for side, own in given]
                feed[other.name] = np.ones((len(tensor), *sides), dtype=np.int64)
        try:
            values = self.session.run(self.outputs, feed)
        except Exception as error:
            raise UsageError(
                f"{self.path.name} does not run on {len(tensor)} pictures of {self.size[0]}×{self.size[1]} "
                f"({_first_line(error)}): set 'input_size' to what it was exported for, or 'batch_size: 1'"
            ) from None
        return {
            name: value[:count] if value.ndim and len(value) == len(tensor) else value
            for name, value in zip(self.outputs, values, strict=True)
        }


def open_session(path: Path, providers: Sequence[str]) -> onnxruntime.InferenceSession:
    """Open a local ONNX file on one thread.

    Raises
    ------
    UsageError
        onnxruntime cannot open it, or lacks a provider.
    """
    import onnxruntime

    missing = [name for name in providers if name not in onnxruntime.get_available_providers()]
    if missing:
        known = ", ".join(onnxruntime.get_available_providers())
        raise UsageError(
            f"this onnxruntime has no provider {missing[0]!r} (it has {known}): name one of these, or install the "
            "onnxruntime package that brings it"
        )
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.inter_op_num_threads = 1
    options.log_severity_level = 4
    try:
        return onnxruntime.InferenceSession(str(path), sess_options=options, providers=list(providers))
    except Exception as error:
        raise UsageError(
            f"{path} is no ONNX file that onnxruntime can open ({_first_line(error)}): export or download it again"
        ) from None


def _inputs(session: onnxruntime.InferenceSession, path: Path) -> tuple[Any, list[Any]]:
    inputs = session.get_inputs()
    images = [i for i in inputs if len(i.shape) == 4]
    others = [i for i in inputs if len(i.shape) != 4]
    known = {("orig_target_sizes", 2), ("pixel_mask", 3)}
    fits = len(images) == 1 and images[0].type in _DTYPES and not _is_other(images[0].shape[1], 3)
    if not fits or any((i.name, len(i.shape)) not in known or i.type != "tensor(int64)" for i in others):
        found = ", ".join(f"{i.name} {i.type} {i.shape}" for i in inputs)
        raise UsageError(
            f"{path.name} has the inputs {found}: export it with one image input of float, batch×3×height×width"
        )
    return images[0], others


def _is_other(side: object, wanted: int) -> bool:
    """Tell whether a side that the file fixes is another than `wanted`."""
    return isinstance(side, int) and side not in (wanted, -1)


def _input_size(fixed: tuple[Any, Any], wanted: int | tuple[int, int] | None, path: Path) -> tuple[int, int]:
    asked = (wanted, wanted) if isinstance(wanted, int) else wanted
    size: list[int] = []
    for axis, side in enumerate(fixed):
        free = not isinstance(side, int) or side <= 0
        if not free and asked is not None and asked[axis] != side:
            raise UsageError(
                f"input_size is {wanted}, but {path.name} was exported for {fixed[0]}×{fixed[1]}: remove it"
            )
        size.append((asked[axis] if asked else _DEFAULT_SIDE) if free else side)
    return size[0], size[1]


def _class_names(session: onnxruntime.InferenceSession) -> dict[int, str]:
    """Return the names that Ultralytics' exports carry as metadata, ``{0: 'person', ...}``; empty for other files."""
    text = session.get_modelmeta().custom_metadata_map.get("names", "")
    try:
        names = ast.literal_eval(text)
        pairs = names.items() if isinstance(names, dict) else enumerate(names)
        return {int(number): str(name) for number, name in pairs}
    except (ValueError, SyntaxError, TypeError, MemoryError, RecursionError):
        return {}


def _first_line(error: Exception) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0][:200]
