"""Loading processes where /dev/shm is missing, read-only or small, and those that are killed: a sentence each."""

from __future__ import annotations

import os
import signal
from pathlib import Path
from typing import Any

import pytest

from matting_data.errors import OutOfMemoryError
from matting_data.readers import Composite, Split
from tests.support.shared_memory import KINDS, run_python

torch = pytest.importorskip("torch")

_LOAD = """
import sys
import matting_data
from matting_data.errors import MattingDataError
from matting_data.readers.loader import Loader
from matting_data.readers.torch_datasets import MapDataset, StreamDataset
from matting_data.readers.transforms import Pipeline, PersonCrop
_, folder, kind, workers = sys.argv
split = matting_data.open(folder)["train"]
crop = Pipeline([PersonCrop(64)])
data = StreamDataset(split, crop, batch_size=4) if kind == "stream" else MapDataset(split, crop)
loader = Loader(data, 4, num_workers=int(workers))
try:
    print(sum(len(batch["key"]) for _ in range(2) for batch in loader))
except MattingDataError as error:
    print(type(error).__name__, error)
"""


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("dataset", ["map", "stream"])
def test_without_shared_memory_this_process_loads_and_others_are_refused(kind: str, dataset: str, shards: Path) -> None:
    alone = run_python(kind, _LOAD, str(shards), dataset, "0")
    assert alone.stdout.split() == ["42"], alone.stderr
    others = run_python(kind, _LOAD, str(shards), dataset, "2")
    assert others.stdout.startswith("UsageError loading processes need /dev/shm (") and others.stderr == ""
    assert "--shm-size" in others.stdout and "set num_workers (data.workers of a training config) to 0" in others.stdout


@pytest.mark.parametrize("dataset", ["map", "stream"])
def test_batches_larger_than_it_are_a_sentence(dataset: str, shards: Path) -> None:
    done = run_python("64k", _LOAD, str(shards), dataset, "2")
    assert done.stdout.startswith("OutOfMemoryError /dev/shm is too small for the batches"), done.stderr
    assert "Traceback" not in done.stderr


class Dies:
    """A transform whose process ends as from outside."""

    def __init__(self, number: int) -> None:
        self.number = number

    def __call__(self, composite: Composite, visit: object) -> Composite:
        os.kill(os.getpid(), self.number)
        return composite


@pytest.mark.parametrize(
    ("number", "sentence"),
    [(signal.SIGBUS, "/dev/shm is too small"), (signal.SIGKILL, "a loading process was killed, most often for want")],
)
@pytest.mark.parametrize("workers", [1, 2])
def test_a_loading_process_that_is_killed_is_a_sentence(train: Split, number: int, sentence: str, workers: int) -> None:
    from matting_data.readers.loader import Loader
    from matting_data.readers.torch_datasets import MapDataset

    loader: Any = Loader(MapDataset(train, Dies(number)), 4, num_workers=workers)
    with pytest.raises(OutOfMemoryError, match=sentence):
        list(loader)
