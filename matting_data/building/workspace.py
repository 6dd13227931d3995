"""The output folder: who may write to it, and whether what lies there is the same dataset.

Beside the dataset stands ``.work``: check results, estimated colours, the lock, and where the recipe's relative
paths start. It holds nothing a reader needs and can be deleted when a dataset is finished.
"""

from __future__ import annotations

import fcntl
import json
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from matting_data.atomic import remove_leftovers, storage_errors, write_bytes
from matting_data.errors import StorageError, UsageError
from matting_data.recipe_file import LoadedRecipe, as_mapping, load, to_yaml
from matting_data.sealed import unsealed
from matting_data.shards.index import INDEX
from matting_data.shards.layout import BACKGROUNDS, RECIPE, SPLITS

WORK = ".work"

_MARK = "CACHEDIR.TAG"
"""Says that the folder is ours, and to backup programs that it can be made again (bford.info/cachedir)."""

_MARK_TEXT = b"Signature: 8a477f597d28d172789f06886806bc55\n# Check results of mattingdata; may be deleted.\n"


def work_folder(out: Path) -> Path:
    """Return the folder of check results and estimates inside `out`."""
    return out / WORK


@contextmanager
def locked(out: Path) -> Iterator[None]:
    """Hold `out` for one build; the lock goes with the process, however it ends.

    Raises
    ------
    StorageError
        Another build holds it, or it cannot be created.
    UsageError
        `out` holds something that is no dataset of ours.
    """
    refuse_foreign(out)
    _refuse_links(out)
    path = work_folder(out) / "lock"
    with storage_errors(out):
        path.parent.mkdir(parents=True, exist_ok=True)
        stream = os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_NOFOLLOW, 0o644), "w")
        os.utime(path)  # when this build began
        write_bytes(work_folder(out) / _MARK, _MARK_TEXT)
    with stream:
        try:
            fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise StorageError(f"another build is writing to {out}: wait for it, or choose another --out") from None
        _remove_leftovers(out)
        try:
            yield
        finally:
            _remove_leftovers(out)  # of workers that were stopped in mid-shard


def _refuse_links(out: Path) -> None:
    """Refuse folders of a dataset that are links: one made by somebody else could lead anywhere."""
    for name in (WORK, "ledger", BACKGROUNDS, *SPLITS):
        if (out / name).is_symlink():
            raise UsageError(f"{out / name} is a link, and writing there could end anywhere: put a folder in its place")


def _remove_leftovers(out: Path) -> None:
    for folder in (out, out / "ledger", out / BACKGROUNDS, *(out / split for split in SPLITS)):
        remove_leftovers(folder, deep=False)
    remove_leftovers(work_folder(out), deep=True)


def is_locked(out: Path) -> bool:
    """Tell whether a build is writing to `out` right now."""
    try:
        with open(work_folder(out) / "lock") as stream:
            fcntl.flock(stream, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:
        return False
    return False


def refuse_foreign(out: Path) -> None:
    """Raise UsageError when `out` is a file, or a folder with content that no build of ours left."""
    try:
        str(out).encode()
        names = {path.name for path in out.iterdir()} if out.is_dir() else set()
        is_file = out.exists() and not out.is_dir()
    except (OSError, ValueError) as error:
        raise StorageError(f"cannot use --out {str(out)!a}: {error}; choose another --out") from None
    if is_file:
        raise UsageError(f"--out {out} is a file: name a folder")
    if names and not is_ours(out) and not (names == {WORK} and _just_begun(work_folder(out))):
        raise UsageError(f"{out} is not empty and holds no mattingdata dataset: name an empty or new folder")


def _just_begun(work: Path) -> bool:
    """Tell whether a folder holds no more than a build leaves that was killed before it could set its mark."""
    return work.is_dir() and all(
        path.name.startswith(_MARK) or (path.name == "lock" and not path.stat().st_size) for path in work.iterdir()
    )


def is_ours(out: Path) -> bool:
    """Tell whether mattingdata made a folder: by its mark, its index, or its plan; a recipe alone proves nothing."""
    if (work_folder(out) / _MARK).is_file():
        return True
    with suppress(OSError, ValueError, KeyError, TypeError):  # absent or damaged: the plan may tell
        if str(json.loads((out / INDEX).read_bytes())["format"]).startswith("mattingdata/"):
            return True
    try:
        return "plan_sha256" in (unsealed((out / "plan.parquet").read_bytes()) or ())
    except OSError:
        return False


def refuse_other_recipe(out: Path, recipe: LoadedRecipe) -> None:
    """Raise UsageError when `out` was begun with another recipe; say which keys differ."""
    path = out / RECIPE
    if not path.is_file():
        return
    before = load(path)
    if before.sha256 == recipe.sha256:
        return
    changes = differences(as_mapping(before.recipe), as_mapping(recipe.recipe))
    raise UsageError(
        f"{out} holds the dataset {before.recipe.name!r} of another recipe ({shortened(changes)}): "
        "choose another --out, restore the recipe, or, if it only asks for more, add --append"
    )


def shortened(changes: Sequence[str]) -> str:
    """Return the first four of some changes, and how many more there are."""
    return ", ".join(changes[:4]) + (f" and {len(changes) - 4} more" if len(changes) > 4 else "")


def differences(before: Any, after: Any, key: str = "") -> list[str]:
    """List what differs between two nested documents as ``key old → new``."""
    if isinstance(before, Mapping) and isinstance(after, Mapping):
        names = list(dict.fromkeys([*before, *after]))
        return [
            change
            for name in names
            for change in differences(before.get(name), after.get(name), f"{key}.{name}" if key else name)
        ]
    if isinstance(before, list) and isinstance(after, list) and len(before) == len(after):
        pairs = enumerate(zip(before, after, strict=True))
        return [change for i, (b, a) in pairs for change in differences(b, a, f"{key}[{i}]")]
    return [] if before == after else [f"{key} {_short(before)} → {_short(after)}"]


def save_recipe(out: Path, recipe: LoadedRecipe) -> None:
    """Write the effective recipe, and beside it (not part of the dataset) where its relative paths start."""
    write_bytes(work_folder(out) / "base.json", json.dumps({"base": str(recipe.base)}).encode())
    write_bytes(out / RECIPE, to_yaml(recipe.recipe).encode())


def saved_recipe(out: Path, base: Path | None = None) -> LoadedRecipe:
    """Read the recipe of a dataset, with the folder its relative paths start from.

    Parameters
    ----------
    base : Path, optional
        That folder, where the dataset came without its ``.work``.

    Raises
    ------
    UsageError
        `out` holds no dataset.
    """
    path = out / RECIPE
    if not path.is_file():
        raise UsageError(f"{out} holds no dataset: it has no {RECIPE}; name the folder that 'mattingdata build' wrote")
    recipe = load(path).recipe
    if base is None:
        try:
            base = Path(json.loads((work_folder(out) / "base.json").read_text())["base"])
        except (OSError, ValueError, KeyError, TypeError):
            base = out
    return LoadedRecipe(recipe, base)


def _short(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= 40 else f"{text[:37]}..."
