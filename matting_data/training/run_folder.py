"""The folder of a run: what was asked, on what data, with what software, and what came of it, row by row.

config.yaml       the effective config       run.json       dataset, people held out, environment
metrics.jsonl     a row every few steps      watched.jsonl  a row every look at the watched samples
checkpoints/      to continue from           best.safetensors, network.safetensors, result.json
"""

from __future__ import annotations

import json
import os
import platform
import sys
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import safetensors
import torch

from matting_data.errors import DamageError, UsageError
from matting_data.storage.atomic import write_bytes
from matting_data.training.config import TrainConfig
from matting_data.training.config_file import differences, load_config, to_yaml
from matting_data.training.parallel import World
from matting_data.version import __version__

CONFIG, RUN, RESULT = "config.yaml", "run.json", "result.json"
BEST, FINAL = "best.safetensors", "network.safetensors"
METRICS, WATCHED = "metrics.jsonl", "watched.jsonl"


def claim(folder: Path, config: TrainConfig, record: dict[str, Any], resume: bool) -> None:
    """Write what a run is, or check that the folder holds the same run.

    Parameters
    ----------
    folder : Path
    config : TrainConfig
    record : dict
        Of :func:`describe`.
    resume : bool
        Continue what is there.

    Raises
    ------
    UsageError
        The folder holds a run and `resume` is not set, a run of another config or dataset, or something else.
    """
    if not resume or not (folder / CONFIG).is_file():
        if (folder / CONFIG).is_file():
            raise UsageError(f"{folder} holds a run: continue it with --resume, or choose another --out")
        if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
            raise UsageError(f"{folder} holds something else: choose another --out, or an empty folder")
        write_json(folder / RUN, record)
        write_bytes(folder / CONFIG, to_yaml(config).encode())
        return
    if different := differences(load_config(folder / CONFIG), config):
        more = f" and {len(different) - 3} more keys" if len(different) > 3 else ""
        raise UsageError(
            f"{folder} is a run of another config: {', '.join(different[:3])}{more}; continue with its own "
            f"{CONFIG}, or choose another --out"
        )
    before = read_json(folder / RUN)
    for key in ("content_sha256", "split"):
        if before["dataset"][key] != record["dataset"][key]:
            raise UsageError(
                f"{folder} was trained on another dataset ({key} {before['dataset'][key][:16]}, not "
                f"{record['dataset'][key][:16]}): name that one with --data, or choose another --out"
            )
    write_bytes(folder / CONFIG, to_yaml(config).encode())


def describe(
    index: Mapping[str, Any], split: str, samples: int, held_out: tuple[str, ...], world: World
) -> dict[str, Any]:
    """Collect the content of ``run.json``."""
    return {
        "dataset": {
            **{key: index.get(key, "") for key in ("name", "version", "content_sha256")},
            "split": split,
            "samples": samples,
        },
        "held_out": list(held_out),
        "command": sys.argv,
        "environment": {
            "mattingdata": __version__,
            "python": platform.python_version(),
            "platform": platform.platform(),
            "device": torch.cuda.get_device_name(world.device) if world.device.type == "cuda" else str(world.device),
            "processes": world.size,
            "threads": torch.get_num_threads(),
            "cuda": torch.version.cuda,
            "cpus": os.cpu_count(),
            "torch": torch.__version__,
            "numpy": np.__version__,
            "opencv-python-headless": cv2.__version__,
            "safetensors": safetensors.__version__,
        },
    }


def read_rows(path: Path) -> list[dict[str, Any]]:
    """Read a log; a line that a killed process began is left out."""
    if not path.is_file():
        return []
    rows = []
    with suppress(ValueError):
        for line in path.read_text(encoding="utf-8").splitlines():
            rows.append(json.loads(line))  # noqa: PERF401 - what stands before the torn line is kept
    return rows


def write_json(path: Path, document: dict[str, Any]) -> None:
    """Write a JSON document, whole or not at all."""
    write_bytes(path, (json.dumps(document, indent=1, ensure_ascii=False, allow_nan=False) + "\n").encode())


def read_json(path: Path) -> dict[str, Any]:
    """Read a JSON document; DamageError where it cannot be."""
    try:
        return dict(json.loads(path.read_bytes()))
    except (OSError, ValueError) as error:
        raise DamageError(f"{path} cannot be read ({error}): start the run again in another folder") from None
