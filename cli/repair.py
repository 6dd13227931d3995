"""``mattingdata repair``."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

import click

from .main import echo_result
from .options import base_option, dataset_place_argument, json_option, workers_option


@click.command()
@dataset_place_argument
@base_option
@workers_option
@json_option
def repair(dataset: Path | str, base: Path | None, workers: int, as_json: bool) -> int:
    """Restore the damaged and missing files of DATASET, to the same bytes, from its plan and its sources.

    What is sound is not touched, and neither is what cannot be restored. Exits with 1 when something stays damaged.
    """
    from matting_data.upkeep.repair import repair as run_repair

    result = run_repair(dataset, base, workers)
    lines = [f"{name}: restored" for name in result.repaired]
    lines += [f"{problem.file}: {problem.what}" for problem in result.problems]
    state = f"{len(result.problems)} problems stay" if result.problems else "sound"
    lines.append(f"{dataset}: {len(result.repaired)} files restored, {state}")
    echo_result(as_json, asdict(result), lines)
    return 1 if result.problems else 0
