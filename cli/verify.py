"""``mattingdata verify``."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import click

from .main import echo_result
from .options import base_option, dataset_place_argument, executor_options, json_option, workers_option

if TYPE_CHECKING:
    from matting_data.running.executor import Workers


@click.command()
@dataset_place_argument
@click.option("--quick", is_flag=True, help="Read no shard: compare lengths, and hash manifests and tables only.")
@click.option("--hash-only", is_flag=True, help="Hash every file, but do not decode the samples.")
@click.option("--recompose", type=click.IntRange(0), show_default="16, with --quick 0",
              help="Composites to make again from their sources and compare byte for byte.")  # fmt: skip
@base_option
@workers_option
@executor_options
@json_option
def verify(
    dataset: Path | str,
    quick: bool,
    hash_only: bool,
    recompose: int | None,
    base: Path | None,
    workers: Workers,
    as_json: bool,
) -> int:
    """Check DATASET: hashes, counts, members, sizes, alpha against trimap, and some composites against their sources.

    Exits with 1 when anything is wrong, or a source is no longer the file that the composites were made of.
    """
    from matting_data.upkeep.verify import verify as run_verify

    if recompose is None:
        recompose = 0 if quick else 16
    result = run_verify(dataset, not (quick or hash_only), recompose, base, workers, quick)
    lines = [f"{problem.file}: {problem.what}" for problem in result.problems]
    if result.problems:
        lines.append(f"'mattingdata repair {dataset}' restores what it can")
    state = f"{len(result.problems)} problems" if result.problems else "sound"
    lines.append(f"{dataset}: {result.samples} samples, {state}; {result.recomposed} recomposed from their sources")
    lines += [f"a source was altered: {what}" for what in result.altered]
    if result.skipped and recompose and not result.problems:
        lines.append(f"not all were recomposed: {result.skipped}")
    echo_result(as_json, asdict(result), lines)
    return 1 if result.problems or result.altered else 0
