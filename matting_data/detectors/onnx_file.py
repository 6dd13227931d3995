"""A human detector from any local ONNX file in one of the usual export layouts."""

from __future__ import annotations

import ast
import glob
from collections.abc import Sequence
from functools import cached_property, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from matting_data.detectors.detector import Detection
from matting_data.detectors.output_layouts import LAYOUTS, described, recognised
from matting_data.detectors.plugins import PluginDetector, people_found, person_numbers, version_of
from matting_data.detectors.scaling import resized
from matting_data.detectors.sessions import first_line, open_session
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


def placed(
    image: NDArray[np.uint8], size: tuple[int, int], letterbox: bool, centred: bool
) -> tuple[NDArray[np.uint8], NDArray[np.float32], NDArray[np.float32]]:
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
    picture : ndarray of uint8, shape (size[0], size[1], 3)
    scale, offset : ndarray of float32, shape (4,)
        Bring a box (x0, y0, x1, y1) from pixels of the image to pixels of the input: ``box · scale + offset``.
    """
    height, width = image.shape[:2]
    rows, columns = size
    if letterbox:
        ratio = min(rows / height, columns / width)
        rows, columns = (max(1, min(side, round(old * ratio))) for side, old in zip(size, (height, width), strict=True))
    top, left = ((size[0] - rows) // 2, (size[1] - columns) // 2) if centred else (0, 0)
    picture = np.full((*size, 3), _PADDING, dtype=np.uint8)
    picture[top : top + rows, left : left + columns] = resized(image, (rows, columns))
    scale, offset = [columns / width, rows / height], [left, top]
    return picture, np.asarray(scale * 2, dtype=np.float32), np.asarray(offset * 2, dtype=np.float32)


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
            raise UsageError(f"weights {spec.weights!r} of the detector is not a file: name an ONNX file")
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
        self.input, self.mask = _inputs(self.session, path)
        self.dtype = _DTYPES[self.input.type]
        batch, _, height, width = self.input.shape
        self.fixed_batch = batch if isinstance(batch, int) and batch > 0 else None
        self.size = _input_size((height, width), spec.input_size, path)
        self.outputs = [output.name for output in self.session.get_outputs()]
        empty = np.full((1, *self.size, 3), _PADDING, dtype=np.uint8)
        self.pixels, self.channels = "unit", "rgb"  # to recognise the layout only shapes of outputs matter
        format_: str = spec.format
        if format_ == "auto":
            format_ = recognised(self._run(self._tensor(empty)), self.size)
        self.layout = LAYOUTS[format_]
        self.letterbox = (self.layout.resize if spec.resize == "auto" else spec.resize) == "letterbox"
        self.pixels = self.layout.pixels if spec.pixels == "auto" else spec.pixels
        self.channels = self.layout.channels if spec.channels == "auto" else spec.channels
        outputs = self._run(self._tensor(empty))
        count = self.layout.classes(outputs)
        if count < 1:
            raise UsageError(f"{path.name} has outputs ({described(outputs)}) too narrow for format {format_!r}")
        self.people = person_numbers(spec.person_classes, _class_names(self.session), count, path.name)
        self.layout.decode(outputs, self.size, self.people)

    def detect(self, images: Sequence[NDArray[np.uint8]]) -> list[Detection]:
        pairs = [placed(image, self.size, self.letterbox, self.layout.centred) for image in images]
        tensor = self._tensor(np.stack([picture for picture, *_ in pairs]))
        scores, corners = self.layout.decode(self._run(tensor), self.size, self.people)
        return [
            people_found(scores[i], (corners[i] - offset) / scale, (image.shape[0], image.shape[1]))
            for i, (image, (_, scale, offset)) in enumerate(zip(images, pairs, strict=True))
        ]

    def _tensor(self, pictures: NDArray[np.uint8]) -> NDArray[np.floating]:
        values = pictures.astype(np.float32)
        if self.pixels != "raw":
            values /= np.float32(255.0)
        if self.pixels == "imagenet":
            values = (values - _MEAN) / _DEVIATION
        if self.channels == "bgr":
            values = values[..., ::-1]
        return np.ascontiguousarray(values.transpose(0, 3, 1, 2)).astype(self.dtype, copy=False)

    def _run(self, tensor: NDArray[np.floating]) -> dict[str, NDArray[np.generic]]:
        count = len(tensor)
        if self.fixed_batch and count < self.fixed_batch:
            tensor = np.concatenate([tensor, np.zeros((self.fixed_batch - count, *tensor.shape[1:]), tensor.dtype)])
        feed: dict[str, NDArray[np.generic]] = {self.input.name: tensor}
        if self.mask is not None:
            given = zip(self.mask.shape[1:], self.size, strict=True)
            sides = [side if isinstance(side, int) else own for side, own in given]
            feed[self.mask.name] = np.ones((len(tensor), *sides), dtype=np.int64)
        try:
            values = self.session.run(self.outputs, feed)
        except Exception as error:
            raise UsageError(
                f"{self.path.name} does not run on {len(tensor)} pictures of {self.size[0]}×{self.size[1]} "
                f"({first_line(error)}): set 'input_size' to what it was exported for, or 'batch_size: 1'"
            ) from error
        return {
            name: value[:count] if value.ndim and len(value) == len(tensor) else value
            for name, value in zip(self.outputs, values, strict=True)
        }


def _inputs(session: onnxruntime.InferenceSession, path: Path) -> tuple[Any, Any | None]:
    """Find the image input, and the ``pixel_mask`` that exports of DETR may have beside it."""
    inputs = session.get_inputs()
    open_or_three = [
        i for i in inputs if len(i.shape) == 4 and (i.shape[1] in (3, -1) or not isinstance(i.shape[1], int))
    ]
    images = [i for i in open_or_three if i.type in _DTYPES]
    masks = [i for i in inputs if (i.name, len(i.shape), i.type) == ("pixel_mask", 3, "tensor(int64)")]
    if len(images) != 1 or len(inputs) != 1 + len(masks):
        found = ", ".join(f"{i.name} {i.type} {i.shape}" for i in inputs)
        raise UsageError(
            f"{path.name} has the inputs {found}: export it with one image input of float, batch×3×height×width"
        )
    return images[0], masks[0] if masks else None


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
    """Read the names that Ultralytics' exports carry as metadata, ``{0: 'person', ...}``; empty for other files."""
    text = session.get_modelmeta().custom_metadata_map.get("names", "")
    try:
        names = ast.literal_eval(text)
        pairs = names.items() if isinstance(names, dict) else enumerate(names)
        return {int(number): str(name) for number, name in pairs}
    except (ValueError, SyntaxError, TypeError, MemoryError, RecursionError):
        return {}
