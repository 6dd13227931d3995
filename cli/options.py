"""Options that several verbs share."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar, cast

import click
from click.core import ParameterSource

from matting_data.errors import UsageError

if TYPE_CHECKING:
    from matting_data.evaluation.test_sets import EvaluationSet
    from matting_data.recipes.recipe_file import LoadedRecipe
    from matting_data.running.executor import Workers

Command = TypeVar("Command", bound=Callable[..., Any])

PATH = click.Path(path_type=Path)
FILE = click.Path(path_type=Path, dir_okay=False)


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


FOLDER = _Folder(path_type=Path)
PLACE = _Place(path_type=Path)

dataset_argument = click.argument("dataset", type=FOLDER)  # the folder of a build
dataset_place_argument = click.argument("dataset", type=PLACE)  # the folder or the URL of a build
json_option = click.option("--json", "as_json", is_flag=True, help="Print the result as JSON.")
base_option = click.option(
    "--base", type=PATH, help="Folder where the recipe's relative paths start, where .work is not at hand."
)


def override_option(of: str, example: str) -> Callable[[Command], Command]:
    """``--set``: overrides of a recipe, or of another YAML file."""
    text = f"Override a key of the {of}, for instance {example}. Repeatable."
    return click.option("--set", "overrides", multiple=True, metavar="KEY=VALUE", help=text)


def recipe_argument(command: Command) -> Command:
    """``[RECIPE]`` and ``--set``; the command gets the recipe that they describe as `loaded`."""

    @click.argument("recipe", required=False, type=PATH)
    @override_option("recipe", "composites.per_foreground=5")
    @wraps(command)
    def with_recipe(recipe: Path | None, overrides: tuple[str, ...], **others: Any) -> Any:
        from matting_data.recipes.recipe_file import load

        return command(loaded=load(recipe, overrides), **others)

    return cast(Command, with_recipe)


def recipe_options(command: Command) -> Command:
    """``[RECIPE]``, ``--set``, ``--out`` and ``--workers``; the command gets `loaded`, `out` and `workers`."""
    text = "Where to build: a folder, or a URL such as s3://bucket/prefix.  [default: out/<name of the recipe>]"

    @recipe_argument
    @click.option("--out", type=PLACE, help=text)
    @workers_option
    @wraps(command)
    def with_out(loaded: LoadedRecipe, out: Path | str | None, **others: Any) -> Any:
        return command(loaded=loaded, out=out or Path("out") / loaded.recipe.name, **others)

    return cast(Command, with_out)


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
    """``--executor`` and ``--ray-address``; the command gets what they and ``--workers`` choose as `workers`."""

    @click.option(
        "--executor",
        type=click.Choice(["local", "ray"]),
        default="local",
        show_default=True,
        help="Processes of this machine, or a Ray cluster (there, --workers is by default all it has).",
    )
    @click.option(
        "--ray-address",
        metavar="ADDRESS",
        help="Cluster of --executor ray.  [default: RAY_ADDRESS, or the one on this machine, or a new one]",
    )
    @wraps(command)
    def with_executor(workers: int, executor: str, ray_address: str | None, **others: Any) -> Any:
        return command(workers=_where_to_run(workers, executor, ray_address), **others)

    return cast(Command, with_executor)


def _where_to_run(workers: int, executor: str, ray_address: str | None) -> Workers:
    if executor == "local":
        if ray_address is not None:
            raise UsageError(f"--ray-address {ray_address} goes with --executor ray: add it, or leave the address out")
        return workers
    from matting_data.running.ray_cluster import RayExecutor

    given = click.get_current_context().get_parameter_source("workers") is not ParameterSource.DEFAULT
    return RayExecutor(ray_address, workers if given else None)


@dataclass(frozen=True)
class TestSetOptions:
    """What a user says of the test set: where it is, and the folders of one that mattingdata did not build."""

    data: Path | None
    split: str
    folders: Mapping[str, str]

    def open(self, *kinds: str) -> EvaluationSet:
        """Open the test set for images of these kinds: "image", "alpha", "trimap"."""
        from matting_data.evaluation.test_sets import open_test_set

        if self.data is None:
            raise UsageError("name a test set with --data")
        image, alpha, trimap = (
            self.folders.get(kind, kind) if kind in kinds else "" for kind in ("image", "alpha", "trimap")
        )
        return open_test_set(self.data, self.split, (image, alpha, trimap))


def test_set_options(data_help: str, kinds: tuple[str, str], required: bool) -> Callable[[Command], Command]:
    """``--data``, ``--split`` and two options for folders; the command gets a :class:`TestSetOptions` as `test_set`."""

    def decorate(command: Command) -> Command:
        @click.option("--data", required=required, type=PATH, help=data_help)
        @click.option("--split", default="test", show_default=True, help="Of a built dataset.")
        @click.option(f"--{kinds[0]}-folder", default=kinds[0], show_default=True,
                      help="Below --data, where it is no built dataset.")  # fmt: skip
        @click.option(f"--{kinds[1]}-folder", default=kinds[1], show_default=True, help="Likewise.")
        @wraps(command)
        def with_test_set(data: Path | None, split: str, **others: Any) -> Any:
            folders = {kind: others.pop(f"{kind}_folder") for kind in kinds}
            return command(test_set=TestSetOptions(data, split, folders), **others)

        return cast(Command, with_test_set)

    return decorate


def device_option(condition: str = "") -> Callable[[Command], Command]:
    """``--device``."""
    text = f"{condition}auto, cpu, cuda, cuda:N or mps."
    return click.option("--device", default="auto", show_default=True, help=text)


def short_side_option(text: str) -> Callable[[Command], Command]:
    """``--short-side``."""
    return click.option("--short-side", type=click.IntRange(64), help=f"{text}  [default: the training crops']")


def gathered(name: str, kind: type) -> Callable[[Command], Command]:
    """Hand a command those of its options that are fields of the dataclass `kind` as one argument called `name`."""

    def decorate(command: Command) -> Command:
        @wraps(command)
        def with_gathered(**options: Any) -> Any:
            own = {field.name: options.pop(field.name) for field in fields(kind)}
            return command(**{name: kind(**own)}, **options)

        return cast(Command, with_gathered)

    return decorate
