from __future__ import annotations

from pathlib import Path

import polars as pl
import pytest

from matting_data.building.build import build
from matting_data.recipes.recipe_file import load
from matting_data.upkeep.verify import verify

RECIPE = Path(__file__).resolve().parents[2] / "benchmarks" / "shared.yaml"


@pytest.mark.slow
@pytest.mark.usefixtures("shared_data")
def test_real_photographs_become_a_sound_dataset_with_every_input_explained(tmp_path: Path) -> None:
    out = tmp_path / "out"
    index = build(load(RECIPE), out, 2).index
    ledger = index["ledger"]
    assert ledger["foregrounds"] == {"total": 146, "written": 145, "rejected": {"near_duplicate": 1}, "failed": {}}
    assert ledger["composites"] == {"total": 1450, "written": 1450, "rejected": {}, "failed": {}}
    backgrounds = ledger["backgrounds"]
    assert backgrounds["total"] == backgrounds["written"] + sum(backgrounds["rejected"].values()) == 299
    rows = pl.read_parquet(out / "ledger" / "foregrounds.parquet").filter(pl.col("outcome") == "rejected")
    assert rows["id"].to_list() == ["fine-boy_1518482"]
    assert "fine-boy-1518482_1920_12" in rows["detail"][0]
    result = verify(out, True, 24, None, 2)
    assert (result.samples, result.recomposed, result.problems) == (1450, 24, [])


@pytest.mark.slow
def test_people_labelled_in_the_backgrounds_do_not_end_up_behind_people(shared_data: Path, tmp_path: Path) -> None:
    from matting_data.planning.plan import judge_backgrounds
    from matting_data.scanning.scan import scan_backgrounds
    from matting_data.sources.opened import open_backgrounds

    recipe = load(RECIPE)
    scanned = scan_backgrounds(recipe, open_backgrounds(recipe), tmp_path, 2)
    judged = judge_backgrounds(scanned.records, recipe.recipe, scanned.thresholds)
    labels = pl.read_csv(shared_data / "person_filter" / "labels.csv").filter(pl.col("person") == 1)
    with_person = {path.rpartition("/")[2] for path in labels["path"] if path.startswith("backgrounds/")}
    found = [record for record in judged if record.path.rpartition("/")[2] in with_person]
    assert len(found) >= 10
    assert sum(record.state != "ok" for record in found) >= 0.9 * len(found)
