"""Options that several verbs share."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

Command = TypeVar("Command", bound=Callable[..., Any])

_PATH = click.Path(path_type=Path)


def recipe_argument(command: Command) -> Command:
    """``[RECIPE]`` and ``--set``."""
    command = click.option(
        "--set",
        "overrides",
        multiple=True,
        metavar="KEY=VALUE",
        help="Override a key of the recipe, for instance composites.per_foreground=5. Repeatable.",
    )(command)
    return click.argument("recipe", required=False, type=_PATH)(command)


def dataset_argument(command: Command) -> Command:
    """``DATASET``: the folder of a build."""
    return click.argument("dataset", type=_PATH)(command)


def json_option(command: Command) -> Command:
    """``--json``."""
    return click.option("--json", "as_json", is_flag=True, help="Print the result as JSON.")(command)


def workers_option(command: Command) -> Command:
    """``--workers``: all processors by default."""
    from matting_data.building.executor import default_workers

    return click.option(
        "--workers",
        type=click.IntRange(1, 256),
        default=default_workers,
        show_default="all processors",
        help="Processes; the result does not depend on it.",
    )(command)


def out_option(command: Command) -> Command:
    """``--out``; default ``out/<name of the recipe>``."""
    return click.option("--out", type=_PATH, help="Where to build.  [default: out/<name of the recipe>]")(command)
