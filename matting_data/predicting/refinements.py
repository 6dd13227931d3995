"""Scoring a network after every refinement, at several sizes, on the floats it predicts."""

from __future__ import annotations

import itertools
import json
from collections.abc import Sequence
from dataclasses import dataclass
from operator import attrgetter
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from matting_data.errors import RejectedInput
from matting_data.evaluation import table_formats
from matting_data.evaluation.score_columns import FIELD, VIEWS
from matting_data.evaluation.scoring import ImageScore, raw_values
from matting_data.evaluation.stop_rule import image_and_truth
from matting_data.evaluation.table import Table, tabulate
from matting_data.evaluation.test_sets import EvaluationSet
from matting_data.imaging.encode import png
from matting_data.networks.safenet.any_size import Size, TooLarge, predict
from matting_data.networks.safenet.presets import as_mapping
from matting_data.predicting.refinement_sheet import refinement_row
from matting_data.predicting.trained_network import Trained
from matting_data.publishing import markdown
from matting_data.reporting.contact_sheet import grid
from matting_data.running.progress import track
from matting_data.seeds import spread
from matting_data.storage.atomic import write_bytes

SIZES: tuple[Size, ...] = ("short_side", "native")


@dataclass(frozen=True)
class Refinements:
    """Tables of a network by size and number of refinements.

    Attributes
    ----------
    data : EvaluationSet
    trained : Trained
    tables : dict
        Size → tables after 0, 1, 2, ... refinements.
    scores : dict
        Size → scores of every image, likewise.
    sheet : list of ndarray
        Rows of pictures, of some images at the first size.
    """

    data: EvaluationSet
    trained: Trained
    tables: dict[Size, list[Table]]
    scores: dict[Size, list[list[ImageScore]]]
    sheet: list[NDArray[np.uint8]]

    @property
    def failed(self) -> int:
        """Number of images that could not be scored."""
        return max(sum(table.failed.values()) for tables in self.tables.values() for table in tables)

    def document(self) -> dict[str, Any]:
        """Convert everything but the pictures to plain values for JSON."""
        trained = self.trained
        return {
            "data": {"name": self.data.name, "identity": self.data.identity, "images": len(self.data.items)},
            "network": {
                "sha256": trained.sha256,
                "short_side": trained.short_side,
                "config": as_mapping(trained.network.config),
            },
            "refinements": trained.refinements,
            "refinements_chosen_on": "people held out of the training split" if trained.chosen else "config",
            "sizes": {
                size: {str(count): table_formats.as_mapping(table) for count, table in enumerate(tables)}
                for size, tables in self.tables.items()
            },
            "images": {
                size: {
                    str(count): [table_formats.score_mapping(each) for each in scores]
                    for count, scores in enumerate(of)
                }
                for size, of in self.scores.items()
            },
        }

    def lines(self) -> list[str]:
        """Say it in lines for people."""
        return self.markdown().removesuffix("\n").split("\n")

    def markdown(self) -> str:
        """Format a table for each size and group; the chosen number of refinements is in bold."""
        header = ["refinements", "images", *(column.label for column in FIELD.columns)]
        blocks = [f"# {self.data.name}", _sentence(self.trained)]
        for size, tables in self.tables.items():
            for place, group in enumerate(tables[0].groups):
                rows = []
                for count, table in enumerate(tables):
                    cells = [table_formats.cell_text(cell) for cell in table.groups[place].cells[0]]
                    name = f"**{count}**" if count == self.trained.refinements else str(count)
                    rows.append([name, str(table.groups[place].images), *cells])
                title = f"## {_SIZE_NAMES[size].format(self.trained.short_side)}, {markdown.plain(group.label)}"
                blocks += [title, markdown.table(header, rows, 1)]
            blocks += [f"not scored: {count} {reason}" for reason, count in tables[0].failed.items()]
        return "\n\n".join(blocks) + "\n"

    def write(self, out: Path) -> list[Path]:
        """Write ``results.json``, ``results.md`` and, where there are pictures, ``sheet.png``."""
        files = {
            "results.json": (json.dumps(self.document(), indent=1, ensure_ascii=False) + "\n").encode(),
            "results.md": self.markdown().encode(),
        }
        if self.sheet:
            files["sheet.png"] = png(grid(self.sheet, columns=1))
        for name, content in files.items():
            write_bytes(out / name, content)
        return [out / name for name in files]


def score_refinements(
    trained: Trained,
    data: EvaluationSet,
    count: int = 5,
    sizes: Sequence[Size] = SIZES,
    shown: int = 8,
    seed: int = 0,
    resamples: int = 2000,
) -> Refinements:
    """Score a network on a test set.

    Parameters
    ----------
    trained : Trained
        From :func:`matting_data.predicting.trained_network.open_trained`.
    data : EvaluationSet
        From :func:`matting_data.evaluation.test_sets.open_test_set`.
    count : int
        The most refinements; a network without any is scored as it is.
    sizes : sequence of {"short_side", "native"}
        Sizes at which the network sees the images; scores are at the images' own size.
    shown : int
        Pictures in the sheet, of as many people as there are.
    seed, resamples : int
        Of the bootstrap.

    Raises
    ------
    DamageError
        A shard is damaged.
    UsageError
        Nothing could be scored.
    """
    network = trained.network
    count = max(count, trained.refinements) if network.config.iterations else 0
    scores: dict[Size, list[list[ImageScore]]] = {size: [[] for _ in range(count + 1)] for size in sizes}
    items = sorted(data.items, key=attrgetter("key"))
    chosen = spread([item.key for item in items], [item.foreground or item.key for item in items], shown, "sheet")
    sheet: list[NDArray[np.uint8]] = []
    for place, item in enumerate(track(items, len(items), "evaluating", "images")):
        try:
            image, truth = image_and_truth(item)
            found = {
                size: predict(
                    network, image, iterations=count, size=size, short_side=trained.short_side
                ).require_finite()
                for size in sizes
            }
        except TooLarge as error:
            for of in itertools.chain.from_iterable(scores.values()):
                of.append(ImageScore(**item.about, reason="memory", detail=str(error)))
            continue
        except RejectedInput as error:
            for of in itertools.chain.from_iterable(scores.values()):
                of.append(ImageScore(**item.about, reason=error.reason, detail=error.detail))
            continue
        height, width = truth.shape
        for size in sizes:
            mattes = found[size]
            for of, matte in zip(scores[size], mattes, strict=True):
                values, pixels = raw_values(matte, truth)
                of.append(ImageScore(**item.about, width=width, height=height, pixels=pixels, values=values))
            if place in chosen and size == sizes[0]:
                trimap = item.read("trimap").get("trimap")
                sheet.append(refinement_row(item.key, image, trimap, truth, mattes, trained.refinements))
    tables = {size: [tabulate(each, VIEWS, seed, resamples) for each in of] for size, of in scores.items()}
    return Refinements(data, trained, tables, scores, sheet)


_SIZE_NAMES: dict[Size, str] = {"short_side": "Short side {}", "native": "Native size"}


def _sentence(trained: Trained) -> str:
    how = "chosen on people held out of the training split" if trained.chosen else "as in training"
    return (
        f"Refinements {trained.refinements}, {how}. Means over images with 95 % intervals over people; floats are "
        "scored, not 8-bit files."
    )
