"""YAML configuration that people write: reading it, ``--set``, and one sentence about a mistake in it."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from importlib import resources
from pathlib import Path
from types import UnionType
from typing import TYPE_CHECKING, Annotated, Any, LiteralString, Union, get_args, get_origin, get_type_hints

import yaml
from pydantic import ConfigDict, TypeAdapter, ValidationError, ValidatorFunctionWrapHandler, WrapValidator
from pydantic_core import PydanticCustomError

from matting_data.errors import UsageError, nearest, shown

if TYPE_CHECKING:
    from pydantic_core import ErrorDetails

STRICT = ConfigDict(extra="forbid")
"""Of every class that is read from YAML: unknown keys are refused."""


def preset_names(folder: str) -> list[str]:
    """List the names of the YAML files in a folder of ``manifests``, sorted."""
    entries = (resources.files("matting_data.manifests") / folder).iterdir()
    return sorted(entry.name.removesuffix(".yaml") for entry in entries if entry.name.endswith(".yaml"))


def read_preset(folder: str, name: str) -> str:
    """Read the text of one of :func:`preset_names`."""
    entry = resources.files("matting_data.manifests") / folder / f"{name}.yaml"
    return entry.read_text(encoding="utf-8")


def read_document(name: str, kind: str, presets: Sequence[str]) -> str:
    """Read a file that is not a preset; raise a UsageError that names the presets if it cannot be read."""
    try:
        return Path(name).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError, ValueError) as error:
        reason = (error.strerror or "unreadable") if isinstance(error, OSError) else "it is not UTF-8 text"
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


def validated(kind: Any, document: object, name: str) -> Any:
    """Turn a parsed document into an object of an annotated class.

    Parameters
    ----------
    kind : type
        A pydantic dataclass, or a union with such.
    document : object
    name : str
        What the document is called in errors.

    Raises
    ------
    UsageError
        One sentence about the most telling mistake: the key, its value, and the remedy.
    """
    try:
        return TypeAdapter(kind).validate_python(document)
    except ValidationError as error:
        raise UsageError(f"{name}: {_sentence(kind, document, error)}") from None


def explained(remedy: LiteralString) -> WrapValidator:
    """Let a key say `remedy` whatever is wrong with its value, where pydantic would list each type that it is not."""

    def validate(value: Any, handler: ValidatorFunctionWrapHandler) -> Any:
        try:
            return handler(value)
        except ValidationError:
            raise PydanticCustomError("explained", remedy) from None

    return WrapValidator(validate)


Place = tuple[int | str, ...]
"""Keys and positions that lead from the root of a document to a value."""

_UNKNOWN = ("unexpected_keyword_argument", "extra_forbidden")
_ABSENT = (*_UNKNOWN, "missing", "missing_argument")


def _sentence(kind: Any, document: object, error: ValidationError) -> str:
    findings = [(_written(document, finding), finding) for finding in error.errors()]
    findings.sort(key=lambda each: each[1]["type"] not in _UNKNOWN)
    first = findings[0][0]
    # of the alternatives of a union, the one meant is that whose validation came furthest, perhaps to its own checks
    place, finding = max(
        (each for each in findings if each[0][: len(first)] == first),
        key=lambda each: (len(each[0]), each[1]["type"] == "value_error"),
    )
    where, type_, message = _dotted(place), finding["type"], finding["msg"].removeprefix("Value error, ")
    if type_ in _UNKNOWN:
        known = _keys(kind, place[:-1])
        if place[-1] in known:
            return f"{where!r} does not go with its 'kind'"
        return f"unknown key {where!r}{nearest(str(place[-1]), known)}"
    if type_ == "union_tag_not_found":
        place = (*place, finding["ctx"]["discriminator"].strip("'"))
    if type_ in (*_ABSENT, "union_tag_not_found"):
        values = [repr(value) for each in _alternatives(kind, place) for value in get_args(each)]
        choices = f": choose {', '.join(values[:-1])} or {values[-1]}" if len(values) > 1 else ""
        return f"the key {_dotted(place)!r} is missing{choices}"
    if type_ == "union_tag_invalid":
        return f"{where}.kind is {finding['ctx']['tag']!r}: choose {finding['ctx']['expected_tags']}"
    if type_ == "value_error":
        return f"{where}: {message}" if where else message
    if type_ == "dataclass_type":
        message = f"give it keys, such as {_keys(kind, place)[0]!r}"
    return f"{where or 'it'} is {shown(finding['input'])}: {message[0].lower()}{message[1:]}"


def _written(document: Any, finding: ErrorDetails) -> Place:
    """Keep of a finding's location what stands in the document: pydantic adds tags and types of unions."""
    node, written = document, list[int | str]()
    for depth, part in enumerate(finding["loc"], 1):
        absent = finding["type"] in _ABSENT and depth == len(finding["loc"])
        if isinstance(node, Mapping) and (part in node or absent):
            node = node.get(part)
        elif isinstance(node, (list, tuple)) and isinstance(part, int) and part < len(node):
            node = node[part]
        else:
            continue
        written.append(part)
    return tuple(written)


def _dotted(place: Place) -> str:
    return "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in place).removeprefix(".")


def _keys(kind: Any, place: Place) -> list[str]:
    """List the keys that the classes at a place of a document know."""
    classes = [each for each in _alternatives(kind, place) if dataclasses.is_dataclass(each)]
    return [field.name for each in classes for field in dataclasses.fields(each)]


def _alternatives(kind: Any, place: Place) -> list[Any]:
    """List the annotations of what may stand at a place of a document, unions taken apart."""
    found = _parts(kind)
    for step in place:
        found = [part for each in found for part in _parts(_inner(each, step))]
    return found


def _inner(annotation: Any, step: int | str) -> Any:
    if dataclasses.is_dataclass(annotation):
        return get_type_hints(annotation).get(str(step))
    arguments = get_args(annotation) or (None,)
    return arguments[0] if isinstance(step, int) else arguments[-1]


def _parts(annotation: Any) -> list[Any]:
    origin = get_origin(annotation)
    if origin is Annotated:
        return _parts(get_args(annotation)[0])
    if origin in (Union, UnionType):
        return [part for each in get_args(annotation) for part in _parts(each)]
    return [annotation]


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
