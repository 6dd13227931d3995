"""One version, wherever it is said."""

from __future__ import annotations

import re
from pathlib import Path

import yaml
from packaging.version import Version

from matting_data.version import __version__

ROOT = Path(__file__).resolve().parents[2]


def test_the_citation_and_the_top_of_the_changelog_name_the_version_of_the_code() -> None:
    assert yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))["version"] == __version__
    headings = re.findall(r"^## (\S+)( \(unreleased\))?$", (ROOT / "CHANGELOG.md").read_text(encoding="utf-8"), re.M)
    number, unreleased = headings[0]
    assert Version(__version__).base_version == number
    assert Version(__version__).is_devrelease == bool(unreleased)
