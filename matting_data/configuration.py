"""YAML documents that people write: reading them, ``--set``, and what is said of a mistake in one."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING, Any, get_type_hints

import yaml
from pydantic import ConfigDict

from matting_data.errors import UsageError, nearest, shown

if TYPE_CHECKING:
    from pydantic import ValidationError

STRICT = ConfigDict(extra="forbid")
"""Of every class that is read from YAML: unknown keys are refused."""


def preset_names(folder: str) -> list[str]:
    """Return the names of the YAML files in a folder of ``manifests``, sorted."""
    entries = (resources.files("matting_data.manifests") / folder).iterdir()
    return sorted(entry.name.removesuffix(".yaml") for entry in entries if entry.name.endswith(".yaml"))


def read_preset(folder: str, name: str) -> str:
    """Return the text of one of :func:`preset_names`."""
    entry = resources.files("matting_data.manifests") / folder / f"{name}.yaml"
    return entry.read_text(encoding="utf-8")


def read_document(name: str, kind: str, presets: Sequence[str]) -> str:
    """Return the text of a file that is no preset; UsageError naming the presets where it cannot be read."""
    try:
        return Path(name).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError, ValueError) as error:
        reason = (error.strerror or "unreadable") if isinstance(error, OSError) else "it is no UTF-8 text"
        raise UsageError(
            f"no {kind} {name!r} ({reason}): name a YAML file, or a preset ({', '.join(presets)})"
            f"{nearest(name, presets)}"
        ) from None


def parse_mapping(text: str, name: str, kind: str = "recipe", remedy: str = "") -> dict[str, Any]:
    """Parse YAML that has to be a mapping.

    Parameters
    ----------
    text, name : str
        The document and what it is called in errors.
    kind : str
        What it should be, a noun.
    remedy : str
        Said where it holds no keys.

    Raises
    ------
    UsageError
        It is not YAML, holds a key twice, or no keys.
    """
    try:
        document = yaml.load(text, Loader=_UniqueKeyLoader)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        where = f" at line {mark.line + 1}, column {mark.column + 1}" if mark else ""
        problem = getattr(error, "problem", None) or "not valid YAML"
        raise UsageError(f"{name} is not a {kind}: {problem}{where}") from None
    except RecursionError:
        raise UsageError(f"{name} is not a {kind}: it is nested too deeply") from None
    if not isinstance(document, dict):
        raise UsageError(f"{name} is not a {kind}: it holds no keys; {remedy}")
    return document


def apply_override(document: dict[str, Any], override: str, example: str = "composites.crop=random") -> None:
    """Apply one ``dotted.key=value`` in place; UsageError where it has no value or no place."""
    key, separator, text = override.partition("=")
    if not separator or not key.strip():
        raise UsageError(f"--set {override!r} has no value: write it as KEY=VALUE, for instance {example}")
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


def written_location(document: Any, location: Sequence[int | str], absent: bool) -> list[int | str]:
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


def validation_sentence(document: Any, error: ValidationError, kind: type) -> str:
    """Say the most telling of pydantic's findings about a config in one sentence.

    Parameters
    ----------
    document : object
        What was validated.
    error : ValidationError
    kind : type
        The dataclass it should have become; its keys, and those of the dataclasses in it, are suggested.
    """
    findings = sorted(error.errors(), key=lambda each: each["type"] != "unexpected_keyword_argument")
    finding = findings[0]
    absent = finding["type"] in ("unexpected_keyword_argument", "extra_forbidden")
    location = [str(part) for part in written_location(document, finding["loc"], absent)]
    where = ".".join(location)
    if absent:
        return f"unknown key {where!r}{nearest(location[-1], _keys(kind, location[:-1]))}"
    message = finding["msg"].removeprefix("Value error, ")
    if finding["type"] == "value_error":
        return f"{where}: {message}" if where else message
    return f"{where} is {shown(finding['input'])}: {message[0].lower()}{message[1:]}"


def _keys(kind: Any, parents: Sequence[str]) -> list[str]:
    for parent in parents:
        kind = get_type_hints(kind).get(parent)
        if not dataclasses.is_dataclass(kind):
            return []
    return [field.name for field in dataclasses.fields(kind)]


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
