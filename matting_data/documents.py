"""YAML documents that people write, before they are validated: reading, ``--set``, and where a finding stands."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import yaml

from matting_data.errors import UsageError


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
