"""Inputs that vanish in mid-build."""

from __future__ import annotations

import shutil
from pathlib import Path

from tests.support.projects import Project


def vanish_after_the_scan(project: Project, path: Path, away: Path) -> None:
    """Let a file vanish between the plan and the shards, as on a disk that is unplugged."""
    import matting_data.building.build as module

    scan = module.scan_and_plan

    def once(*arguments):
        plan = scan(*arguments)
        shutil.move(path, away)
        module.scan_and_plan = scan
        return plan

    module.scan_and_plan = once
