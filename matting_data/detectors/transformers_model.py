"""A human detector from any object-detection model of transformers: a local folder, or the user's own hub access."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from matting_data.detectors.detector import Detection
from matting_data.detectors.output_layouts import from_queries
from matting_data.detectors.plugins import PluginDetector, people_found, person_numbers, version_of
from matting_data.detectors.scaling import covering_size, resized
from matting_data.detectors.sessions import first_line
from matting_data.detectors.spec import DetectorSpec
from matting_data.errors import MattingDataError, MissingExtraError, UsageError

_CODE_VERSION = "1"
"""Raise it with any change of code that changes a score."""

_FILES = ("*.safetensors", "*.safetensors.index.json", "config.json", "preprocessor_config.json")
_EXTRA, _PACKAGES = "detectors", "transformers and torch are"
_DEFAULT_SIDE = 640
_MAX_ASPECT = 8.0


class TransformersDetector(PluginDetector["_Opened"]):
    """Human detector that runs ``AutoModelForObjectDetection``, on one thread of the CPU unless told otherwise.

    Weights are read from safetensors only, and no code that comes with a model is ever run. Pictures are prepared
    with Pillow and numpy, so that a score does not depend on whether torchvision is installed.

    Parameters
    ----------
    spec : DetectorSpec
        Of kind ``transformers``.

    Attributes
    ----------
    name, version : str
        ``transformers:`` and the last part of the folder or id; the version follows weights, configuration and every
        option that decides a score. It is looked up, and a model of the hub fetched, on first use.
    thresholds : Thresholds
    batch_size : int
        Only pictures that the model sees at one size share a batch.

    Raises
    ------
    UsageError
        On the first image, if the model cannot be loaded or is not a detector.
    MissingExtraError
        On the first image, if transformers or torch are not installed.
    """

    def __init__(self, spec: DetectorSpec) -> None:
        self.weights = spec.weights or ""
        self.name = f"transformers:{Path(self.weights).name}"
        super().__init__(spec, self._load)

    @cached_property
    def folder(self) -> Path:
        """The folder that holds the model, fetched from the hub if need be.

        Raises
        ------
        UsageError
            If it lacks a file, or the hub does not give it.
        MissingExtraError
            If a hub id is given and transformers is not installed.
        """
        folder = Path(self.weights) if Path(self.weights).is_dir() else _fetched(self.weights, self.spec.revision)
        for pattern in ("config.json", "preprocessor_config.json", "*.safetensors"):
            if not any(folder.glob(pattern)):
                hint = ": convert its weights with save_pretrained" if pattern.startswith("*") else ": save it there"
                raise UsageError(f"the detector's folder {folder} has no {pattern}{hint}")
        return folder

    @cached_property
    def version(self) -> str:
        """Code version and a digest of the model's files and of the options that decide a score."""
        files = [path for pattern in _FILES for path in self.folder.glob(pattern)]
        return version_of(_CODE_VERSION, files, self.spec.person_classes, self.spec.device)

    @property
    def input_side(self) -> int:
        """Short side in pixels of what the model sees, as its preprocessor says."""
        return _input_side(self.folder / "preprocessor_config.json")

    def _load(self) -> _Opened:
        return _Opened(self.folder, self.spec)


class _Opened:
    """A model with its preprocessor and its human classes."""

    fixed_batch = None

    def __init__(self, folder: Path, spec: DetectorSpec) -> None:
        try:
            import torch
            import transformers
        except ImportError:
            raise MissingExtraError(_EXTRA, _PACKAGES) from None
        self.torch = torch
        self.device = spec.device
        common: dict[str, Any] = {"local_files_only": True, "trust_remote_code": False}
        # without torchvision, wherever it is installed; its resize gives other pixels
        pil = {"backend": "pil"} if int(transformers.__version__.split(".")[0]) >= 5 else {"use_fast": False}
        try:
            with _quiet(transformers):
                self.processor = transformers.AutoImageProcessor.from_pretrained(folder, **pil, **common)
                model = transformers.AutoModelForObjectDetection.from_pretrained(folder, use_safetensors=True, **common)
                self.model = model.float().to(self.device).eval()
        except Exception as error:
            raise UsageError(
                f"{folder} is no object-detection model that transformers can load ({first_line(error)}): name a "
                "folder written by save_pretrained for AutoModelForObjectDetection"
            ) from error
        names = {int(number): str(name) for number, name in self.model.config.id2label.items()}
        self.classes = len(names)
        self.people = person_numbers(spec.person_classes, names, self.classes, folder.name)

    def detect(self, images: Sequence[NDArray[np.uint8]]) -> list[Detection]:
        # squeezed: of a line of pixels some preprocessors would make a picture without height; and as a Pillow image,
        # since of an array three pixels high the library would take the rows for channels
        sizes = [(image.shape[0], image.shape[1]) for image in images]
        shapes = [covering_size(size, min(size), _MAX_ASPECT) for size in sizes]
        pictures = [Image.fromarray(resized(image, shape)) for image, shape in zip(images, shapes, strict=True)]
        tensors = [self.processor(images=picture, return_tensors="pt")["pixel_values"] for picture in pictures]
        found: dict[int, Detection] = {}
        # padding pictures to a common size would let one change the score of another
        for shape in dict.fromkeys(tensor.shape for tensor in tensors):
            members = [i for i, tensor in enumerate(tensors) if tensor.shape == shape]
            scores, shares = self._run(self.torch.cat([tensors[i] for i in members]))
            for place, i in enumerate(members):
                height, width = images[i].shape[:2]
                extent = np.asarray([width, height, width, height], dtype=np.float32)
                found[i] = people_found(scores[place], shares[place] * extent, (height, width))
        return [found[i] for i in range(len(images))]

    def _run(self, pixels: Any) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        with _one_thread(self.torch), self.torch.inference_mode():
            output = self.model(pixel_values=pixels.to(self.device))
        logits, boxes = getattr(output, "logits", None), getattr(output, "pred_boxes", None)
        if logits is None or boxes is None or logits.shape[-1] - self.classes not in (0, 1):
            raise UsageError(
                f"the model {self.model.config.model_type!r} does not put out logits and pred_boxes for its "
                f"{self.classes} classes: use a DETR, such as RT-DETR or D-FINE"
            )
        softmaxed = logits.shape[-1] == self.classes + 1
        return from_queries(logits.float().cpu().numpy(), boxes.float().cpu().numpy(), softmaxed, self.people)


def _fetched(hub_id: str, revision: str | None) -> Path:
    """Find the local copy of a model of the hub, fetching what is missing with the user's own access."""
    try:
        from huggingface_hub import snapshot_download
    except ImportError:
        raise MissingExtraError(_EXTRA, _PACKAGES) from None
    options: dict[str, Any] = {"revision": revision, "allow_patterns": list(_FILES)}
    with suppress(Exception):  # not fetched yet
        folder = Path(snapshot_download(hub_id, local_files_only=True, **options))
        if any(folder.glob("*.safetensors")):
            return folder  # what was fetched once is not asked for again: scores stay those of one version
    try:
        return Path(snapshot_download(hub_id, **options))
    except Exception as error:
        raise MattingDataError(
            f"the model {hub_id!r} could not be fetched from the hub ({first_line(error)}): check the id, the network "
            "and 'hf auth login', or name a local folder"
        ) from error


def _input_side(config: Path) -> int:
    try:
        size = json.loads(config.read_text(encoding="utf-8")).get("size", _DEFAULT_SIDE)
    except (OSError, ValueError, AttributeError):
        return _DEFAULT_SIDE
    if isinstance(size, dict):
        sides = [size[key] for key in ("shortest_edge", "height", "width") if isinstance(size.get(key), int)]
        return min(sides, default=_DEFAULT_SIDE)
    return size if isinstance(size, int) and size > 0 else _DEFAULT_SIDE


@contextmanager
def _one_thread(torch: Any) -> Iterator[None]:
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)


@contextmanager
def _quiet(transformers: Any) -> Iterator[None]:
    """Keep progress bars of loading out of the user's terminal."""
    logging = transformers.utils.logging
    was_enabled = logging.is_progress_bar_enabled()
    logging.disable_progress_bar()
    try:
        yield
    finally:
        if was_enabled:
            logging.enable_progress_bar()
