from __future__ import annotations

import csv
import json
from pathlib import Path

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from matting_data.building.filter import filter_backgrounds
from matting_data.errors import UsageError
from matting_data.humans.audit_sample import draw_sample, estimate, stratum_of, wilson
from matting_data.imaging import encode
from matting_data.records.judged import JudgedBackground
from matting_data.scanning.audit import rates, read_labels, write_sample
from matting_data.upkeep.verify import verify
from tests.support.projects import Project, draw_photo


def kept(count: int, source: str = "a", tier: str = "") -> list[JudgedBackground]:
    return [JudgedBackground(f"{source}-{tier}-{n:05d}", source, f"{n}.jpg", tier=tier) for n in range(count)]


def test_a_filter_judges_every_background_and_shows_each_reason(project: Project) -> None:
    (project.root / "photos" / "tiny.jpg").write_bytes(encode.jpeg(draw_photo(1, (20, 20))))
    result = filter_backgrounds(project.load(), project.out, 1)
    assert result.summary == {
        "total": 13,
        "written": 12,
        "rejected": {"too_small": 1},
        "failed": {},
        "tiers": {"photos": {"found": 13, "kept": 12}},
        "notes": [],
    }
    assert json.loads((project.out / "filter.json").read_text()) == result.summary
    table = pl.read_parquet(project.out / "backgrounds.parquet")
    assert table.filter(pl.col("state") == "ok")["reason"].unique().to_list() == ["not_examined"]
    assert (project.out / "reasons.png").stat().st_size > 5000


def test_another_threshold_takes_no_new_inference(project: Project) -> None:
    detector = "backgrounds.humans.detector=default"
    all_kept = filter_backgrounds(project.load(detector, "backgrounds.humans.threshold=1"), project.out, 1)
    saved = {path: path.stat().st_mtime_ns for path in (project.out / ".work").rglob("*.parquet")}
    scores = sorted(record.score for record in all_kept.backgrounds if record.score is not None)
    lower = f"backgrounds.humans.threshold={scores[len(scores) // 2]}"
    fewer = filter_backgrounds(project.load(detector, lower, "backgrounds.humans.review_band=0"), project.out, 1)
    assert fewer.summary["written"] < all_kept.summary["total"]
    assert {path: path.stat().st_mtime_ns for path in (project.out / ".work").rglob("*.parquet")} == saved


def test_a_sample_is_labelled_and_gives_rates(project: Project, tmp_path: Path) -> None:
    project.build()
    drawn = write_sample(project.out, tmp_path / "audit", 5, 0)
    table = tmp_path / "audit" / "audit.csv"
    assert len(drawn) == 12 and (tmp_path / "audit" / "audit-000.png").is_file()
    with pytest.raises(UsageError, match="exists and may hold labels"):
        write_sample(project.out, tmp_path / "audit", 5, 0)
    rows = list(csv.DictReader(table.open()))
    assert read_labels(table) == {}
    for number, row in enumerate(rows):
        row["person"] = "1" if number < 3 else "0" if number < 10 else ""
    with table.open("w", newline="") as stream:
        writer = csv.DictWriter(stream, rows[0])
        writer.writeheader()
        writer.writerows(rows)
    whole = rates(project.out, read_labels(table))[-1]
    assert (whole.stratum, whole.kept, whole.labelled, whole.persons) == ("all", 12, 10, 3)
    assert whole.share == pytest.approx(0.3)
    assert json.loads((project.out / "audit.json").read_text())[-1]["persons"] == 3


def test_what_a_filter_kept_can_be_audited_and_built_upon(project: Project, tmp_path: Path) -> None:
    filter_backgrounds(project.load(), project.out, 1)
    assert len(write_sample(project.out, tmp_path / "audit", 5, 0)) == 12
    rates(project.out, {"photos-b00": False})
    project.build()
    assert verify(project.out, True, 4, None, 1).problems == []


def test_a_filter_does_not_touch_a_built_dataset(project: Project) -> None:
    project.build()
    with pytest.raises(UsageError, match="holds a built dataset"):
        filter_backgrounds(project.load("backgrounds.min_side=41"), project.out, 1)
    assert verify(project.out, True, 4, None, 1).problems == []


def test_mistakes_in_labels_are_one_sentence(project: Project, tmp_path: Path) -> None:
    project.build()
    table = tmp_path / "audit.csv"
    table.write_text("id,person\nphotos-b00,maybe\n")
    with pytest.raises(UsageError, match="line 2: person is 'maybe'; write 1"):
        read_labels(table)
    table.write_text("id,person\nphotos-b00,1\nphotos-b00,0\n")
    with pytest.raises(UsageError, match="line 3: 'photos-b00' is labelled twice"):
        read_labels(table)
    with pytest.raises(UsageError, match="none of the 1 labels is of a background"):
        rates(project.out, {"elsewhere": True})
    with pytest.raises(UsageError, match=r"2 labels are of no background of .*, such as 'Photos-b01': use its audit"):
        rates(project.out, {"photos-b00": False, "elsewhere": True, "Photos-b01": True})
    with pytest.raises(UsageError, match="holds no filtered backgrounds"):
        rates(tmp_path, {"x": True})


def test_wilson_is_wilson_s() -> None:
    # Newcombe 1998, table I: 81 of 263, 15 of 148, 0 of 20, 1 of 29
    expected = {
        (81, 263): (0.2553, 0.3662),
        (15, 148): (0.0624, 0.1605),
        (0, 20): (0.0, 0.1611),
        (1, 29): (0.0061, 0.1718),
    }
    for (successes, trials), interval in expected.items():
        assert wilson(successes, trials) == pytest.approx(interval, abs=5e-5)
    assert wilson(0, 0) == (0.0, 1.0)


@given(st.lists(st.integers(1, 300), min_size=1, max_size=5), st.integers(1, 500))
def test_a_sample_takes_of_every_stratum_at_least_thirty_or_all(sizes: list[int], count: int) -> None:
    records = [record for n, size in enumerate(sizes) for record in kept(size, "s", f"t{n}")]
    sample = draw_sample(records, count, 1)
    assert len({record.id for record in sample}) == len(sample)
    for n, size in enumerate(sizes):
        taken = sum(record.tier == f"t{n}" for record in sample)
        assert min(size, 30) <= taken <= size


def test_the_whole_weighs_strata_by_their_size() -> None:
    large, small = kept(9000, "s", "large"), kept(1000, "s", "small")
    labels = {record.id: number < 10 for number, record in enumerate(large[:100])}
    labels |= {record.id: number < 50 for number, record in enumerate(small[:100])}
    *strata, whole = estimate([*large, *small], labels)
    assert [rate.share for rate in strata] == [0.1, 0.5]
    assert whole.share == pytest.approx(0.9 * 0.1 + 0.1 * 0.5)
    assert whole.low < whole.share < whole.high
    assert stratum_of(large[0]) == "s/large"


def test_nobody_found_still_has_an_upper_limit() -> None:
    records = kept(500)
    whole = estimate(records, {record.id: False for record in records[:300]})[-1]
    assert whole.share == 0 and 0.005 < whole.high < 0.02
