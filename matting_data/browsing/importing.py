"""Bringing a FiftyOne dataset up to date with entries: what is new is added, what changed replaced, the rest left."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from concurrent.futures import Executor, ThreadPoolExecutor
from dataclasses import asdict, dataclass
from itertools import islice
from typing import Any

from matting_data.browsing.entries import Entry, Picture
from matting_data.browsing.picture_cache import MediaCache
from matting_data.errors import RefusedError, RejectedInput
from matting_data.running.progress import bar

IDENTITY = "identity"
"""Field by which a sample of FiftyOne knows what it was made of."""

_BATCH = 500


@dataclass(frozen=True)
class Imported:
    """Samples that an import added, replaced, removed and left; and those whose pictures are not in the cache."""

    added: int = 0
    replaced: int = 0
    removed: int = 0
    kept: int = 0
    without_pictures: int = 0

    def line(self) -> str:
        """Say it in a line for people."""
        parts = [f"{count} {name.replace('_', ' ')}" for name, count in asdict(self).items() if count]
        return ", ".join(parts) or "nothing to show"


def is_current(dataset: Any, signature: str, cache: MediaCache) -> bool:
    """Tell whether a dataset was imported whole from the same data, and its pictures are all there still."""
    if dataset.info.get("signature") != signature:
        return False
    return all(cache.holds(name) for names in dataset.values("pictures") for name in names or ())


def import_entries(
    fo: Any, dataset: Any, entries: Iterable[Entry], total: int, cache: MediaCache, workers: int
) -> Imported:
    """Bring a dataset up to date.

    Parameters
    ----------
    fo : module
        From :func:`matting_data.browsing.database.open_fiftyone`.
    dataset : fiftyone.Dataset
        Of an earlier import, maybe an unfinished one, or empty.
    entries : iterable of Entry
        Drawn from lazily: memory does not grow with their pictures.
    total : int
        Their number, for the bar.
    cache : MediaCache
        Gets the pictures; where they do not fit, a sample shows a placeholder.
    workers : int
        Threads that make pictures.
    """
    known: dict[str, tuple[str, str, bool]] = {}
    if dataset.count():
        columns = dataset.values(["key", "id", IDENTITY, "in_cache"])
        known = {key: (identity, digest, shown) for key, identity, digest, shown in zip(*columns, strict=True)}
    counts: Counter[str] = Counter()
    seen: set[str] = set()
    names: set[str] = set()
    schema: set[str] = set()
    with ThreadPoolExecutor(max(1, workers)) as pool, bar(total, "importing", "samples") as progress:
        remaining = iter(entries)
        while batch := list(islice(remaining, _BATCH)):
            shown = _unpacked(batch, cache, pool)
            fresh = []
            for entry in batch:
                seen.add(entry.key)
                names.update(picture.name for picture in entry.pictures)
                counts["without_pictures"] += not shown[entry.key]
                same = entry.key in known and known[entry.key][1:] == (entry.identity, shown[entry.key])
                counts["kept" if same else "replaced" if entry.key in known else "added"] += 1
                if not same:
                    fresh.append(entry)
            old = [known[entry.key][0] for entry in fresh if entry.key in known]
            if old:
                dataset.delete_samples(old)
            if fresh:
                samples = [_sample(fo, entry, shown[entry.key], cache) for entry in fresh]
                fields = {name for sample in samples for name in sample.field_names if sample[name] is not None}
                dataset.add_samples(samples, expand_schema=not fields <= schema, progress=False)
                schema |= fields
            progress.update(len(batch))
    gone = [identity for key, (identity, _, _) in known.items() if key not in seen]
    if gone:
        dataset.delete_samples(gone)
    cache.keep_only(names)
    return Imported(removed=len(gone), **counts)


def _unpacked(batch: Sequence[Entry], cache: MediaCache, pool: Executor) -> dict[str, bool]:
    """Put pictures into the cache; return which entries have all of theirs there, by key."""
    # samples of one person share its alpha: each file is made by one thread only
    pictures = list({picture.name: picture for entry in batch for picture in entry.pictures}.values())
    there = {p.name: done for p, done in zip(pictures, pool.map(lambda p: _put(p, cache), pictures), strict=True)}
    return {entry.key: all(there[picture.name] for picture in entry.pictures) for entry in batch}


def _put(picture: Picture, cache: MediaCache) -> bool:
    """Put a picture into the cache; False where it does not fit or cannot be made."""
    if cache.holds(picture.name):
        return True
    try:
        data = picture.make()
    except (RejectedInput, RefusedError, OSError):  # its pixels are not at hand
        return False
    return cache.put(picture.name, data)


def _sample(fo: Any, entry: Entry, shown: bool, cache: MediaCache) -> Any:
    path = cache.path(entry.image.name) if shown else cache.placeholder()
    width, height = entry.size
    sample = fo.Sample(
        filepath=str(path),
        metadata=fo.ImageMetadata(width=width, height=height, num_channels=3),
        key=entry.key,
        **{name: value for name, value in entry.fields.items() if value is not None},
        **{
            name: fo.Detections(
                detections=[fo.Detection(label=b.label, bounding_box=list(b.box), confidence=b.score) for b in found]
            )
            for name, found in entry.boxes.items()
        },
    )
    for field, picture in entry.overlays.items() if shown else ():
        place = str(cache.path(picture.name))
        labels = field == "trimap"
        sample[field] = fo.Segmentation(mask_path=place) if labels else fo.Heatmap(map_path=place, range=[0, 255])
    sample["in_cache"] = shown
    sample["pictures"] = [picture.name for picture in entry.pictures] if shown else []
    sample[IDENTITY] = entry.identity
    return sample
