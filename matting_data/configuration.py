"""YAML configuration that people write: reading it, ``--set``, and one sentence about a mistake in it."""

from __future__ import annotations

import dataclasses
import math
import re
from collections.abc import Mapping, Sequence
from importlib import resources
from types import UnionType
from typing import TYPE_CHECKING, Annotated, Any, Literal, LiteralString, Union, get_args, get_origin, get_type_hints

import yaml
from pydantic import ConfigDict, TypeAdapter, ValidationError, ValidatorFunctionWrapHandler, WrapValidator
from pydantic_core import PydanticCustomError

from matting_data.errors import UsageError, nearest, shown
from matting_data.storage.regular_files import read_regular

if TYPE_CHECKING:
    from pydantic_core import ErrorDetails

MOST_TEXT = 1 << 18
"""Bytes of a recipe, a config or a specification; those that people write have some thousands."""

_MOST_VALUES = 100_000
"""Values of a document, those that aliases repeat counted each time."""

_DEEPEST = 64
_TOO_DEEP = "it is nested too deeply"

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
        data = read_regular(name, MOST_TEXT)
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or "unreadable"
        raise UsageError(
            f"no {kind} {name!a} ({reason}): name a YAML file, or a preset ({', '.join(presets)})"
            f"{nearest(name, presets)}"
        ) from None
    return decoded(data, f"the {kind} {name}")


def decoded(data: bytes, name: str) -> str:
    """Decode a text file; a UsageError that calls it `name` and says where it is not UTF-8."""
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise UsageError(
            f"{name} is not UTF-8 text (byte 0x{data[error.start]:02x} at line {line}): save it as UTF-8"
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
    document = _parsed(text, f"{name} is not a {kind}: ")
    if not isinstance(document, dict):
        raise UsageError(f"{name} is not a {kind}: it holds no keys; {remedy}")
    return document


def _parsed(text: str, failure: str, remedy: str = "") -> Any:
    """Parse YAML; a UsageError of `failure`, the problem with its place, and `remedy`."""
    if len(text) > MOST_TEXT:
        raise UsageError(f"{failure}it has more than {MOST_TEXT:,} characters{remedy}")
    try:
        return yaml.load(text, Loader=_Loader)
    except (yaml.YAMLError, ValueError, OverflowError) as error:  # the last two of escapes beyond Unicode
        mark = getattr(error, "problem_mark", None)
        where = f" at line {mark.line + 1}, column {mark.column + 1}" if mark else ""
        problem = getattr(error, "problem", None) or "not valid YAML"
        raise UsageError(f"{failure}{problem}{where}{remedy}") from None
    except RecursionError:
        raise UsageError(f"{failure}{_TOO_DEEP}{remedy}") from None


def apply_override(document: dict[str, Any], override: str, example: str = "composites.crop=random") -> None:
    """Apply one ``dotted.key=value`` in place; list entries are ``sources[0]`` or ``sources.0``.

    Raises
    ------
    UsageError
        It has no value or no place.
    """
    key, separator, text = override.partition("=")
    said = f"--set {shown(override)}"
    if not separator or not key.strip():
        raise UsageError(f"{said} has no value: write it as KEY=VALUE, for instance {example}")
    value = _parsed(text, f"{said}: {shown(text)} is not a YAML value (", "); quote it")
    *parents, last = _INDEX.sub(r".\1", key.strip()).split(".")
    if len(parents) > _DEEPEST:
        raise UsageError(f"{said}: {_TOO_DEEP}; the deepest key has five parts")
    node: Any = document
    for part in parents:
        place = _place(node, part, said)
        if isinstance(node, dict) and node.get(place) is None:
            node[place] = {}
        node = node[place]
        if not isinstance(node, (dict, list)):
            raise UsageError(f"{said}: {part!r} is a value, not a group of keys; set it directly")
    node[_place(node, last, said)] = value


_INDEX = re.compile(r"\[(-?\w+)\]", re.ASCII)
"""The place of a list's entry as messages write it."""


def _place(node: dict[str, Any] | list[Any], part: str, said: str) -> str | int:
    if isinstance(node, dict):
        return part
    if not re.fullmatch("[0-9]{1,9}", part) or int(part) >= len(node):
        raise UsageError(f"{said}: the list has entries 0 to {len(node) - 1}, not {shown(part)}")
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
        return f"unknown key {shown(where)}{nearest(str(place[-1]), known)}"
    if type_ == "union_tag_not_found":
        place = (*place, finding["ctx"]["discriminator"].strip("'"))
    if type_ in (*_ABSENT, "union_tag_not_found"):
        literals = [each for each in _alternatives(kind, place) if get_origin(each) is Literal]
        values = [repr(value) for each in literals for value in get_args(each)]
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


_MERGE = "tag:yaml.org,2002:merge"

_TAGS = {_MERGE} | {
    f"tag:yaml.org,2002:{kind}" for kind in ("map", "seq", "str", "int", "float", "bool", "null", "timestamp")
}
"""What a document may hold; sets, bytes and pairs would pass for lists and text."""


def _count(node: yaml.Node, known: dict[int, int], deep: int) -> int:
    """Count the values below a node, those of aliases each time; an error of YAML where they are too many."""
    if id(node) not in known:
        known[id(node)] = _MOST_VALUES + 1  # of itself, while it is counted
        parts = [part for pair in node.value for part in pair] if isinstance(node, yaml.MappingNode) else node.value
        if deep == 0 and not isinstance(node, yaml.ScalarNode):
            raise yaml.constructor.ConstructorError(None, None, _TOO_DEEP, node.start_mark)
        below = [] if isinstance(node, yaml.ScalarNode) else [_count(part, known, deep - 1) for part in parts]
        known[id(node)] = 1 + sum(below)
    if known[id(node)] > _MOST_VALUES:
        problem = f"it stands for more than {_MOST_VALUES:,} values, or contains itself"
        raise yaml.constructor.ConstructorError(None, None, problem, node.start_mark)
    return known[id(node)]


_KINDS = {
    "int": "number",
    "float": "number",
    "timestamp": "date",
    "bool": "truth value",
    "str": "text of whole characters",
}
"""What messages call the tags of YAML."""


class _Loader(yaml.SafeLoader):
    """A safe loader that refuses what YAML would pass on as a traceback, or silently.

    Values that do not look like their tag (``2025-02-30``, ``0x_``, a number of 5,000 digits), halves of characters,
    numbers that are infinite or none, sets and bytes, and a key given twice, of which YAML would keep the last, or
    that is not text. Aliases and merge keys are counted before they are followed, since ten lines of them can stand
    for a billion values.
    """

    def get_single_node(self) -> yaml.Node | None:
        """Parse the document; an error of YAML where it is nested too deeply, or its aliases stand for too much."""
        root = super().get_single_node()
        if root is not None:
            _count(root, {}, _DEEPEST)
        return root

    def construct_object(self, node: yaml.Node, deep: bool = False) -> Any:
        """Build a value; an error of YAML where a scalar is not what its tag says."""
        if node.tag not in _TAGS:
            problem = f"could not determine a constructor for the tag {shown(node.tag)}"
            raise yaml.constructor.ConstructorError(None, None, problem, node.start_mark)
        if not isinstance(node, yaml.ScalarNode):
            return super().construct_object(node, deep)
        try:
            value = super().construct_object(node, deep)
            if isinstance(value, int):
                str(value)  # refused above a number of digits, which messages could not show
            elif isinstance(value, str):
                value.encode()
            elif isinstance(value, float) and not math.isfinite(value):
                raise ValueError
            return value
        except (ValueError, LookupError, AttributeError, OverflowError):
            kind = _KINDS.get(node.tag.rpartition(":")[2], "value")
            problem = f"{shown(node.value)} cannot be read as a {kind} (quote text)"
        raise yaml.constructor.ConstructorError(None, None, problem, node.start_mark)

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        """Build a mapping whose keys are all different."""
        seen = set[str]()
        for key_node, _ in node.value if isinstance(node, yaml.MappingNode) else ():
            if key_node.tag == _MERGE:
                continue
            key = self.construct_object(key_node, deep=True)
            if not isinstance(key, str):
                problem = f"the key {shown(key)} is not text; quote it"
            elif key in seen:
                problem = f"the key {shown(key)} is given twice; remove one"
            else:
                seen.add(key)
                continue
            raise yaml.constructor.ConstructorError(None, None, problem, key_node.start_mark)
        return super().construct_mapping(node, deep)
