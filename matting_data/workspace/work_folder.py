"""The place of a dataset: who may write to it, and whether what lies there is the same dataset.

Beside the dataset stands ``.work``: check results, estimated colours, the lock, and where the recipe's relative
paths start. It holds nothing a reader needs and can be deleted when a dataset is finished. In an object store only
what workers share lies there (colours, and the lock); the rest is in a folder of the user's cache.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import stat
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from matting_data.configuration import MOST_TEXT, decoded
from matting_data.errors import DamageError, RefusedError, StorageError, UsageError
from matting_data.json_text import parse_json
from matting_data.recipes.recipe import Recipe
from matting_data.recipes.recipe_file import LoadedRecipe, as_mapping, parse_recipe, to_yaml
from matting_data.records.self_hashed import checked_json, checked_metadata, hashed_json
from matting_data.shards.index import INDEX, no_index
from matting_data.shards.names import BACKGROUNDS, MARK, RECIPE, SPLITS
from matting_data.storage import LocalStorage, Location, Storage, open_storage
from matting_data.storage.atomic import TEMPORARY
from matting_data.storage.file_lock import file_is_locked, file_lock
from matting_data.storage.refused import looked_up, refusals
from matting_data.storage.regular_files import read_regular
from matting_data.workspace.locks import LOCK, Held, holder, object_lock

WORK = ".work"

_FOLDERS = ("ledger", BACKGROUNDS, *SPLITS)

_LEFT_OVER = re.compile(
    r"\.work/(CACHEDIR\.TAG.*|base\.json.*|(foregrounds|backgrounds|colours|append|repair|openimages-.*)/.*"
    r"|(polygons|tar)-.*\.parquet)"
    rf"|({'|'.join(_FOLDERS)})/\d{{6,}}\.(tar|parquet){re.escape(TEMPORARY)}\d+"
)
"""Check results and the like, and unfinished shards: nothing of value to anybody else."""

_BASE = "base.json"
_MOST_BYTES = 4 << 30
"""Of what is looked at to tell whose folder it is: index and plan."""

_MARK_TEXT = b"Signature: 8a477f597d28d172789f06886806bc55\n# Check results of mattingdata; may be deleted.\n"


def work_folder(out: Location) -> LocalStorage:
    """Open the folder of check results: inside `out`, or, where that is no folder, in the user's cache.

    Whatever is read there was kept by an earlier command, and believed only where it carries a hash of itself
    (:mod:`matting_data.records.kept_tables`).
    """
    out = open_storage(out)
    if isinstance(out, LocalStorage):
        return out.below(WORK)
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    return LocalStorage(cache / "mattingdata" / "work" / hashlib.sha256(out.name.encode()).hexdigest()[:32])


def witness(out: Storage) -> Iterator[Path]:
    """Yield a file that whoever sees the folder of `out` finds there; none where it is no folder."""
    if isinstance(out, LocalStorage):
        yield out.path / MARK


def colour_store(out: Location) -> Storage:
    """Open the storage in which estimated colours are kept: with the dataset, for all workers."""
    return open_storage(out).below(f"{WORK}/colours")


@contextmanager
def locked(out: Location) -> Iterator[Held]:
    """Hold `out` for one build.

    Yields
    ------
    callable
        Raises StorageError when another build has taken `out` over; to be called before the index is written.

    Raises
    ------
    StorageError
        Another build holds it, or it cannot be created.
    UsageError
        `out` holds something that is no dataset of ours.
    """
    out = open_storage(out)
    refuse_foreign(out)
    busy = f"another build is writing to {out}: wait for it, or choose another --out"
    if not isinstance(out, LocalStorage):
        # whoever shares the user's cache is held off without a doubt
        with file_lock(work_folder(out).path / "lock", busy), object_lock(out) as held:
            out.write(MARK, _MARK_TEXT)
            yield held
        return
    with file_lock(out.path / LOCK, busy, out.root):
        out.write(MARK, _MARK_TEXT)
        _remove_leftovers(out)
        try:
            yield lambda: None  # the kernel takes it from nobody
        finally:
            _remove_leftovers(out)  # of workers that were stopped in mid-shard


def require_begun(out: Storage) -> None:
    """Raise StorageError where the mark is gone that :func:`locked` left: what is written now would be nobody's."""
    if not out.exists(MARK):
        raise StorageError(f"{out} was removed while it was being written: run the same command again")


def _remove_leftovers(out: LocalStorage) -> None:
    """Remove what killed builds left; a link in a folder's place is refused here, before anything is made."""
    for folder in ("", *_FOLDERS):
        out.remove_leftovers(folder)
    out.remove_leftovers(WORK, deep=True)


def locked_since(out: Storage) -> float | None:
    """Tell when the build that is writing to `out` right now began, in seconds since 1970; None where none is."""
    if isinstance(out, LocalStorage):
        return (out.path / LOCK).stat().st_mtime if file_is_locked(out.path / LOCK) else None
    found = holder(out)
    return None if found is None else float(found["began"])


def refuse_foreign(out: Storage) -> None:
    """Raise UsageError when `out` is a file, or holds content that no build of ours left."""
    try:
        names = out.names()
        out.name.encode()
        found = looked_up(out.path) if isinstance(out, LocalStorage) else None
        is_file = found is not None and not stat.S_ISDIR(found.st_mode)
    except RefusedError:
        raise
    except (OSError, ValueError) as error:
        raise StorageError(f"cannot use --out {out.name!a}: {error}; choose another --out") from None
    if is_file:
        raise UsageError(f"--out {out} is a file: name a folder")
    if names and not was_begun(out):
        place = "an empty or new folder" if out.local else "a new prefix"
        raise UsageError(f"{out} is not empty and holds no mattingdata dataset: name {place}")


def was_begun(out: Storage) -> bool:
    """Tell whether a build, or a check of inputs, began in `out`, however far it came."""
    return is_ours(out) or (set() < out.names() <= {WORK, *_FOLDERS} and _holds_leftovers_only(out))


def _holds_leftovers_only(out: Storage) -> bool:
    """Tell whether `out` holds nothing but what a build leaves that ended before it set its mark, or without it.

    The latter happens where somebody removed `out` under a build, which made folders anew before it noticed.
    """
    return all(
        _LEFT_OVER.fullmatch(name) or (name == LOCK and not (out.local and info.size))
        for name, info in out.files(deep=True).items()
    )


def is_ours(out: Storage) -> bool:
    """Tell whether mattingdata made a dataset: by its mark, its index, or its plan; a recipe alone proves nothing."""
    if out.exists(MARK):
        return True
    with suppress(DamageError, KeyError, TypeError):  # absent or damaged: the plan may tell
        if str(parse_json(_content(out, INDEX), INDEX)["format"]).startswith("mattingdata/"):
            return True
    return "plan_sha256" in (checked_metadata(_content(out, "plan.parquet")) or ())


def _content(out: Storage, name: str) -> bytes:
    """Read a file; empty where there is none, or something else in its place."""
    try:
        return out.read_whole(name, _MOST_BYTES)
    except DamageError:
        return b""
    except RefusedError:
        raise
    except StorageError:
        return b""


def refuse_other_recipe(out: Storage, recipe: LoadedRecipe) -> None:
    """Raise UsageError when `out` was begun with another recipe; say which keys differ."""
    if not out.exists(RECIPE):
        return
    before = LoadedRecipe(stored_recipe(out), recipe.base)
    if before.sha256 == recipe.sha256:
        return
    changes = differences(as_mapping(before.recipe), as_mapping(recipe.recipe))
    raise UsageError(
        f"{out} holds the dataset {before.recipe.name!r} of another recipe ({shortened(changes)}): "
        "choose another --out, restore the recipe, or, if it only asks for more, add --append"
    )


def shortened(changes: Sequence[str]) -> str:
    """Join the first four of some changes, and say how many more there are."""
    return ", ".join(changes[:4]) + (f" and {len(changes) - 4} more" if len(changes) > 4 else "")


def differences(before: Any, after: Any, key: str = "") -> list[str]:
    """List what differs between two nested documents as ``key old → new``."""
    if isinstance(before, Mapping) and isinstance(after, Mapping):
        start = f"{key}." if key else ""
        pairs = {f"{start}{name}": (before.get(name), after.get(name)) for name in (*before, *after)}
        return [change for name, (b, a) in pairs.items() for change in differences(b, a, name)]
    if isinstance(before, list) and isinstance(after, list) and len(before) == len(after):
        rows = enumerate(zip(before, after, strict=True))
        return [change for i, (b, a) in rows for change in differences(b, a, f"{key}[{i}]")]
    return [] if before == after else [f"{key} {_short(before)} → {_short(after)}"]


def save_recipe(out: Storage, recipe: LoadedRecipe) -> None:
    """Write the effective recipe, and beside it (not part of the dataset) where its relative paths start."""
    work_folder(out).write(_BASE, hashed_json({"base": str(recipe.base)}))
    out.write(RECIPE, to_yaml(recipe.recipe).encode())


def stored_recipe(out: Location) -> Recipe:
    """Read the recipe of a dataset; UsageError where it is no recipe."""
    out = open_storage(out)
    return parse_recipe(
        decoded(out.read_whole(RECIPE, MOST_TEXT), f"the recipe {out.label(RECIPE)}"), out.label(RECIPE)
    )


def saved_recipe(out: Location, base: Path | None = None) -> LoadedRecipe:
    """Read the recipe of a dataset, with the folder its relative paths start from.

    Parameters
    ----------
    base : Path, optional
        That folder, where the dataset came without its ``.work``.

    Raises
    ------
    UsageError
        `out` holds no dataset.
    DamageError
        It is unfinished, or lacks its recipe.
    """
    out = open_storage(out)
    if not out.exists(RECIPE):
        if out.exists(INDEX):
            raise DamageError(f"{out.label(RECIPE)} is missing: run 'mattingdata repair {out}'")
        raise no_index(out)
    recipe = stored_recipe(out)
    if base is None:
        base = _saved_base(out) or (Path(out.name) if out.local else Path.cwd())
    return LoadedRecipe(recipe, base)


def _saved_base(out: Storage) -> Path | None:
    """Read where the relative paths of a recipe start; None where nothing, or nothing whole, says so."""
    try:
        place = work_folder(out).path / _BASE
        with refusals(place):
            content = read_regular(place, MOST_TEXT)
        found = checked_json(content) or parse_json(content, _BASE)
    except (OSError, DamageError):
        return None
    # earlier versions wrote no hash, and nothing but this key
    whole = isinstance(found, dict) and set(found) == {"base"} and isinstance(found["base"], str)
    return Path(found["base"]) if whole else None


def _short(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= 40 else f"{text[:37]}..."
