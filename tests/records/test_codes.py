"""The codes of tables, their documentation, and where they are raised."""

from __future__ import annotations

import ast
import re
from pathlib import Path
from typing import get_args

import pytest

from matting_data.humans.evidence import FINDINGS
from matting_data.records.codes import CheckReason, FoundReason, LabelReason, Reason, reason_of

ROOT = Path(__file__).parents[2]


def test_dataset_md_lists_every_reason_and_no_other() -> None:
    section = (ROOT / "DATASET.md").read_text().partition("## Reasons\n")[2].partition("\n## ")[0]
    listed = {
        code
        for row in section.splitlines()
        if row.startswith("| `")
        for code in re.findall(r"`(\w+)`", row.split("|")[1])
    }
    kept = set(re.findall(r"`(\w+)`", section.partition("reason for those kept")[2]))
    assert listed | kept == set(get_args(Reason))


@pytest.mark.parametrize("room", ["imaging", "sources", "scanning"])
def test_every_rejection_of_an_input_has_a_listed_reason(room: str) -> None:
    raised = {
        call.args[0].value
        for path in (ROOT / "matting_data" / room).rglob("*.py")
        for call in ast.walk(ast.parse(path.read_text()))
        if isinstance(call, ast.Call)
        and getattr(call.func, "id", "") == "RejectedInput"
        and isinstance(call.args[0], ast.Constant)
    }
    # what an annotation of SUN says is read apart, and decides no input by itself
    assert {str(code) for code in raised} - {"annotation_refused", "annotation_unreadable"} <= {
        *get_args(CheckReason),
        *get_args(FoundReason),
    }


def test_every_finding_of_labels_is_a_reason() -> None:
    assert {finding.reason for finding in FINDINGS} <= set(get_args(LabelReason))


def test_a_code_is_narrowed_or_refused() -> None:
    assert reason_of("too_small") == "too_small"
    with pytest.raises(KeyError):
        reason_of("odd")
