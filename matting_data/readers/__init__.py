"""Reading built datasets: opening, random access, PyTorch datasets, transforms."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from matting_data.readers.dataset import Dataset, open
from matting_data.readers.split import Split
from matting_data.readers.store import Composite, Layers, SampleStore

if TYPE_CHECKING:
    from matting_data.readers.loader import Loader
    from matting_data.readers.sampler import ResumableSampler
    from matting_data.readers.tensors import ToTensors
    from matting_data.readers.torch_datasets import MapDataset, StreamDataset

__all__ = ["Composite", "Dataset", "Layers", "Loader", "MapDataset", "ResumableSampler", "SampleStore", "Split",
           "StreamDataset", "ToTensors", "open"]  # fmt: skip

_NEED_TORCH = {"Loader": "loader", "MapDataset": "torch_datasets", "ResumableSampler": "sampler",
               "StreamDataset": "torch_datasets", "ToTensors": "tensors"}  # fmt: skip


def __getattr__(name: str) -> Any:
    """Import what needs torch when it is first asked for; MissingExtraError where torch is not installed."""
    if name in _NEED_TORCH:
        from importlib import import_module

        return getattr(import_module(f"matting_data.readers.{_NEED_TORCH[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
