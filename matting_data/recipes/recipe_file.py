"""Reading recipes: YAML with ``--set`` overrides in, one validated :class:`Recipe` and its hash out."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml
from pydantic import TypeAdapter

from matting_data.configuration import (
    MOST_TEXT,
    apply_override,
    decoded,
    parse_mapping,
    preset_names,
    read_preset,
    validated,
)
from matting_data.errors import UsageError
from matting_data.recipes.recipe import Recipe
from matting_data.storage.regular_files import read_regular

BUNDLED = "sample"
"""The recipe that needs no input."""

_FOLDER = "recipes"

_VARIABLE = re.compile(r"\$(\{[^{}]*\}|[A-Za-z_]\w*)", re.ASCII)


@dataclasses.dataclass(frozen=True)
class LoadedRecipe:
    """A recipe with the folder its relative paths start from."""

    recipe: Recipe
    base: Path

    @property
    def sha256(self) -> str:
        """Hash of the effective recipe; paths count as written, so that a moved project hashes the same.

        Where overrides are kept does not count: they belong to the plan.
        """
        document = as_mapping(dataclasses.replace(self.recipe, overrides=None))
        canonical = json.dumps(document, sort_keys=True, ensure_ascii=True)
        return hashlib.sha256(canonical.encode()).hexdigest()

    def resolve(self, path: str) -> Path:
        """Resolve a path of the recipe to an absolute path of the file system.

        Raises
        ------
        UsageError
            No path can look like that, or it is not there and names a variable.
        """
        try:
            resolved = (self.base / Path(path).expanduser()).resolve()
            there = resolved.exists()
        except (OSError, ValueError, RuntimeError) as error:
            raise UsageError(f"the recipe's path {path!a} cannot be used: {error}; correct it") from None
        if not there:
            refuse_variables(path)
        return resolved


def refuse_variables(path: str) -> None:
    """Raise UsageError when a path names a variable of the shell: the recipe's hash is of what is written."""
    if variable := _VARIABLE.search(path):
        raise UsageError(
            f"the recipe's path {path!a} names the variable {variable[0]}, and recipes do not expand variables: "
            "write the path out, or give it with --set, where the shell expands it"
        )


def load(path: Path | None, overrides: Sequence[str] = ()) -> LoadedRecipe:
    """Load a recipe file, or the bundled sample's when `path` is None.

    Parameters
    ----------
    path : Path or None
        A YAML file, or the bare name of a bundled recipe such as ``safe-net``.
    overrides : sequence of str
        ``dotted.key=value`` with a YAML value; list entries by position (``foregrounds.sources[0].root=people``).

    Raises
    ------
    UsageError
        One sentence naming the file, the key, the value and the remedy.
    """
    name, text, base = _read(path) if path else _read_bundled(BUNDLED)
    document = _parse(text, name)
    for override in overrides:
        apply_override(document, override)
    return LoadedRecipe(validate(document, name), base)


def parse_recipe(text: str, name: str) -> Recipe:
    """Parse a recipe from a YAML text; UsageError about its first mistake."""
    return validate(_parse(text, name), name)


def _parse(text: str, name: str) -> dict[str, Any]:
    return parse_mapping(text, name, remedy="start from the bundled recipe 'local'")


def validate(document: Mapping[str, Any], name: str = "recipe") -> Recipe:
    """Turn a parsed YAML document into a Recipe, or raise a UsageError about its first mistake."""
    return validated(Recipe, document, name)


def as_mapping(recipe: Recipe) -> dict[str, Any]:
    """Convert the effective recipe, defaults filled in, to plain dicts and lists in a fixed order."""
    return json.loads(TypeAdapter(Recipe).dump_json(recipe, exclude_none=True))


def to_yaml(recipe: Recipe) -> str:
    """Encode the effective recipe as YAML that :func:`load` reads back to an equal recipe."""
    return yaml.safe_dump(as_mapping(recipe), sort_keys=False, width=100)


def _read(path: Path) -> tuple[str, str, Path]:
    try:
        is_file, is_folder = path.is_file(), path.is_dir()
    except (OSError, ValueError) as error:
        raise UsageError(f"the recipe {str(path)!a} cannot be used: {error}") from None
    if is_file:
        try:
            return path.name, decoded(read_regular(path, MOST_TEXT), f"the recipe {path}"), path.resolve().parent
        except OSError as error:
            raise UsageError(f"cannot read the recipe {path}: {error.strerror}") from None
    if path.parent == Path() and path.name.removesuffix(".yaml") in preset_names(_FOLDER):
        return _read_bundled(path.name.removesuffix(".yaml"))
    what = f"{path} is a folder, not a recipe" if is_folder else f"no recipe {path}"
    raise UsageError(f"{what}: name a YAML file, or a bundled recipe ({', '.join(preset_names(_FOLDER))})")


def _read_bundled(name: str) -> tuple[str, str, Path]:
    return name, read_preset(_FOLDER, name), Path.cwd()
