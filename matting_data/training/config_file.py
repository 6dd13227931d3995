"""Configs of training runs: presets in ``manifests/training``, or YAML files, with ``--set``."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import yaml
from pydantic import TypeAdapter

from matting_data import configuration
from matting_data.configuration import apply_override
from matting_data.errors import UsageError
from matting_data.networks.safenet import presets
from matting_data.training.config import TrainConfig

_FOLDER = "training"

FREE = ("saving", "data.workers")
"""Keys that a continued run may change: no step depends on them."""

LENGTHS = ("epochs", "steps")
"""Keys that it may change, too, where no rate depends on how long the run is."""


def preset_names() -> list[str]:
    """List the names of training presets and of network presets; a network preset is trained as ``unrolled`` is."""
    return sorted({*configuration.preset_names(_FOLDER), *presets.preset_names()})


def load_config(name: str | Path, overrides: Sequence[str] = ()) -> TrainConfig:
    """Load the config of a run.

    Parameters
    ----------
    name : str or Path
        Of :func:`preset_names`, or a YAML file with the keys of :class:`TrainConfig`.
    overrides : sequence of str
        ``dotted.key=value`` with a YAML value.

    Raises
    ------
    UsageError
        One sentence naming the file, the key, the value and the remedy.
    """
    title, own = str(name), configuration.preset_names(_FOLDER)
    network = title in presets.preset_names() and title not in own
    if network or title in own:
        text = configuration.read_preset(_FOLDER, "unrolled" if network else title)
    else:
        text = configuration.read_document(title, "training config", preset_names())
    document = configuration.parse_mapping(text, title, "training config", "start from the preset 'unrolled'")
    if network:
        document["network"] = title
    _spread_preset(document, title)
    for override in overrides:
        apply_override(document, override, "batch=8")
        _spread_preset(document, "--set")
    return config_from(document, title)


def config_from(document: dict[str, Any], name: str = "the config") -> TrainConfig:
    """Turn a document into a config, or raise a UsageError about its first mistake."""
    _spread_preset(document, name)
    config: TrainConfig = configuration.validated(TrainConfig, document, name)
    if "size" in document["network"].get("flaw_target", {}):
        return config
    # set once the crop is known to be sound: a mistake in it is the crop's, which somebody wrote
    target = replace(config.network.flaw_target, size=config.data.crop)
    return replace(config, network=replace(config.network, flaw_target=target))


def as_mapping(config: TrainConfig) -> dict[str, Any]:
    """Convert a config to plain dicts and lists, all defaults filled in; :func:`config_from` reads it back."""
    return TypeAdapter(TrainConfig).dump_python(config, mode="json")


def to_yaml(config: TrainConfig) -> str:
    """Encode the effective config as YAML that :func:`load_config` reads back to an equal one."""
    return yaml.safe_dump(as_mapping(config), sort_keys=False, width=100)


def differences(old: TrainConfig, new: TrainConfig) -> list[str]:
    """Say which keys a continued run would change though steps that were made depend on them."""
    before, after = _flat(as_mapping(old)), _flat(as_mapping(new))
    keys = [key for key in {**before, **after} if before.get(key) != after.get(key)]
    constant = {config.schedule for config in (new.matting, new.detector)} == {"constant"}
    free = (*FREE, *LENGTHS) if constant else FREE
    bound = [key for key in keys if not any(key == each or key.startswith(f"{each}.") for each in free)]
    return [f"{key} was {before.get(key)!r} and is now {after.get(key)!r}" for key in bound]


def _spread_preset(document: dict[str, Any], name: str) -> None:
    """Replace the name of a network's preset by its keys; keys written beside it go over them."""
    network = document.get("network", {})
    if isinstance(network, str):
        network = {"preset": network}
    if not isinstance(network, dict):
        raise UsageError(f"{name}: network is {network!r}: give the name of a preset, or keys")
    if "preset" in network:
        own = {key: value for key, value in network.items() if key != "preset"}
        base = presets.as_mapping(presets.load_config(str(network["preset"])))
        del base["flaw_target"]["size"]  # it follows the crop
        network = {**base, **own}
        for group in ("loss", "flaw_target"):
            if isinstance(own.get(group), dict):
                network[group] = {**base[group], **own[group]}
    document["network"] = dict(network)


def _flat(mapping: dict[str, Any], prefix: str = "") -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for key, value in mapping.items():
        flat |= _flat(value, f"{prefix}{key}.") if isinstance(value, dict) else {f"{prefix}{key}": value}
    return flat
