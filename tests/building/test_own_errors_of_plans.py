"""Results of an earlier scan: what was kept by another version is checked again, an error of our own ends the scan."""

from __future__ import annotations

from typing import Any

import polars as pl
import pytest

from matting_data.building.estimate import estimate
from tests.support.projects import Project


def test_an_error_of_reading_results_does_not_check_everything_again(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    project.build()

    def fail(*arguments: Any) -> None:
        raise TypeError("planted")

    monkeypatch.setattr("matting_data.scanning.scan.from_table", fail)
    with pytest.raises(TypeError, match="planted"):
        project.build()


def test_results_with_other_columns_are_made_again(project: Project) -> None:
    before = project.build().index
    kept = [path for kind in ("foregrounds", "backgrounds") for path in project.out.glob(f".work/**/{kind}/*.parquet")]
    assert len(kept) == 2
    changes = [lambda table: table.drop("detail"), lambda table: table.with_columns(pl.col("detail").alias("later"))]
    for path, change in zip(kept, changes, strict=True):
        change(pl.read_parquet(path)).write_parquet(path)
    assert project.build().index == before
    assert all(path.with_name("000001.parquet").exists() for path in kept)


@pytest.mark.parametrize("error", [OSError("planted"), KeyError("planted")], ids=repr)
def test_an_error_of_measuring_is_not_a_plan_of_no_size(
    project: Project, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    def fail(*arguments: Any) -> None:
        raise error

    monkeypatch.setattr("matting_data.rendering.composites.ForegroundRenderer.render", fail)
    with pytest.raises(type(error), match="planted"):
        estimate(project.load(), project.out, 1)
