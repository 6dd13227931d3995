"""Networks by name: YAML files in ``manifests/networks``, or of the user's own, as validated configs."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter

from matting_data import configuration
from matting_data.configuration import parse_mapping, read_document, read_preset, validated
from matting_data.errors import UsageError
from matting_data.networks.safenet.options import SafeNetConfig

_FOLDER = "networks"


def preset_names() -> list[str]:
    """List the names of the presets that come with mattingdata."""
    return configuration.preset_names(_FOLDER)


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
    known, title = preset_names(), str(name)
    text = read_preset(_FOLDER, title) if title in known else read_document(title, "network", known)
    return config_from(parse_mapping(text, title, "network", "start from the preset 'unrolled'"), title)


def config_from(document: Any, name: str = "the network") -> SafeNetConfig:
    """Turn a mapping into a config, or raise a UsageError about its first mistake."""
    if not isinstance(document, Mapping):
        raise UsageError(f"{name}: a network is a mapping of keys to values, not {type(document).__name__}")
    return validated(SafeNetConfig, document, name)


def as_mapping(config: SafeNetConfig) -> dict[str, Any]:
    """Convert a config to plain dicts and lists: all keys, defaults filled in; :func:`config_from` reads it back."""
    return TypeAdapter(SafeNetConfig).dump_python(config, mode="json")
