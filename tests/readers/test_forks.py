"""Datasets in forked processes, where polars' threads are lost."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

import matting_data
from matting_data.errors import DamageError, UsageError
from matting_data.evaluation.test_sets import open_test_set
from matting_data.readers import Split
from matting_data.records.checked import CheckedForeground
from matting_data.records.tables import read_table, to_table
from matting_data.upkeep.status import status
from tests.support.projects import Project

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="nothing forks here")

_LIMIT = 90
"""Seconds after which a child is taken to wait for ever."""


def in_child(action: Callable[[], None]) -> None:
    """Run an action in a forked child of this process, which has used polars; fail where it raises or hangs."""
    assert pl.DataFrame({"a": [1, 2]}).filter(pl.col("a") > 1).height == 1
    child = os.fork()
    if child == 0:
        signal.signal(signal.SIGALRM, signal.SIG_DFL)  # what hangs in polars runs no handler of Python
        signal.alarm(_LIMIT)
        code = 1
        try:
            action()
            code = 0
        except BaseException:
            traceback.print_exc()
        finally:
            os._exit(code)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


class OpensInTheWorker:
    """What users write: a dataset that each loading process opens when it is first asked."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._split: Split | None = None

    def __len__(self) -> int:
        return 8

    def __getitem__(self, place: int) -> str:
        if self._split is None:
            self._split = matting_data.open(self._root)["train"]
        sample = self._split[place]
        return f"{sample.key} {sample.image.sum()}"


def test_a_plain_data_loader_whose_dataset_opens_in_the_worker(shards: Path, train: Split) -> None:
    torch = pytest.importorskip("torch")
    assert len(matting_data.open(shards)["train"]) == 21  # polars has been used here
    loader = torch.utils.data.DataLoader(
        OpensInTheWorker(shards), 2, num_workers=2, multiprocessing_context="fork", timeout=_LIMIT
    )
    found = [line for batch in loader for line in batch]
    assert found == [f"{sample.key} {sample.image.sum()}" for sample in train[:8]]


@pytest.fixture(scope="module")
def layered(tmp_path_factory: pytest.TempPathFactory) -> Path:
    project = Project(tmp_path_factory.mktemp("forked") / "project", people=4)
    project.build("store.kind=layers")
    return project.out


def test_whatever_reads_a_dataset_works_in_a_forked_child(shards: Path, layered: Path) -> None:
    pytest.importorskip("pandas")
    opened = matting_data.open(shards)  # before the fork; its manifests are read after it
    keys, pixels = matting_data.open(shards)["train"].keys, matting_data.open(layered)["train"][1].image
    people = [row.id for row in read_table(shards / "foregrounds.parquet", CheckedForeground)]
    manifest = matting_data.open(shards).manifest("train")

    def action() -> None:
        assert opened["train"].keys == keys
        opened.check()
        assert opened.manifest("train").equals(manifest)
        assert np.array_equal(matting_data.open(layered)["train"][1].image, pixels)
        assert len(open_test_set(shards).items) == 6
        assert [row.id for row in read_table(shards / "foregrounds.parquet", CheckedForeground)] == people

    in_child(action)


def test_errors_of_a_forked_child_are_those_of_its_parent(copy: Path) -> None:
    def errors() -> list[str]:
        said = []
        for action in (
            lambda: matting_data.open(copy)["train"],
            lambda: read_table(copy / "absent", CheckedForeground),
        ):
            with pytest.raises(DamageError) as caught:
                action()
            said.append(str(caught.value))
        return said

    manifest = copy / "train" / "000001.parquet"
    manifest.write_bytes(manifest.read_bytes()[::-1])
    here = errors()

    def action() -> None:
        assert errors() == here

    in_child(action)


@pytest.mark.parametrize(
    "use",
    [
        lambda root: matting_data.open(root).table("train"),
        lambda root: to_table([], CheckedForeground),
        status,
    ],
    ids=["a table for the user", "a table to write", "status"],
)
def test_what_needs_polars_itself_is_refused_and_does_not_hang(shards: Path, use: Callable[[Path], Any]) -> None:
    def action() -> None:
        with pytest.raises(UsageError, match=r"was forked from one that had used polars.*'spawn'"):
            use(shards)

    in_child(action)


_SCRIPT = """
import os, signal, sys
import polars as pl
{before}
child = os.fork()
if child == 0:
    signal.alarm({limit})
    from matting_data import forks, open
    assert forks.polars_is_lost() == {lost}
    assert len(open({root!r})["train"]) == 21
    open({root!r}).table("train") if not {lost} else None
    os._exit(0)
sys.exit(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
"""


@pytest.mark.parametrize(
    ("before", "lost"),
    [
        ("pl.Series([3, 1, 2]).sort()", True),  # the user's own; nobody of ours was there to see it
        ("import matting_data; pl.Series([3, 1, 2]).sort()", True),
        ("import matting_data.records.tables", False),  # imported, as in a fork server, and not used
    ],
)
@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere polars counts as lost once it was imported")
def test_a_fork_before_which_polars_was_used_is_told_from_others(shards: Path, before: str, lost: bool) -> None:
    script = _SCRIPT.format(before=before, lost=lost, root=str(shards), limit=_LIMIT)
    done = subprocess.run([sys.executable, "-W", "ignore", "-c", script], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
