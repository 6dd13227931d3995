"""Near-duplicates and outliers in FiftyOne: its similarity search, uniqueness and map, on features of ours."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from matting_data.browsing.entries import identity_of
from matting_data.browsing.features import features_of, nearest_distances, read_picture
from matting_data.browsing.importing import IDENTITY
from matting_data.browsing.views import similarity_views
from matting_data.errors import UsageError
from matting_data.running.progress import bar

SEARCH, MAP = "similar", "map"
"""Names under which FiftyOne knows the index and the map."""

UNIQUENESS, NEAREST = "uniqueness", "nearest"


def add_similarity(fo: Any, dataset: Any, model: Path | None, workers: int) -> bool:
    """Let similar pictures be found: an index to search, a map, two fields and the views that sort by them.

    Parameters
    ----------
    fo : module
        From :func:`matting_data.browsing.database.open_fiftyone`.
    dataset : fiftyone.Dataset
        Imported; samples that show a placeholder take no part.
    model : Path or None
        A local ONNX network for the features; thumbnails without.
    workers : int
        Threads that read pictures.

    Returns
    -------
    bool
        False where nothing had changed since the last time.

    Raises
    ------
    UsageError
        The network does not fit, or there are fewer than three pictures.
    """
    import fiftyone.brain as brain

    shown = dataset.match(fo.ViewField("in_cache") == True)  # noqa: E712 - an expression of the database
    features, name = features_of(model)
    identities, paths = shown.values([IDENTITY, "filepath"])
    state = identity_of(name, *identities)
    if dataset.info.get("similarity") == state and dataset.has_brain_run(SEARCH):
        return False
    if len(paths) < 3:
        raise UsageError(f"{dataset.name} has {len(paths)} pictures to compare: at least 3 are needed")
    vectors = []
    with ThreadPoolExecutor(max(1, workers)) as pool, bar(len(paths), "comparing", "pictures") as progress:
        for vector in pool.map(lambda path: features(read_picture(path)), paths):
            vectors.append(vector)
            progress.update(1)
    embeddings = np.stack(vectors)
    for key in (SEARCH, MAP, UNIQUENESS):
        if dataset.has_brain_run(key):
            dataset.delete_brain_run(key)
    shown.set_values(NEAREST, [float(distance) for distance in nearest_distances(embeddings)])
    with _quiet():
        search = {"brain_key": SEARCH, "backend": "sklearn", "metric": "cosine"}
        index = brain.compute_similarity(shown, embeddings=embeddings, **search)
        brain.compute_uniqueness(shown, uniqueness_field=UNIQUENESS, similarity_index=index)
        brain.compute_visualization(shown, embeddings=embeddings, brain_key=MAP, method="pca")
    for view, what, description in similarity_views(dataset, NEAREST, UNIQUENESS):
        dataset.save_view(view, what, description=description, overwrite=True)
    dataset.info["similarity"] = state
    dataset.save()
    return True


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep FiftyOne from printing each step."""
    logger = logging.getLogger("fiftyone")
    level = logger.level
    logger.setLevel(logging.WARNING)
    try:
        yield
    finally:
        logger.setLevel(level)
