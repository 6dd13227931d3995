"""``mattingdata build``."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from .main import echo_json, echo_notes
from .options import executor_options, json_option, recipe_options
from .terminal import say

if TYPE_CHECKING:
    from matting_data.recipes.recipe_file import LoadedRecipe
    from matting_data.running.executor import Workers


@click.command()
@recipe_options
@executor_options
@click.option("--on-error", type=click.Choice(["skip", "stop"]),
              help="Go on without what fails, also without inputs that the system refuses to read, or stop at more "
                   "than --max-errors failures.  [default: go on, but not without such inputs]")  # fmt: skip
@click.option("--max-errors", type=click.IntRange(0), default=0, show_default=True,
              help="Exit with 1 when more inputs and composites than this failed.")  # fmt: skip
@click.option("--retry-failed/--keep-failed", default=True, show_default=True,
              help="Try again what an earlier run could not make, or leave its shards as they are.")  # fmt: skip
@click.option("--append", is_flag=True,
              help="Add to the dataset in --out what RECIPE asks for beyond it: more foregrounds, backgrounds or "
                   "composites a foreground. Finished shards stay as they are.")  # fmt: skip
@json_option
def build(loaded: LoadedRecipe, out: Path | str, workers: Workers, append: bool, as_json: bool, **failures: Any) -> int:
    """Build the dataset that RECIPE describes, or continue one that was interrupted.

    RECIPE is a YAML file or the name of a bundled recipe; without one, the bundled sample is built, which needs no
    input. The same command on the same folder continues: finished shards stay. A recipe that asks for something else
    than what the folder was begun with is refused; one that only asks for more is added with --append.
    """
    from matting_data.building.build import build as run_build
    from matting_data.publishing.statistics import incomplete_lines, ledger_lines
    from matting_data.rendering.failures import FailurePolicy, most_frequent

    on_error = failures["on_error"]
    policy = FailurePolicy(on_error == "stop", failures["max_errors"], failures["retry_failed"], on_error == "skip")
    started = time.monotonic()
    result = run_build(loaded, out, workers, policy, append)
    index = result.index
    if as_json:
        echo_json({"out": str(out), "seconds": round(time.monotonic() - started, 2), **index})
    else:
        samples = sum(split["num_samples"] for split in index["splits"].values())
        shards = sum(len(split["shards"]) for split in index["splits"].values())
        say(f"{out}: {samples} composites in {shards} shards ({time.monotonic() - started:.1f} s)")
        for line in [*ledger_lines(index["ledger"]), *incomplete_lines(index)]:
            say(line)
        for reason in most_frequent(result.failures):
            say(f"failed: {reason}")
        echo_notes(index["notes"])
        say(f"content {index['content_sha256']}")
    return 1 if result.failed > policy.max_errors else 0
