"""The scales in which papers print the same numbers.

The SAFE-Net paper's captions cannot all be meant: SAD in 1e-4 of a mean would be smaller than its MSE. The raw values
are kept, and three readings are printed side by side.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from matting_data.evaluation.conventions import Convention


@dataclass(frozen=True)
class Column:
    """One column of a view.

    Attributes
    ----------
    metric : str
        Raw value it is made of.
    label : str
        Heading, with its scale.
    factor : float
        What the raw value is multiplied by.
    per_pixel : bool
        Divide a sum by the number of pixels that count, image by image.
    """

    metric: str
    label: str
    factor: float = 1.0
    per_pixel: bool = False

    def value(self, values: Mapping[str, float], pixels: int) -> float:
        """Compute an image's value in this column."""
        return values[self.metric] * self.factor / (pixels if self.per_pixel else 1)


@dataclass(frozen=True)
class View:
    """A named set of columns and what it stands for."""

    name: str
    meaning: str
    columns: tuple[Column, ...]


FIELD = View(
    "field",
    "as most papers print them",
    (
        Column("mse", "MSE"),
        Column("mad", "MAD"),
        Column("sad", "SAD/1e3", 1e-3),
        Column("gradient", "Grad/1e3", 1e-3),
        Column("connectivity", "Conn/1e3", 1e-3),
    ),
)

PAPER_LITERAL = View(
    "paper-literal",
    "the captions of the SAFE-Net paper, word for word: a summed SAD in 1e-4, Grad and Conn as means in 1e-3",
    (
        Column("mse", "MSE·1e4", 1e4),
        Column("sad", "SAD·1e-4", 1e-4),
        Column("gradient", "Grad·1e3/px", 1e3, per_pixel=True),
        Column("connectivity", "Conn·1e3/px", 1e3, per_pixel=True),
    ),
)

PAPER_LIKELY = View(
    "paper-likely",
    "what its numbers fit best: as before, with SAD divided by 1000",
    (Column("mse", "MSE·1e4", 1e4), Column("sad", "SAD/1e3", 1e-3), *PAPER_LITERAL.columns[2:]),
)

VIEWS = (FIELD, PAPER_LITERAL, PAPER_LIKELY)

_LABELS = {"mse": "MSE", "mad": "MAD", "sad": "SAD", "gradient": "Grad", "connectivity": "Conn"}


def view_of(convention: Convention) -> View:
    """Build the view of a convention: its own metrics in its own scale."""
    columns = tuple(Column(metric, _LABELS[metric]) for metric in convention.metrics)
    return View(f"like {convention.name}", convention.rule, columns)
