from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from matting_data.errors import DamageError
from matting_data.publishing.statistics import ledger_lines, read_statistics
from matting_data.reporting.contact_sheet import choose, contact_sheet, grid, tile
from matting_data.reporting.plots import draw
from tests.support.projects import Project


def test_a_sheet_shows_every_person_before_any_twice(project: Project) -> None:
    project.build()
    rows = read_statistics(project.out).rows
    assert len({row.foreground for row in choose(rows, 6)}) == 6
    assert len({row.key for row in choose(rows, 99)}) == 18


def test_a_sheet_is_always_the_same_and_holds_one_split_if_asked(built: Path) -> None:
    sheet = contact_sheet(built, 4)
    assert sheet.dtype == np.uint8 and sheet.ndim == 3
    assert (sheet == contact_sheet(built, 4)).all()
    assert (contact_sheet(built, 4, "test")[: sheet.shape[0]] != sheet).any()


def test_an_unfinished_dataset_has_no_sheet(built: Path) -> None:
    (built / "dataset.json").unlink()
    with pytest.raises(DamageError, match="unfinished"):
        contact_sheet(built)


def test_tiles_keep_their_pictures_apart() -> None:
    red, blue = np.full((40, 20, 3), (255, 0, 0), np.uint8), np.full((40, 20, 3), (0, 0, 255), np.uint8)
    picture = tile([red, blue], "caption")
    columns = np.flatnonzero((picture == (255, 0, 0)).all(axis=2).any(axis=0))
    others = np.flatnonzero((picture == (0, 0, 255)).all(axis=2).any(axis=0))
    assert columns.max() < others.min()
    assert len(columns) == len(others) == 120
    assert grid([picture] * 5, columns=2).shape[0] > 3 * picture.shape[0]


def test_statistics_count_what_was_built(built: Path) -> None:
    numbers = read_statistics(built).as_mapping()
    assert {(g["split"], g["composites"], g["foregrounds"]) for g in numbers["groups"]} == {
        ("train", 12, 4),
        ("test", 6, 2),
    }
    assert numbers["total"]["megapixels_max"] == pytest.approx(96 * 128 / 1e6, abs=5e-4)
    assert 0.1 < numbers["total"]["coverage"] < 0.9


def test_ledger_lines_name_every_reason() -> None:
    counts = {"total": 5, "written": 2, "rejected": {"too_small": 2}, "failed": {"error": 1}}
    assert ledger_lines({"x": counts}) == ["x: 5 = 2 written + 2 rejected (too_small) + 1 failed (error)"]


def test_the_plot_is_reproducible(built: Path, tmp_path: Path) -> None:
    for name in ("a.png", "b.png"):
        draw(read_statistics(built), tmp_path / name)
    assert (tmp_path / "a.png").read_bytes() == (tmp_path / "b.png").read_bytes()
