"""What was found in a metadata folder: rows, malformed rows, ids that do not match, unknown labels, verdicts."""

from __future__ import annotations

import dataclasses
import json
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

EXAMPLES = 20
"""How many lines, ids or labels are named; the others are counted."""


@dataclass
class FileReport:
    """One file.

    Attributes
    ----------
    name, kind : str
        Path below the metadata folder, and what the file holds.
    rows : int
        Usable rows.
    malformed : dict of str to int
        Unusable rows by problem: ``blank_row``, ``column_count``, ``bad_image_id``, ``bad_label``,
        ``bad_confidence``, ``bad_flag``, ``bad_rotation``.
    lines : list of str
        The first of them as ``line 7: bad_confidence``; in Parquet files the row number, from 1.
    unterminated : bool
        Whether the last line has no line break: the download may have been cut short.
    """

    name: str
    kind: str
    rows: int = 0
    malformed: dict[str, int] = field(default_factory=dict)
    lines: list[str] = field(default_factory=list)
    unterminated: bool = False

    def add_problems(self, problems: list[tuple[int, str]]) -> None:
        """Count malformed rows, given as (line, problem)."""
        for line, problem in problems:
            self.malformed[problem] = self.malformed.get(problem, 0) + 1
            if len(self.lines) < EXAMPLES:
                self.lines.append(f"line {line}: {problem}")


@dataclass
class MetadataReport:
    """All files together.

    Attributes
    ----------
    files : list of FileReport
    ignored : list of str
        Files that are none of OpenImages' tables.
    weaker : list of str
        Which evidence is weaker for want of a file, one sentence each.
    images : int
        Images with a verdict.
    listed : int
        Images in the lists of images.
    unlisted : int
        Images in labels or boxes but in no list of images, when there is a list; `unlisted_examples` names some.
    unlabelled : int
        Listed images without any row in labels and boxes.
    repeated : int
        Rows of a list of images whose id the same list had before; `repeated_examples` names some.
    unknown_rows : int
        Rows whose label no class description knows; `unknown_labels` has the most frequent ones.
    counts : dict
        Images by ``split/tier/verdict/reason``.
    key : str
        Of the caller: of which tables, policy and lists the verdicts are.
    """

    files: list[FileReport] = field(default_factory=list)
    ignored: list[str] = field(default_factory=list)
    weaker: list[str] = field(default_factory=list)
    images: int = 0
    listed: int = 0
    unlisted: int = 0
    unlisted_examples: list[str] = field(default_factory=list)
    unlabelled: int = 0
    repeated: int = 0
    repeated_examples: list[str] = field(default_factory=list)
    unknown_rows: int = 0
    unknown_labels: dict[str, int] = field(default_factory=dict)
    counts: dict[str, int] = field(default_factory=dict)
    key: str = ""

    @property
    def malformed(self) -> int:
        """Malformed rows of all files."""
        return sum(sum(file.malformed.values()) for file in self.files)

    def by(self, part: str) -> dict[str, int]:
        """Sum the counts by one of ``split``, ``tier``, ``verdict`` and ``reason``."""
        place = ("split", "tier", "verdict", "reason").index(part)
        total: Counter[str] = Counter()
        for key, count in self.counts.items():
            total[key.split("/")[place]] += count
        return dict(total)

    def sentences(self) -> list[str]:
        """Say what a user should know, one sentence each; empty when all is as it should be."""
        said = list(self.weaker)
        for file in self.files:
            if file.malformed:
                parts = ", ".join(f"{count} {problem}" for problem, count in sorted(file.malformed.items()))
                said.append(f"{file.name}: skipped malformed rows ({parts}), the first at {file.lines[0]}")
            if file.unterminated:
                said.append(f"{file.name} ends within a line: the download may have been cut short")
        if self.unlisted:
            said.append(
                f"{self.unlisted} images have labels but are in no list of images, such as {self.unlisted_examples[0]}"
            )
        if self.repeated:
            said.append(
                f"{self.repeated} rows of a list of images repeat an id, such as {self.repeated_examples[0]}: "
                "the first row of each counts"
            )
        if self.unknown_rows:
            said.append(
                f"{self.unknown_rows} rows have labels that no class description knows, such as "
                f"{next(iter(self.unknown_labels), '')}: they count as no human"
            )
        return said

    def to_json(self) -> str:
        """Write the report as JSON."""
        return json.dumps(dataclasses.asdict(self), indent=1, ensure_ascii=False)

    @classmethod
    def from_json(cls, text: str) -> MetadataReport:
        """Read the report that :meth:`to_json` wrote."""
        return cls.of(json.loads(text))

    @classmethod
    def of(cls, values: dict[str, Any]) -> MetadataReport:
        """Make a report of its fields as plain values."""
        return cls(**{**values, "files": [FileReport(**file) for file in values["files"]]})
