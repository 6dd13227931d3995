"""Records and their Parquet tables."""

from __future__ import annotations

import dataclasses
import hashlib
from pathlib import Path
from types import NoneType
from typing import Any, Literal, get_args, get_origin, get_type_hints

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from matting_data.errors import DamageError
from matting_data.records.checked import CheckedForeground
from matting_data.records.columns import schema
from matting_data.records.judged import JudgedBackground
from matting_data.records.ledger_row import LedgerRow
from matting_data.records.planned import PlannedBackground, PlannedComposite, PlannedForeground
from matting_data.records.stored import Sample
from matting_data.records.tables import from_table, read_table, to_table, write_parquet, write_table
from tests.support.synthetic import write

KINDS = [CheckedForeground, JudgedBackground, PlannedComposite, Sample, LedgerRow]
VALUES: dict[Any, st.SearchStrategy[Any]] = {
    str: st.text(max_size=8),
    int: st.integers(-(2**63), 2**63 - 1),
    float: st.floats(allow_nan=False),
    NoneType: st.none(),
}


def values_of(hint: Any) -> st.SearchStrategy[Any]:
    if get_origin(hint) is list:
        return st.lists(values_of(get_args(hint)[0]), max_size=3)
    if get_origin(hint) is Literal:
        return st.sampled_from(get_args(hint))
    if dataclasses.is_dataclass(hint):
        return records_of(hint)
    return st.one_of(*map(values_of, get_args(hint))) if get_args(hint) else VALUES[hint]


def records_of(kind: Any) -> st.SearchStrategy[Any]:
    return st.builds(kind, **{name: values_of(hint) for name, hint in get_type_hints(kind).items()})


@st.composite
def tables(draw: st.DrawFn) -> tuple[type, list[Any]]:
    kind: Any = draw(st.sampled_from(KINDS))
    return kind, draw(st.lists(records_of(kind), max_size=3))


@given(tables())
@settings(deadline=None, max_examples=60)
def test_records_come_back_equal_from_their_table(table: tuple[type, list[Any]]) -> None:
    kind, rows = table
    made = to_table(rows, kind)
    assert made.columns == [field.name for field in dataclasses.fields(kind)]
    assert made.height == len(rows)
    assert from_table(made, kind) == rows


@pytest.mark.parametrize("kind", KINDS)
def test_an_empty_table_has_all_columns_with_their_types(tmp_path: Path, kind: Any) -> None:
    write_table(tmp_path / "t.parquet", [], kind)
    table = pl.read_parquet(tmp_path / "t.parquet")
    assert dict(table.schema) == schema(kind)
    assert read_table(tmp_path / "t.parquet", kind) == []


def test_a_file_is_written_with_its_hash_the_same_each_time_and_with_its_metadata(tmp_path: Path) -> None:
    rows = [LedgerRow("a", "s", "p", "rejected", "too_small", "é", ["w"]), LedgerRow("b", "s", "p", "written")]
    one = write_table(tmp_path / "a" / "1.parquet", rows, LedgerRow, {"key": "wert"})
    two = write_table(tmp_path / "2.parquet", iter(rows), LedgerRow, {"key": "wert"})
    assert one == two == hashlib.sha256((tmp_path / "2.parquet").read_bytes()).hexdigest()
    assert read_table(tmp_path / "2.parquet", LedgerRow) == rows
    assert pl.read_parquet_metadata(tmp_path / "2.parquet")["key"] == "wert"
    assert write_table(tmp_path / "3.parquet", rows[::-1], LedgerRow) != one


def test_further_columns_are_ignored_and_their_order_does_not_matter() -> None:
    rows = [LedgerRow("a", "s", "p", "written")]
    table = to_table(rows, LedgerRow).with_columns(pl.lit(1).alias("new"))
    assert from_table(table.select(table.columns[::-1]), LedgerRow) == rows


def test_a_missing_damaged_or_foreign_file_is_damage_in_one_sentence(tmp_path: Path) -> None:
    foreign = tmp_path / "foreign.parquet"
    pl.DataFrame({"id": ["a"]}).write_parquet(foreign)
    text, cut = write(tmp_path / "text.parquet", b"no parquet"), tmp_path / "cut.parquet"
    write_table(cut, [LedgerRow("a", "s", "p", "written")], LedgerRow)
    cut.write_bytes(cut.read_bytes()[:-20])
    for path in (tmp_path / "missing.parquet", text, cut, foreign):
        with pytest.raises(DamageError) as caught:
            read_table(path, LedgerRow)
        message = str(caught.value)
        assert message.startswith(f"{path} cannot be read (")
        assert message.endswith("): run 'mattingdata build' again")
        assert "\n" not in message


def test_tables_of_versions_before_a_column_came_are_read_without_it(tmp_path: Path) -> None:
    table = to_table([CheckedForeground("s-a", "s", "a.png")], CheckedForeground)
    path = tmp_path / "foregrounds.parquet"
    write_parquet(path, table.drop("profile"))
    assert read_table(path, CheckedForeground) == [CheckedForeground("s-a", "s", "a.png")]
    write_parquet(path, table.drop("fingerprint"))
    with pytest.raises(DamageError):
        read_table(path, CheckedForeground)


def test_a_profile_decides_bytes_only_where_there_is_one() -> None:
    """Plans and shards of versions that knew no profiles keep their hashes."""
    person = CheckedForeground("s-a", "s", "a.png", split="train", image_sha256="0", width=1, height=1)
    photo = JudgedBackground("s-b", "s", "b.png", split="train", sha256="0", format="PNG", mode="RGB")
    for kind, record in ((PlannedForeground, person), (PlannedBackground, photo)):
        plain, wide = kind.of(record).decides, kind.of(dataclasses.replace(record, profile="Display P3")).decides
        assert "profile" in {field.name for field in dataclasses.fields(kind)}
        assert wide == (*plain, "Display P3")
