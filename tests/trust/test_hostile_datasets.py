"""Datasets whose structure somebody changed, with right hashes, through every verb: a sentence, never a traceback."""

from __future__ import annotations

import resource
import shutil
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import click
import pytest
from click.testing import CliRunner
from hypothesis import strategies as st
from matting_data.cli.main import cli

import matting_data
from matting_data.errors import MattingDataError
from tests.support.examples import try_examples
from tests.support.hostile import Draw, mutate_index, mutate_json, mutate_recipe, mutate_table
from tests.support.projects import Project

LONGEST = 60.0
"""Seconds; a verb takes one or two on such datasets."""

MOST_MEMORY = 1 << 30
"""Bytes that all of it may add to the process."""

VERBS: dict[str, list[str]] = {
    "verify": ["--workers", "1", "--recompose", "2"],
    "repair": ["--workers", "1"],
    "status": [],
    "stats": [],
    "card": [],
    "report": ["--out", "{new}/report.html"],
    "preview": ["--out", "{new}/preview.png"],
    "audit": ["--to", "{new}/audit"],
    "export": ["--to", "coco", "--out", "{new}/coco"],
    "materialize": ["--out", "{new}/made", "--workers", "1"],
}


@pytest.fixture(scope="module")
def originals(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    place = tmp_path_factory.mktemp("hostile")
    made = {}
    for kind in ("composites", "layers"):
        project = Project(place / kind, people=4, photos=8)
        project.build(f"store.kind={kind}", "composites.per_foreground=2")
        made[kind] = project.out
    return made


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Path]:
    yield tmp_path
    shutil.rmtree(tmp_path, ignore_errors=True)


def read_all(out: Path) -> None:
    dataset = matting_data.open(out)
    for split in dataset.splits:
        for position in range(len(dataset[split])):
            dataset[split].row(position, epoch=1)
            dataset[split].read(position)


def survives(originals: dict[str, Path], place: Path, mutate: Callable[[Path, Draw], str], draw: Draw) -> None:
    out, new = place / "dataset", place / "new"
    for folder in (out, new):
        shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(originals[draw(st.sampled_from(["composites", "layers"]))], out)
    new.mkdir()
    said = mutate(out, draw)
    verb = draw(st.sampled_from(["open", *VERBS]))
    started = time.monotonic()
    try:
        if verb == "open":
            read_all(out)
        else:
            options = [option.format(new=new) for option in VERBS[verb]]
            CliRunner().invoke(cli, [verb, str(out), *options], standalone_mode=False, catch_exceptions=False)
    except (MattingDataError, click.ClickException) as error:
        assert "\n" not in str(error) or isinstance(error, click.ClickException), (said, verb)
    except Exception as error:
        raise AssertionError(f"{verb} after {said}: {type(error).__name__}: {error}") from error
    assert time.monotonic() - started < LONGEST, (said, verb)


MUTATIONS = (mutate_index, mutate_index, mutate_table, mutate_table, mutate_recipe, mutate_json)


def _checked(examples: int, originals: dict[str, Path], place: Path) -> None:
    survives(
        originals,
        place,
        lambda out, draw: "nothing",
        lambda strategy: "composites" if "layers" in repr(strategy) else "verify",
    )
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    try_examples(examples, lambda data: survives(originals, place, data.draw(st.sampled_from(MUTATIONS)), data.draw))
    assert (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) << 10 < MOST_MEMORY


def test_a_hundred_changed_datasets(originals: dict[str, Path], place: Path) -> None:
    _checked(100, originals, place)


@pytest.mark.slow
@pytest.mark.timeout(3600)
def test_a_thousand_changed_datasets(originals: dict[str, Path], place: Path) -> None:
    _checked(1000, originals, place)
