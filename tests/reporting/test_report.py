"""The report is one file that needs nothing beside it and shows what it is given as text."""

from __future__ import annotations

import base64
import io
import re
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from matting_data.errors import UsageError
from matting_data.publishing.markdown import plain, table
from matting_data.recipes.decisions import Decision, append
from matting_data.reporting.charts import histogram
from matting_data.reporting.contact_sheet import contact_sheet
from matting_data.reporting.html import from_markdown
from matting_data.reporting.report import report, write_report
from tests.support.projects import Project

_EVIL = "<script>alert(1)</script>"


class Elements(HTMLParser):
    """Lists the elements of a page, and everything they refer to; a page that is not well nested fails."""

    VOID = frozenset({"meta", "img", "br", "rect", "line"})

    def __init__(self, page: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.names: list[str] = []
        self.references: list[str] = []
        self.text = ""
        self.feed(page)
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.names.append(tag)
        self.references += [value or "" for name, value in attrs if name in ("src", "href", "srcset", "data")]
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.names.append(tag)

    def handle_endtag(self, tag: str) -> None:
        if tag not in self.VOID:
            assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += data


def test_a_report_is_one_whole_file(project: Project) -> None:
    project.recipe["backgrounds"]["sources"][0]["license"] = "CC BY 4.0 <b>*really*</b>"
    project.recipe["overrides"] = "o.csv"
    note = Decision(
        "background", "photos-b01", "human", "ann & bob", "2025-01-01T00:00:00Z", "<script>alert(1)</script>"
    )
    append(project.root / "o.csv", [note])
    result = project.build()
    size = write_report(project.out, project.root / "r.html", 6)
    page = (project.root / "r.html").read_text()
    assert size == len(page.encode()) < 3_500_000
    found = Elements(page)
    assert [reference[:23] for reference in found.references] == ["data:image/jpeg;base64,"]
    assert "script" not in found.names and "link" not in found.names and "url(" not in page
    assert found.names.count("svg") == 5
    picture = Image.open(io.BytesIO(base64.b64decode(found.references[0].partition(",")[2])))
    sheet = contact_sheet(project.out, 6)
    assert np.abs(np.asarray(picture, np.int16) - sheet).mean() < 4
    for expected in ("project 1.0.0", result.index["content_sha256"], "override_human", "CC BY 4.0 <b>*really*</b>"):
        assert expected in found.text
    assert "human by ann & bob on 2025-01-01T00:00:00Z: " + _EVIL in found.text


def test_layers_have_the_sheet_and_report_of_their_composites(project: Project, tmp_path: Path) -> None:
    project.build()
    project.build("store.kind=layers", "store.image=png", out=tmp_path / "layers")
    difference = np.abs(contact_sheet(project.out, 4).astype(int) - contact_sheet(tmp_path / "layers", 4))
    assert difference.mean() < 1  # the composites are JPEG
    assert "layers, composed when read" in report(tmp_path / "layers", 4)


def test_no_dataset_is_said(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="holds no dataset"):
        report(tmp_path)


def test_markdown_becomes_html_and_what_it_escapes_stays_text() -> None:
    odd = "a|b *c* `d` [e](f) <g> \\h _i_ & #j"
    page = from_markdown("## " + plain(odd) + "\n\n" + table(["x", plain(odd)], [["**1**", "`2`"]], right=1))
    assert Elements(page).text.count(odd) == 2
    assert "<strong>1</strong>" in page and '<td class="right"><code>2</code></td>' in page
    assert from_markdown("- a\n- b") == "<ul><li>a</li><li>b</li></ul>"


def test_bars_count_every_value() -> None:
    svg = histogram("t", {"train": [0.0, 0.1, 0.1, 1.0], "test": [0.5]}, bins=4)
    assert sum(int(n) for n in re.findall(r": (\d+) train<", svg)) == 4
    assert sum(int(n) for n in re.findall(r": (\d+) test<", svg)) == 1
    whole = histogram("t", {"train": [1.0, 2.0, 2.0]}, whole=True)
    assert re.findall(r">([\d.]+ to [\d.]+): (\d) train<", whole) == [("0.5 to 1.5", "1"), ("1.5 to 2.5", "2")]
    assert "<rect" not in histogram("t", {"train": []})
