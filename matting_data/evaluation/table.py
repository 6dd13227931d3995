"""From scores of images to a table of means: over all, by subset, and by the source of the background.

Every mean is the mean of the images' own values, never of pooled pixels.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import islice
from operator import attrgetter

import numpy as np

from matting_data.errors import UsageError
from matting_data.evaluation.bootstrap import intervals
from matting_data.evaluation.columns import VIEWS, View
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


class Accumulator:
    """Collects scores, in any order, and makes tables of them.

    Parameters
    ----------
    views : sequence of View
        The scales to print; the three of the paper and the field by default.
    """

    def __init__(self, views: Sequence[View] = VIEWS) -> None:
        self._views = tuple(views)
        self._scores: dict[str, ImageScore] = {}

    def add(self, score: ImageScore) -> None:
        """Take one image; UsageError where one of this key was added before."""
        if score.key in self._scores:
            raise UsageError(f"the image {score.key!r} was added twice: give every image a key of its own")
        self._scores[score.key] = score

    @property
    def scores(self) -> list[ImageScore]:
        """Everything added, sorted by key."""
        return [self._scores[key] for key in sorted(self._scores)]

    def table(self, seed: int = 0, resamples: int = 2000) -> Table:
        """Return the table of what was scored so far.

        Parameters
        ----------
        seed, resamples : int
            Of the bootstrap; same seed and same images, same table, whatever the order in which they came.

        Raises
        ------
        UsageError
            Nothing was scored.
        """
        scored = [score for score in self.scores if score.values]
        failed = Counter(score.reason for score in self.scores if not score.values)
        if not scored:
            reasons = ", ".join(f"{count} {reason}" for reason, count in failed.items()) or "there are none"
            raise UsageError(f"no image could be scored ({reasons}): check --predictions and --data")
        groups = [self._group("all", "", scored, seed, resamples)]
        for kind, of in (("subset", attrgetter("subset")), ("background source", attrgetter("source"))):
            names = sorted({of(score) for score in scored} - {""})
            groups += [self._group(kind, name, [s for s in scored if of(s) == name], seed, resamples) for name in names]
        noted = Counter(score.note for score in scored if score.note)
        return Table(self._views, tuple(groups), dict(sorted(failed.items())), dict(sorted(noted.items())))

    def _group(self, kind: str, name: str, scores: list[ImageScore], seed: int, resamples: int) -> Group:
        columns = [column for view in self._views for column in view.columns]
        values = np.array([[column.value(score.values, score.pixels) for column in columns] for score in scores])
        clusters = [score.foreground or score.key for score in scores]
        spread = intervals(values, clusters, f"{kind} {name}", seed, resamples)
        # a sum in double precision of at most millions of values of one sign
        cells = iter([Cell(float(mean), ends) for mean, ends in zip(values.mean(axis=0), spread, strict=True)])
        by_view = tuple(tuple(islice(cells, len(view.columns))) for view in self._views)
        return Group(kind, name, len(scores), len(set(clusters)), by_view)
