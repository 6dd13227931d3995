"""Scoring a folder of predictions against a test set, in parallel."""

from __future__ import annotations

import json
import logging
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from operator import attrgetter
from pathlib import Path
from typing import Any

from matting_data.errors import UsageError
from matting_data.evaluation import table_formats
from matting_data.evaluation.conventions import convention
from matting_data.evaluation.score_columns import VIEWS, view_of
from matting_data.evaluation.scoring import ImageScore, ScoringOptions, score_image
from matting_data.evaluation.table import Table, first_reasons, tabulate
from matting_data.evaluation.test_sets import EvaluationSet, prediction_files
from matting_data.running.executor import run
from matting_data.running.progress import track
from matting_data.storage.atomic import write_bytes

_LOG = logging.getLogger(__package__)


@dataclass(frozen=True)
class Evaluation:
    """What came of an evaluation.

    Attributes
    ----------
    name : str
        Of the test set.
    scores : sequence of ImageScore
        One an image of the test set, sorted by key.
    table : Table
        Their means.
    extra : sequence of str
        Predictions that belong to no image of the test set; they were left alone.
    """

    name: str
    scores: Sequence[ImageScore]
    table: Table
    extra: Sequence[str]

    @property
    def failed(self) -> int:
        """Number of images that could not be scored."""
        return sum(self.table.failed.values())

    def lines(self) -> list[str]:
        """Say it in lines for people."""
        lines = [f"{self.name}: {len(self.scores) - self.failed} of {len(self.scores)} images scored", ""]
        lines += table_formats.text(self.table).splitlines()
        if self.extra:
            shown = ", ".join(self.extra[:3]) + (", ..." if len(self.extra) > 3 else "")
            lines.append(f"{len(self.extra)} predictions belong to no image and were left alone: {shown}")
        return [*lines, *first_reasons(self.scores)]

    def document(self) -> dict[str, Any]:
        """Convert everything to plain values for JSON."""
        return {
            "name": self.name,
            **table_formats.as_mapping(self.table),
            "extra": list(self.extra),
            "images": [table_formats.score_mapping(score) for score in self.scores],
        }

    def json(self) -> str:
        """Encode everything as one JSON document."""
        return json.dumps(self.document(), indent=1, ensure_ascii=False)

    def write(self, out: Path) -> list[Path]:
        """Write ``images.csv``, ``summary.csv``, ``evaluation.json``, ``table.md`` and ``table.tex`` to a folder."""
        files = {
            "images.csv": table_formats.images_csv(self.scores),
            "summary.csv": table_formats.summary_csv(self.table),
            "evaluation.json": self.json() + "\n",
            "table.md": table_formats.markdown(self.table),
            "table.tex": table_formats.latex(self.table),
        }
        for name, content in files.items():
            write_bytes(out / name, content.encode())
        return [out / name for name in files]


def evaluate(
    predictions: Path,
    data: EvaluationSet,
    options: ScoringOptions | None = None,
    workers: int = 1,
    seed: int = 0,
    resamples: int = 2000,
) -> Evaluation:
    """Score a folder of predictions.

    Parameters
    ----------
    predictions : Path
        Holds one image an item, named as its key, with any suffix.
    data : EvaluationSet
        From :func:`matting_data.evaluation.test_sets.open_test_set`.
    options : ScoringOptions, optional
        Region, convention, and what happens to missing predictions and those of another size.
    workers : int
        Processes; the result does not depend on it.
    seed, resamples : int
        Of the bootstrap.

    Raises
    ------
    UsageError
        The folder is missing or ambiguous, the convention unknown, or nothing could be scored.
    DamageError
        A shard is damaged.
    """
    options = options or ScoringOptions()
    if options.like and (options.region != "whole" or options.paste):
        raise UsageError(f"--like {options.like} decides the region and the pasting: leave out --region and --paste")
    views = (view_of(convention(options.like)),) if options.like else VIEWS
    files = prediction_files(predictions)
    jobs = [(item, files.get(item.key)) for item in data.items]
    _LOG.info("scoring %d predictions in %s against %s", len(files), predictions, data.name)
    results = run(partial(score_image, options=options), jobs, min(workers, len(jobs)))
    done = track(results, len(jobs), "scoring", "images")
    scores = sorted(done, key=attrgetter("key"))
    extra = sorted(set(files) - {item.key for item in data.items})
    _LOG.info("scored %d images of %s; %d predictions are of none of them", len(scores), data.name, len(extra))
    return Evaluation(data.name, scores, tabulate(scores, views, seed, resamples), extra)
