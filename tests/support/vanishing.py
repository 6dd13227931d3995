"""Inputs that change or vanish in mid-build."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from matting_data.building.scan_and_plan import scan_and_plan
from matting_data.planning.plan import Plan
from tests.support.projects import Project

_SCAN = "matting_data.building.strategies.scan_and_plan"


def after_the_scan(patch: pytest.MonkeyPatch, action: Callable[[Plan], object], times: int = 1 << 30) -> None:
    """Let something happen between the plan and the shards of the next builds."""
    left = times

    def scan(*arguments: Any) -> Plan:
        nonlocal left
        plan = scan_and_plan(*arguments)
        if left > 0:
            action(plan)
        left -= 1
        return plan

    patch.setattr(_SCAN, scan)


def vanish_after_the_scan(project: Project, path: Path, away: Path) -> None:
    """Let a file vanish between the plan and the shards of the next build, as on a disk that is unplugged."""
    del project
    after_the_scan(pytest.MonkeyPatch(), lambda plan: shutil.move(path, away), times=1)
