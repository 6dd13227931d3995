"""What a recipe says of a detector plug-in: frozen, validated dataclasses, and how their paths are resolved."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field
from pydantic.dataclasses import dataclass
from pydantic_core import PydanticCustomError

from matting_data.configuration import STRICT
from matting_data.errors import UsageError

Format = Literal["auto", "yolox", "yolo", "rtdetr", "detr"]
"""Layouts of an ONNX export's outputs; :mod:`matting_data.detectors.output_layouts` describes each."""

Share = Annotated[float, Field(ge=0, le=1)]
Side = Annotated[int, Field(ge=32, le=4096)]
Name = Annotated[str, Field(min_length=1)]

_HUB_ID = re.compile(r"[A-Za-z0-9][\w.-]*(/[A-Za-z0-9][\w.-]*)?")
_KEYS_OF_KIND = {
    "default": {"tiles", "thresholds"},
    "onnx": {
        *("weights", "format", "person_classes", "input_size", "resize", "pixels", "channels"),
        *("tiles", "thresholds", "batch_size", "providers"),
    },
    "transformers": {"weights", "revision", "person_classes", "tiles", "thresholds", "batch_size", "device"},
}


@dataclass(frozen=True, config=STRICT)
class Limits:
    """The scores recommended for a detector; a recipe's own ``threshold`` and ``review_band`` go before them.

    Attributes
    ----------
    reject : float
        From here on the image shows a person almost surely. 0.5 is where detectors trained on COCO are usually read.
    review : float
        From here on, up to `reject`, a person is suspected.
    """

    reject: Share = 0.5
    review: Share = 0.25

    def __post_init__(self) -> None:
        """Refuse limits out of order."""
        if self.review > self.reject:
            raise ValueError(f"review {self.review} is above reject {self.reject}: give 0 <= review <= reject <= 1")


@dataclass(frozen=True, config=STRICT)
class DetectorSpec:
    """One human detector.

    Attributes
    ----------
    kind : {"default", "onnx", "transformers"}
        ``default``: the one in this package; ``onnx``: an exported file; ``transformers``: a model for object
        detection of that library.
    weights : str
        The ONNX file; or a folder with ``config.json``, ``preprocessor_config.json`` and ``*.safetensors``, or the id
        of such a model on the Hugging Face hub.
    revision : str
        Commit, tag or branch on the hub; default is its main branch. Only a commit never moves.
    format : str
        Layout of the ONNX outputs; ``auto`` recognises it by their names and shapes.
    person_classes : list of str or int
        Names or numbers of the classes that count as a person; default is the class named "person", and where the
        file has no names the person of COCO.
    input_size : int or (int, int)
        Side, or height and width, of the picture given to an ONNX file whose input leaves them open; default 640.
    resize : {"auto", "letterbox", "squeeze"}
        Whether an ONNX file's picture keeps the aspect ratio; ``auto`` is what the format was trained with, as it is
        for the next two.
    pixels : {"auto", "raw", "unit", "imagenet"}
        Values an ONNX file expects: 0 to 255, 0 to 1, or less ImageNet's mean and over its deviation.
    channels : {"auto", "rgb", "bgr"}
        Their order.
    tiles : int or "auto"
        Also look at square tiles, so many across the short side; ``auto``: as many as show every pixel at the
        detector's own resolution. 1 looks at the whole image only.
    thresholds : Limits
        Recommended scores; default is the default detector's own, and 0.5 and 0.25 for others.
    batch_size : int
        Images run through the network at once.
    providers : list of str
        Execution providers of onnxruntime, in order of preference.
    device : str
        Where torch runs a transformers model: ``cpu``, ``cuda``, ``cuda:1``, ``mps``.
    """

    kind: Literal["default", "onnx", "transformers"]
    weights: Name | None = None
    revision: Name | None = None
    format: Format = "auto"
    person_classes: (
        Annotated[tuple[Annotated[int, Field(ge=0, strict=True)] | Name, ...], Field(min_length=1)] | None
    ) = None
    input_size: Side | tuple[Side, Side] | None = None
    resize: Literal["auto", "letterbox", "squeeze"] = "auto"
    pixels: Literal["auto", "raw", "unit", "imagenet"] = "auto"
    channels: Literal["auto", "rgb", "bgr"] = "auto"
    tiles: Annotated[int, Field(ge=1, le=8)] | Literal["auto"] = 1
    thresholds: Limits | None = None
    batch_size: Annotated[int, Field(ge=1, le=256)] = 8
    providers: Annotated[tuple[Name, ...], Field(min_length=1)] = ("CPUExecutionProvider",)
    device: Annotated[str, Field(pattern=r"^(cpu|mps|cuda(:\d+)?|xpu(:\d+)?)$")] = "cpu"

    def __post_init__(self) -> None:
        """Refuse keys that do not go with the kind."""
        allowed = _KEYS_OF_KIND[self.kind]
        for field in dataclasses.fields(self):
            if field.name not in {"kind", *allowed} and getattr(self, field.name) != field.default:
                raise ValueError(f"a detector of kind {self.kind!r} has no key {field.name!r}: remove it")
        if "weights" in allowed and self.weights is None:
            what = "an ONNX file" if self.kind == "onnx" else "a folder or a hub id"
            raise ValueError(f"a detector of kind {self.kind!r} needs the key 'weights': name {what}")


def _is_one(document: object) -> bool:
    return isinstance(document, str | Mapping | DetectorSpec)


def _checked(document: Any) -> Any:
    several = isinstance(document, list | tuple) and document and all(map(_is_one, document))
    if not several and not _is_one(document):
        raise PydanticCustomError("detector", "give a name, keys such as 'kind: onnx', or a list of these")
    return document


Spec = str | DetectorSpec | Sequence[str | DetectorSpec]
"""A detector's name, its specification, or several that are combined: any of them may reject."""

WrittenSpec = Annotated[str | DetectorSpec | tuple[str | DetectorSpec, ...], BeforeValidator(_checked)]
"""A specification as YAML writes it, for pydantic."""


def resolved(spec: Spec, resolve: Callable[[str], Path]) -> Spec:
    """Make the local paths of a specification absolute.

    Parameters
    ----------
    spec : Spec
    resolve : callable
        Turns a path as written into one the file system knows, such as a recipe's ``LoadedRecipe.resolve``.

    Returns
    -------
    Spec
        Names stay as they are, and so does a hub id unless a folder of that name exists.

    Raises
    ------
    UsageError
        If an ONNX file does not exist, or what should be a folder is neither one nor can be a hub id.
    """
    if isinstance(spec, str | DetectorSpec):
        return _resolved_one(spec, resolve)
    return tuple(_resolved_one(part, resolve) for part in spec)


def _resolved_one(spec: str | DetectorSpec, resolve: Callable[[str], Path]) -> str | DetectorSpec:
    if isinstance(spec, str) or spec.weights is None:
        return spec
    path = resolve(spec.weights)
    if spec.kind == "onnx":
        if not path.is_file():
            raise UsageError(f"weights {spec.weights!r} of the detector is not a file: name an ONNX file")
    elif not path.is_dir():
        if not _HUB_ID.fullmatch(spec.weights):
            raise UsageError(
                f"weights {spec.weights!r} of the detector is not a folder: name one, or a hub id such as owner/model"
            )
        return spec
    return dataclasses.replace(spec, weights=str(path))
