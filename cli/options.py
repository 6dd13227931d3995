"""Options that several verbs share."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click
from click.core import ParameterSource

from matting_data.errors import UsageError

if TYPE_CHECKING:
    from matting_data.running.executor import Workers

Command = TypeVar("Command", bound=Callable[..., Any])

_PATH = click.Path(path_type=Path)


class _Folder(click.Path):
    """A folder; a URL would else become one of that name."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        if isinstance(value, str) and "://" in value:
            self.fail(f"{value} is a URL, and this command works on folders: copy the dataset here first", param, ctx)
        return super().convert(value, param, ctx)


class _Place(click.Path):
    """A folder, or a URL of a protocol that fsspec knows, which stays a string."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        if isinstance(value, str) and "://" in value:
            return value.rstrip("/")
        return super().convert(value, param, ctx)


PLACE = _Place(path_type=Path)


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
    return click.argument("dataset", type=_Folder(path_type=Path))(command)


def dataset_place_argument(command: Command) -> Command:
    """``DATASET``: the folder or the URL of a build."""
    return click.argument("dataset", type=PLACE)(command)


def json_option(command: Command) -> Command:
    """``--json``."""
    return click.option("--json", "as_json", is_flag=True, help="Print the result as JSON.")(command)


def workers_option(command: Command) -> Command:
    """``--workers``: all processors by default."""
    from matting_data.running.executor import default_workers

    return click.option(
        "--workers",
        type=click.IntRange(1, 256),
        default=default_workers,
        show_default="all processors",
        help="Processes; the result does not depend on it.",
    )(command)


def executor_options(command: Command) -> Command:
    """``--executor`` and ``--ray-address``; :func:`where_to_run` makes one of them and ``--workers``."""
    command = click.option(
        "--ray-address",
        metavar="ADDRESS",
        help="Cluster of --executor ray.  [default: RAY_ADDRESS, or the one on this machine, or a new one]",
    )(command)
    return click.option(
        "--executor",
        type=click.Choice(["local", "ray"]),
        default="local",
        show_default=True,
        help="Processes of this machine, or a Ray cluster (there, --workers is by default all it has).",
    )(command)


def where_to_run(workers: int, executor: str, ray_address: str | None) -> Workers:
    """Return what runs a command's work; UsageError where Ray is asked for in vain."""
    if executor == "local":
        if ray_address is not None:
            raise UsageError(f"--ray-address {ray_address} goes with --executor ray: add it, or leave the address out")
        return workers
    from matting_data.running.ray_cluster import RayExecutor

    given = click.get_current_context().get_parameter_source("workers") is not ParameterSource.DEFAULT
    return RayExecutor(ray_address, workers if given else None)


def out_option(command: Command) -> Command:
    """``--out``, a folder or a URL; default ``out/<name of the recipe>``."""
    text = "Where to build: a folder, or a URL such as s3://bucket/prefix.  [default: out/<name of the recipe>]"
    return click.option("--out", type=PLACE, help=text)(command)


def out_folder_option(command: Command) -> Command:
    """``--out``, a folder; default ``out/<name of the recipe>``."""
    text = "Where to write.  [default: out/<name of the recipe>-filter]"
    return click.option("--out", type=_Folder(path_type=Path), help=text)(command)
