from __future__ import annotations

import csv
import io
import json

import numpy as np
import pytest
from numpy.typing import NDArray

from matting_data.errors import UsageError
from matting_data.evaluation import table_formats
from matting_data.evaluation.bootstrap import intervals
from matting_data.evaluation.conventions import CONVENTIONS
from matting_data.evaluation.score_columns import FIELD, PAPER_LIKELY, PAPER_LITERAL, view_of
from matting_data.evaluation.scoring import ImageScore
from matting_data.evaluation.table import tabulate


def score(key: str, sad: float = 2000.0, subset: str = "a", source: str = "s", person: str = "") -> ImageScore:
    values = {"mse": 0.002881, "mad": sad / 1e6, "sad": sad, "gradient": 3 * sad, "connectivity": sad / 2}
    return ImageScore(key, subset, person or key, "b", source, 1000, 1000, 1_000_000, values)


def test_the_three_views_of_one_image() -> None:
    one = score("x", sad=12060.0)
    field, literal, likely = (
        {column.metric: column.value(one.values, one.pixels) for column in view.columns}
        for view in (FIELD, PAPER_LITERAL, PAPER_LIKELY)
    )
    assert field == pytest.approx(
        {"mse": 0.002881, "mad": 0.01206, "sad": 12.06, "gradient": 36.18, "connectivity": 6.03}
    )
    assert literal == pytest.approx({"mse": 28.81, "sad": 1.206, "gradient": 36.18, "connectivity": 6.03})
    assert likely == pytest.approx(literal | {"sad": 12.06})


def test_means_are_of_images_and_groups_are_by_subset_and_source() -> None:
    table = tabulate(
        [score("1", 1000, "a", "s"), score("2", 2000, "a", "t"), score("3", 6000, "b", "t"), score("4", 3000, "", "")]
    )
    found = {group.label: (group.images, group.cells[0][2].mean) for group in table.groups}
    assert found == {
        "all": (4, 3.0),
        "subset: a": (2, 1.5),
        "subset: b": (1, 6.0),
        "background source: s": (1, 1.0),
        "background source: t": (2, 4.0),
    }


def test_tables_do_not_depend_on_the_order_of_images() -> None:
    scores = [score(str(n), 1000 + 77.7 * n, "ab"[n % 2], "st"[n % 3 == 0], f"p{n // 3}") for n in range(20)]
    assert tabulate(scores) == tabulate(reversed(scores))
    assert tabulate(scores, seed=1) != tabulate(scores, seed=0)


def interval(values: NDArray[np.float64], clusters: list[str], seed: int = 0, draws: int = 2000) -> tuple[float, float]:
    """The interval of the only column."""
    (found,) = intervals(values, clusters, "all", seed, draws)
    assert found is not None
    return found


def test_intervals_resample_people_not_pictures() -> None:
    rng = np.random.default_rng(0)
    people = np.repeat(rng.normal(10, 2, 25), 40)
    values = (people + rng.normal(0, 0.01, people.size))[:, None]
    of_person = [f"p{n // 40}" for n in range(people.size)]
    means = values.reshape(25, 40).mean(axis=1)
    order = rng.permutation(people.size)
    values, of_person = values[order], [of_person[n] for n in order]
    low, high = interval(values, of_person)
    narrow_low, narrow_high = interval(values, [str(n) for n in range(people.size)])
    expected = 2 * 1.96 * means.std(ddof=1) / 5
    assert high - low == pytest.approx(expected, rel=0.15)
    assert narrow_high - narrow_low == pytest.approx(expected / np.sqrt(40), rel=0.15)
    assert low < values.mean() < high


def test_an_interval_covers_the_mean_about_as_often_as_it_says() -> None:
    rng = np.random.default_rng(1)
    covered = 0
    for trial in range(200):
        values = rng.gamma(2.0, 1.0, (30, 1))
        low, high = interval(values, [str(n) for n in range(30)], trial, 500)
        covered += low <= 2.0 <= high
    assert 0.86 <= covered / 200 <= 0.98


def test_intervals_are_seeded_and_need_two_people() -> None:
    values = np.random.default_rng(2).random((24, 2))
    names = list("abcdefghijkl") * 2
    assert intervals(values, names, "all") == intervals(values, names, "all")
    assert intervals(values, names, "all") != intervals(values, names, "all", seed=1)
    assert intervals(values, names, "all") != intervals(values, names, "subset x")
    assert intervals(values, ["a"] * 24, "all") == [None, None]


def test_what_was_not_scored_is_counted_and_leaves_the_means_alone() -> None:
    table = tabulate(
        [score("1"), ImageScore("2", reason="missing"), ImageScore("3", reason="size"), ImageScore("4", reason="size")]
    )
    assert table.failed == {"missing": 1, "size": 2}
    assert table.groups[0].images == 1
    assert "not scored: 1 missing, 2 size" in table_formats.text(table)
    with pytest.raises(UsageError, match=r"no image could be scored \(1 missing\)"):
        tabulate([ImageScore("2", reason="missing")])


@pytest.fixture
def scores() -> list[ImageScore]:
    return [
        score("1", 1234.5678, "single_frontal"),
        score("2", 2345.6789, "multiple"),
        ImageScore("3", "multiple", reason="size", detail="a, b"),
    ]


def test_csv_holds_every_digit(scores: list[ImageScore]) -> None:
    table = tabulate(scores)
    rows = list(csv.DictReader(io.StringIO(table_formats.summary_csv(table))))
    sad = next(row for row in rows if row["kind"] == "all" and row["column"] == "SAD/1e3")
    assert float(sad["mean"]) == table.groups[0].cells[0][2].mean
    assert float(sad["low"]) <= float(sad["mean"]) <= float(sad["high"])
    assert next(row for row in rows if row["name"] == "multiple")["low"] == ""
    images = list(csv.DictReader(io.StringIO(table_formats.images_csv(scores))))
    assert [float(row["sad"]) for row in images[:2]] == [1234.5678, 2345.6789]
    assert (images[2]["sad"], images[2]["reason"], images[2]["detail"]) == ("", "size", "a, b")


def test_json_markdown_and_latex(scores: list[ImageScore]) -> None:
    table = tabulate(scores)
    mapping = json.loads(json.dumps(table_formats.as_mapping(table)))
    assert mapping["groups"][0]["field"]["sad"]["mean"] == table.groups[0].cells[0][2].mean
    assert mapping["groups"][1]["field"]["sad"]["interval"] is None
    assert mapping["failed"] == {"size": 1}
    lines = table_formats.markdown(table).splitlines()
    header = next(number for number, line in enumerate(lines) if line.startswith("|"))
    assert len({line.count("|") for line in lines[header : header + 5]}) == 1
    assert "| subset: multiple | 1 | 0.002881 |" in table_formats.markdown(table)
    latex = table_formats.latex(table)
    assert r"subset: single\_frontal & 1 & 0.002881" in latex
    assert latex.count(r"\begin{tabular}{l") == latex.count(r"\end{tabular}") == 3
    assert not set("–·") & set(latex.replace("% ", ""))


@pytest.mark.parametrize(
    "value, shown",
    [
        (0.0028812, "0.002881"),
        (12.345678, "12.35"),
        (1234.56, "1235"),
        (0, "0.000"),
        (1e-7, "1.000e-07"),
        (9.9996, "10.00"),
        (0.00010004, "0.0001000"),
    ],
)
def test_numbers_have_four_digits(value: float, shown: str) -> None:
    assert table_formats._number(value) == shown


def test_a_convention_has_its_own_columns() -> None:
    view = view_of(CONVENTIONS["rvm"])
    assert [column.label for column in view.columns] == ["MAD", "MSE", "Grad", "Conn"]
    assert view.columns[0].value({"mad": 4.5}, 100) == 4.5
