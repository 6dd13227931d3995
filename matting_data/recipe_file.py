"""Reading recipes: YAML with ``--set`` overrides in, one validated :class:`Recipe` and its hash out."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections.abc import Mapping, Sequence
from importlib import resources
from pathlib import Path
from typing import Any

import yaml
from pydantic import TypeAdapter, ValidationError

from matting_data import recipe as schema
from matting_data import recipe_backgrounds
from matting_data.errors import UsageError, nearest
from matting_data.recipe import Recipe

BUNDLED = "sample"
"""The recipe that needs no input."""


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
        """Return a path of the recipe as the file system knows it; UsageError where no path can look like that."""
        try:
            resolved = (self.base / Path(path).expanduser()).resolve()
            resolved.exists()
        except (OSError, ValueError, RuntimeError) as error:
            raise UsageError(f"the recipe's path {path!a} cannot be used: {error}; correct it") from None
        return resolved


def load(path: Path | None, overrides: Sequence[str] = ()) -> LoadedRecipe:
    """Load a recipe file, or the bundled sample's when `path` is None.

    Parameters
    ----------
    path : Path or None
        A YAML file, or the bare name of a bundled recipe such as ``safe-net``.
    overrides : sequence of str
        ``dotted.key=value`` with a YAML value; list entries by position (``foregrounds.sources.0.root=people``).

    Raises
    ------
    UsageError
        One sentence naming the file, the key, the value and the remedy.
    """
    name, text, base = _read(path) if path else _read_bundled(BUNDLED)
    document = _parse(text, name)
    for override in overrides:
        _apply(document, override)
    return LoadedRecipe(validate(document, name), base)


def parse_recipe(text: str, name: str) -> Recipe:
    """Return the recipe of a YAML text; UsageError about its first mistake."""
    return validate(_parse(text, name), name)


def validate(document: Mapping[str, Any], name: str = "recipe") -> Recipe:
    """Turn a parsed YAML document into a Recipe, or raise a UsageError about its first mistake."""
    try:
        return TypeAdapter(Recipe).validate_python(document)
    except ValidationError as error:
        raise UsageError(f"{name}: {_sentence(document, error)}") from None


def as_mapping(recipe: Recipe) -> dict[str, Any]:
    """Return the effective recipe, defaults filled in, as plain dicts and lists in a fixed order."""
    return json.loads(TypeAdapter(Recipe).dump_json(recipe, exclude_none=True))  # type: ignore[no-any-return]


def to_yaml(recipe: Recipe) -> str:
    """Return the effective recipe as YAML that :func:`load` reads back to an equal recipe."""
    return yaml.safe_dump(as_mapping(recipe), sort_keys=False, width=100)


def _read(path: Path) -> tuple[str, str, Path]:
    try:
        is_file, is_folder = path.is_file(), path.is_dir()
    except (OSError, ValueError) as error:
        raise UsageError(f"the recipe {str(path)!a} cannot be used: {error}") from None
    if is_file:
        try:
            return path.name, path.read_text(encoding="utf-8"), path.resolve().parent
        except (OSError, UnicodeDecodeError) as error:
            raise UsageError(f"cannot read the recipe {path}: {error}") from None
    if path.parent == Path() and path.name.removesuffix(".yaml") in _bundled_names():
        return _read_bundled(path.name.removesuffix(".yaml"))
    names = ", ".join(_bundled_names())
    if is_folder:
        raise UsageError(f"{path} is a folder, not a recipe: name a YAML file, or a bundled recipe ({names})")
    raise UsageError(f"no recipe {path}: name a YAML file, or a bundled recipe ({names})")


def _read_bundled(name: str) -> tuple[str, str, Path]:
    entry = resources.files("matting_data.manifests") / "recipes" / f"{name}.yaml"
    return name, entry.read_text(encoding="utf-8"), Path.cwd()


def _bundled_names() -> list[str]:
    folder = resources.files("matting_data.manifests") / "recipes"
    return sorted(entry.name.removesuffix(".yaml") for entry in folder.iterdir())


def _parse(text: str, name: str) -> dict[str, Any]:
    try:
        document = yaml.load(text, Loader=_UniqueKeyLoader)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        where = f" at line {mark.line + 1}, column {mark.column + 1}" if mark else ""
        problem = getattr(error, "problem", None) or "not valid YAML"
        raise UsageError(f"{name} is not a recipe: {problem}{where}") from None
    except RecursionError:
        raise UsageError(f"{name} is not a recipe: it is nested too deeply") from None
    if not isinstance(document, dict):
        raise UsageError(f"{name} is not a recipe: it holds no keys; start from the bundled recipe 'local'")
    return document


class _UniqueKeyLoader(yaml.SafeLoader):
    """A safe loader that refuses a key given twice, of which YAML would silently keep the last."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        """Build a mapping whose keys are all different."""
        seen: set[Any] = set()
        for key_node, _ in node.value:
            key = self.construct_object(key_node, deep=True)
            if isinstance(key, str) and key in seen:
                raise yaml.constructor.ConstructorError(
                    None, None, f"the key {key!r} is given twice; remove one", key_node.start_mark
                )
            seen.add(key if isinstance(key, str) else id(key_node))
        return super().construct_mapping(node, deep)


def _apply(document: dict[str, Any], override: str) -> None:
    key, separator, text = override.partition("=")
    if not separator or not key.strip():
        raise UsageError(f"--set {override!r} has no value: write it as KEY=VALUE, for instance composites.crop=random")
    try:
        value = yaml.safe_load(text)
    except yaml.YAMLError:
        raise UsageError(f"--set {override!r}: {text!r} is not a YAML value; quote it") from None
    *parents, last = key.strip().split(".")
    node: Any = document
    for part in parents:
        node = _child(node, part, override)
    if isinstance(node, list):
        node[_position(node, last, override)] = value
    elif isinstance(node, dict):
        node[last] = value
    else:
        raise UsageError(f"--set {override!r}: {parents[-1]!r} is a value, not a group of keys; set it directly")


def _child(node: Any, part: str, override: str) -> Any:
    if isinstance(node, list):
        return node[_position(node, part, override)]
    child = node.setdefault(part, {})
    if child is None:
        child = node[part] = {}
    if not isinstance(child, (dict, list)):
        raise UsageError(f"--set {override!r}: {part!r} is a value, not a group of keys; set it directly")
    return child


def _position(node: list[Any], part: str, override: str) -> int:
    if not (part.isascii() and part.isdecimal()) or int(part) >= len(node):
        raise UsageError(f"--set {override!r}: the list has entries 0 to {len(node) - 1}, not {part!r}")
    return int(part)


def _sentence(document: Mapping[str, Any], error: ValidationError) -> str:
    """Say the most telling of pydantic's findings in one sentence."""
    findings = sorted(error.errors(), key=lambda finding: finding["type"] != "unexpected_keyword_argument")
    finding = findings[0]
    # discriminated unions put the tag, plain unions the type's name, into the location: keep what the user wrote
    absent = finding["type"] in ("missing", "missing_argument", "unexpected_keyword_argument", "extra_forbidden")
    written = _written_location(document, finding["loc"], absent)
    where = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in written).lstrip(".")
    if finding["type"] in ("unexpected_keyword_argument", "extra_forbidden"):
        parent, _, key = where.rpartition(".")
        known = _known_keys(parent)
        return (
            f"{where!r} does not go with its 'kind'" if key in known else f"unknown key {where!r}{nearest(key, known)}"
        )
    if finding["type"] in ("missing", "missing_argument"):
        return f"the key {where!r} is missing"
    message = finding["msg"].removeprefix("Value error, ")
    if finding["type"] == "union_tag_not_found":
        return f"the key '{where}.kind' is missing: choose 'dim', 'fixed' or 'adaptive'"
    if where == "foregrounds.split.test":
        return f"{where} is {finding['input']!r}: give a number of foregrounds, or a share below 1"
    if where == "version" and finding["type"] == "string_type":
        return f"{where} is {finding['input']!r}: quote it and give three numbers, '1.0.0'"
    if finding["type"] == "dataclass_type":
        return f"{where or 'the recipe'} is {finding['input']!r}: it needs keys of its own, or none of it"
    if finding["type"] == "union_tag_invalid":
        return f"{where}.kind is {finding['ctx']['tag']!r}: choose {finding['ctx']['expected_tags']}"
    if finding["type"] == "value_error":
        return f"{where}: {message}" if where else message
    return f"{where} is {finding['input']!r}: {message[0].lower()}{message[1:]}"


def _written_location(document: Any, location: Sequence[int | str], absent: bool) -> list[int | str]:
    """Return the parts of pydantic's location that the user wrote; the last one, where `absent`, even if not."""
    node, written = document, list[int | str]()
    for depth, part in enumerate(location):
        if isinstance(node, Mapping) and (part in node or (absent and depth == len(location) - 1)):
            node = node.get(part)
        elif isinstance(node, (list, tuple)) and isinstance(part, int) and part < len(node):
            node = node[part]
        else:
            continue
        written.append(part)
    return written


def _known_keys(parent: str) -> list[str]:
    """Keys of the recipe class that stands at the dotted location `parent`."""
    group = parent.rpartition(".")[2].partition("[")[0]
    classes = {
        "": (Recipe,),
        "foregrounds": (schema.Foregrounds,),
        "backgrounds": (recipe_backgrounds.Backgrounds,),
        "split": (schema.SplitRule,),
        "expect": (schema.Expect,),
        "humans": (recipe_backgrounds.Humans,),
        "openimages": (recipe_backgrounds.OpenImagesRules,),
        "sun": (recipe_backgrounds.SunRules,),
        "composites": (schema.Composites,),
        "trimap": (schema.Trimaps,),
        "store": (schema.Store,),
        "sources": (
            schema.ForegroundSource if parent.startswith("foregrounds") else recipe_backgrounds.BackgroundSource,
        ),
        "train": (schema.DimTrimap, schema.FixedTrimap, schema.AdaptiveTrimap),
        "test": (schema.DimTrimap, schema.FixedTrimap, schema.AdaptiveTrimap),
    }.get(group, ())
    return [field.name for cls in classes for field in dataclasses.fields(cls)]
