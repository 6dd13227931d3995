"""Names that others chose, printed, logged and tabled: no terminal obeys them, no spreadsheet computes them."""

from __future__ import annotations

import csv
import io
import json
import logging
from pathlib import Path

import pytest
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st
from matting_data.cli.main import cli, echo_result
from matting_data.cli.terminal import say

from matting_data.foreign_text import UNPRINTABLE, csv_bytes, csv_cell, from_csv_cell, json_text, printable
from matting_data.publishing.markdown import plain
from matting_data.recipes.decisions import Decision, parse, to_csv
from matting_data.scanning.audit import read_labels
from tests.support.commands import RunCommand
from tests.support.projects import Project

EVIL = "a\x1b]0;owned\x07\x1b[2Jb\r\n\u202egnp\u2066\x9b31m\ufeff"

TEXT = st.text() | st.text("=+-@' \t\r\nab,\"\x1b\u202e")


@given(TEXT)
def test_what_is_printed_steers_nothing_and_stays_readable(text: str) -> None:
    shown = printable(text)
    assert not UNPRINTABLE.search(shown) and shown.isprintable() >= text.isprintable()
    assert printable(shown) == shown
    shown.encode()
    assert printable("Łódź 写真 é – ‘x’ 👩‍👧.jpg") == "Łódź 写真 é – ‘x’ 👩‍👧.jpg"


@given(st.recursive(TEXT | st.integers() | st.none(), lambda inner: st.dictionaries(TEXT, inner) | st.lists(inner)))
def test_json_for_a_terminal_is_the_same_json(value: object) -> None:
    text = json_text(value)
    assert json.loads(text) == value
    assert not UNPRINTABLE.search(text.replace("\n", ""))


@given(TEXT)
def test_a_cell_is_no_formula_and_reads_back(text: str) -> None:
    cell = csv_cell(text)
    assert not cell.lstrip().startswith(("=", "+", "-", "@")) and not cell.startswith(("\t=", "\r="))
    assert from_csv_cell(cell) == text


@given(st.lists(st.lists(TEXT.filter(lambda text: "\0" not in text), min_size=2, max_size=2)))
def test_a_table_reads_back(rows: list[list[str]]) -> None:
    content = csv_bytes(("a", "b"), rows).decode()
    found = list(csv.reader(io.StringIO(content, newline="")))
    assert [[from_csv_cell(cell) for cell in row] for row in found[1:]] == rows


def test_numbers_stay_numbers() -> None:
    assert csv_bytes(("n", "m"), [(-0.5, -1), ("-0.5", "=1")]).decode().splitlines()[1:] == ["-0.5,-1", "'-0.5,'=1"]


@given(who=st.text("=+-@'ab ", min_size=1).filter(str.strip), why=st.text("=+-@'ab,\n\""))
def test_decisions_read_back(who: str, why: str) -> None:
    row = Decision("background", "photos-1", "reject", who.strip(), "2026-01-01T00:00:00Z", why.strip())
    assert parse(to_csv([row]).decode(), "x") == [row]


def test_lines_of_the_command_stay_lines(capsys: pytest.CaptureFixture[str]) -> None:
    say(f"name {EVIL}", "two")
    echo_result(False, {}, [EVIL])
    echo_result(True, {"name": EVIL}, [])
    out = capsys.readouterr().out
    assert out.splitlines()[1] == "two" and len(out.splitlines()) == 3 + 3
    assert not UNPRINTABLE.search(out.replace("\n", ""))
    assert "\\x1b]0;owned\\x07" in out and "\\u202e" in out


def test_no_module_of_the_command_prints_otherwise() -> None:
    """Where `say` is passed by, the text is JSON, what a formatter made, or the cursor's move of ``status --watch``."""
    folder = Path(__file__).parents[2] / "cli"
    direct = {path.name: path.read_text().count("click.echo(") for path in folder.glob("*.py")}
    assert {name: count for name, count in direct.items() if count} == {
        "logs.py": 1, "main.py": 1, "status.py": 1, "terminal.py": 1,
    }  # fmt: skip
    assert not [path.name for path in folder.glob("*.py") if "print(" in path.read_text().replace("printable(", "")]


@pytest.mark.parametrize("verbose", ["-v", "-vv"])
def test_logs_show_names_as_escapes(tmp_path: Path, verbose: str) -> None:
    place = tmp_path / "x\x1b[31m\u202e"
    log = tmp_path / "log.txt"
    told = CliRunner().invoke(cli, ["verify", str(place), verbose, "--log-file", str(log)])
    assert isinstance(told.exception, Exception)
    logging.getLogger("matting_data.upkeep").warning("odd %s", place)
    try:
        raise ValueError(str(place))
    except ValueError:
        logging.getLogger("matting_data.upkeep").exception("odd")
    said = log.read_text()
    assert "\\x1b[31m" in said and not UNPRINTABLE.search(said.replace("\n", ""))


def test_errors_show_names_as_escapes(command: RunCommand, tmp_path: Path) -> None:
    for arguments in (
        ("verify", tmp_path / "no\x1b[31mne\nthing"),
        ("plan", tmp_path / "no\x1b[31mne"),
        ("plan", "sample", "--set", "x\x1b[31m=1"),
        ("export", tmp_path, "--to", "x\x1b[31m", "--out", "y"),
        ("ve\x1b[31mrify",),
        ("verify", "--ba\x1b[31mse"),
    ):
        code, out, err = command(*arguments)
        assert code == 2 and not UNPRINTABLE.search((out + err).replace("\n", "")), (arguments, err)


def test_names_of_files_are_shown_as_escapes_everywhere(project: Project, command: RunCommand, tmp_path: Path) -> None:
    for number, name in enumerate(("p\x1b[31mx.png", "p\u202ey.png")):
        project.add_person(number).rename(project.root / "people" / name)
    (project.root / "people" / "bad\x1b]0;t\x07.png").write_bytes(b"no image")
    project.add_photo(0).rename(project.root / "photos" / "=HYPERLINK(x)\x1b[5m.jpg")
    (project.root / "photos" / "bad\x1b[2J.jpg").write_bytes(b"no image")
    recipe, out = project.write_recipe(), project.out
    for arguments in (
        ("foregrounds", "check", recipe, "--out", out, "--workers", "1"),
        ("plan", recipe, "--workers", "1"),
        ("build", recipe, "--out", out, "--workers", "1", "-vv"),
        ("status", out),
        ("stats", out),
        ("stats", out, "--json"),
        ("audit", out, "--to", tmp_path / "audit"),
    ):
        _, said, err = command(*arguments)
        assert not UNPRINTABLE.search((said + err).replace("\n", "")), (arguments, said, err)
    table = (tmp_path / "audit" / "audit.csv").read_text()
    rows = list(csv.DictReader(io.StringIO(table, newline="")))
    assert "'=HYPERLINK(x)\x1b[5m.jpg" in [row["path"] for row in rows]
    assert all(from_csv_cell(row["path"]).removeprefix("'") == from_csv_cell(row["path"]) for row in rows)
    labelled = [{**row, "person": "0"} for row in rows]
    (tmp_path / "audit.csv").write_bytes(csv_bytes(rows[0], [[*row.values()] for row in labelled]))
    assert set(read_labels(tmp_path / "audit.csv")) == {row["id"] for row in rows}
    for file in ("README.md", "ATTRIBUTION.csv"):
        assert not UNPRINTABLE.search((out / file).read_text().replace("\n", ""))


@given(TEXT)
def test_cards_hold_one_plain_line(text: str) -> None:
    assert not UNPRINTABLE.search(plain(text))
