"""From scores of images to a table of means: over all, by subset, and by the source of the background.

Every mean is the mean of the images' own values, never of pooled pixels.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import islice
from operator import attrgetter

import numpy as np

from matting_data.errors import UsageError
from matting_data.evaluation.bootstrap import intervals
from matting_data.evaluation.score_columns import VIEWS, View
from matting_data.evaluation.scoring import ImageScore


@dataclass(frozen=True)
class Cell:
    """A mean and its 95 % bootstrap interval; no interval where there are fewer than two people."""

    mean: float
    interval: tuple[float, float] | None


@dataclass(frozen=True)
class Group:
    """A row of the table.

    Attributes
    ----------
    kind : str
        ``all``, ``subset`` or ``background source``.
    name : str
        Which; empty for all.
    images, people : int
        How many were scored, and of how many foregrounds.
    cells : tuple of tuple of Cell
        For each view, for each of its columns.
    """

    kind: str
    name: str
    images: int
    people: int
    cells: tuple[tuple[Cell, ...], ...]

    @property
    def label(self) -> str:
        """What the row is called."""
        return f"{self.kind}: {self.name}" if self.name else self.kind


@dataclass(frozen=True)
class Table:
    """Means of everything scored; `failed` counts what was not, by reason, and `noted` what was changed first."""

    views: tuple[View, ...]
    groups: tuple[Group, ...]
    failed: dict[str, int]
    noted: dict[str, int]


def tabulate(
    scores: Iterable[ImageScore], views: Sequence[View] = VIEWS, seed: int = 0, resamples: int = 2000
) -> Table:
    """Make the table of the images that were scored.

    Parameters
    ----------
    scores : iterable of ImageScore
        In any order.
    views : sequence of View
        The scales to print; the three of the paper and the field by default.
    seed, resamples : int
        Of the bootstrap; same seed and same images, same table, whatever the order in which they come.

    Raises
    ------
    UsageError
        Nothing was scored.
    """
    scores = sorted(scores, key=attrgetter("key"))
    scored = [score for score in scores if score.values]
    failed = Counter(score.reason for score in scores if not score.values)
    if not scored:
        reasons = ", ".join(f"{count} {reason}" for reason, count in failed.items()) or "there are none"
        raise UsageError(
            "; ".join([f"no image could be scored ({reasons}): check --predictions and --data", *first_reasons(scores)])
        )
    groups = [("all", "", scored)]
    for kind, of in (("subset", attrgetter("subset")), ("background source", attrgetter("source"))):
        names = sorted({of(score) for score in scored} - {""})
        groups += [(kind, name, [score for score in scored if of(score) == name]) for name in names]
    noted = Counter(score.note for score in scored if score.note)
    rows = tuple(_group(*group, views, seed, resamples) for group in groups)
    return Table(tuple(views), rows, dict(sorted(failed.items())), dict(sorted(noted.items())))


def first_reasons(scores: Iterable[ImageScore], count: int = 5) -> list[str]:
    """Say of the first images that were not scored why, a line each."""
    left_out = (score for score in scores if not score.values)
    return [f"{score.key}: {score.reason}: {score.detail}" for score in islice(left_out, count)]


def _group(kind: str, name: str, scores: list[ImageScore], views: Sequence[View], seed: int, resamples: int) -> Group:
    columns = [column for view in views for column in view.columns]
    values = np.array([[column.value(score.values, score.pixels) for column in columns] for score in scores])
    clusters = [score.foreground or score.key for score in scores]
    spread = intervals(values, clusters, f"{kind} {name}", seed, resamples)
    # a sum in double precision of at most millions of values of one sign
    cells = iter([Cell(float(mean), ends) for mean, ends in zip(values.mean(axis=0), spread, strict=True)])
    by_view = tuple(tuple(islice(cells, len(view.columns))) for view in views)
    return Group(kind, name, len(scores), len(set(clusters)), by_view)
