"""Networks by name: YAML files in ``manifests/networks``, or of the user's own, as validated configs."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from importlib import resources
from pathlib import Path
from typing import Any

import yaml
from pydantic import TypeAdapter, ValidationError

from matting_data.errors import UsageError, nearest
from matting_data.networks.safenet.config import FlawTarget, LossWeights, SafeNetConfig

_GROUPS = {"": SafeNetConfig, "loss": LossWeights, "flaw_target": FlawTarget}


def preset_names() -> list[str]:
    """Return the names of the presets that come with mattingdata."""
    folder = resources.files("matting_data.manifests") / "networks"
    return sorted(entry.name.removesuffix(".yaml") for entry in folder.iterdir() if entry.name.endswith(".yaml"))


def load_config(name: str | Path) -> SafeNetConfig:
    """Load a network's config.

    Parameters
    ----------
    name : str or Path
        Of :func:`preset_names`, or the path of a YAML file with the keys of :class:`SafeNetConfig`.

    Raises
    ------
    UsageError
        One sentence naming the file, the key, the value and the remedy.
    """
    path = Path(name)
    if str(name) in preset_names():
        text = (resources.files("matting_data.manifests") / "networks" / f"{name}.yaml").read_text(encoding="utf-8")
    else:
        try:
            text = path.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            names = ", ".join(preset_names())
            reason = error.strerror if isinstance(error, OSError) else "it is no UTF-8 text"
            raise UsageError(
                f"no network {str(name)!r} ({reason}): name a YAML file, or a preset ({names})"
                f"{nearest(str(name), preset_names())}"
            ) from None
    try:
        document = yaml.safe_load(text)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        where = f" at line {mark.line + 1}" if mark else ""
        raise UsageError(f"{name} is not valid YAML{where}: correct it") from None
    return config_from(document if document is not None else {}, str(name))


def config_from(document: Any, name: str = "the network") -> SafeNetConfig:
    """Turn a mapping into a config, or raise a UsageError about its first mistake."""
    if not isinstance(document, Mapping):
        raise UsageError(f"{name}: a network is a mapping of keys to values, not {type(document).__name__}")
    try:
        return TypeAdapter(SafeNetConfig).validate_python(document)
    except ValidationError as error:
        raise UsageError(f"{name}: {_sentence(error)}") from None


def as_mapping(config: SafeNetConfig) -> dict[str, Any]:
    """Return all keys of a config, defaults filled in, as plain dicts and lists; :func:`config_from` reads it back."""
    return TypeAdapter(SafeNetConfig).dump_python(config, mode="json")  # type: ignore[no-any-return]


def _sentence(error: ValidationError) -> str:
    finding = error.errors()[0]
    *parents, last = [str(part) for part in finding["loc"]] or [""]
    where = ".".join([*parents, last])
    if finding["type"] in ("unexpected_keyword_argument", "extra_forbidden"):
        group = _GROUPS.get(".".join(parents))
        known = [field.name for field in dataclasses.fields(group)] if group else []
        return f"unknown key {where!r}{nearest(last, known)}"
    message = finding["msg"].removeprefix("Value error, ")
    if finding["type"] == "value_error":
        return message
    return f"{where} is {finding['input']!r}: {message[0].lower()}{message[1:]}"
