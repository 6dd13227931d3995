"""The distributions of a dataset as one picture."""

from __future__ import annotations

import io
from collections import Counter
from pathlib import Path

import numpy as np

from matting_data.publishing.statistics import Statistics
from matting_data.reporting.charts import COLOURS, MEASURES
from matting_data.storage.atomic import write_bytes


def draw(statistics: Statistics, path: Path) -> None:
    """Draw sizes, coverage, soft share and background use by split, as PNG.

    Parameters
    ----------
    statistics : Statistics
        From :func:`matting_data.publishing.statistics.read_statistics`.
    path : Path
        File to write, atomically.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    # the canvas is set by hand: pyplot would choose one by the screen, and leave it chosen for the caller
    figure = Figure(figsize=(11, 7), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.subplots(2, 2)
    rows = statistics.rows
    splits = [split for split in COLOURS if any(row.split == split for row in rows)]
    for axis, (label, of) in zip(axes.flat[:3], MEASURES.items(), strict=True):
        bins = np.linspace(0, max(map(of, rows), default=1.0) * 1.05, 31)
        for split in splits:
            chosen = [of(row) for row in rows if row.split == split]
            axis.hist(chosen, bins=bins, color=COLOURS[split], alpha=0.7, label=split)
        axis.set(xlabel=label, ylabel="composites")
    axis = axes.flat[3]
    for split in splits:
        uses = Counter(Counter(row.background for row in rows if row.split == split).values())
        axis.bar(list(uses), list(uses.values()), color=COLOURS[split], alpha=0.7, label=split)
    axis.set(xlabel="composites a background serves", ylabel="backgrounds")
    for axis in axes.flat if splits else ():
        axis.legend()
    figure.suptitle(f"{statistics.index['name']} {statistics.index['version']}: {len(rows)} composites")
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=100, metadata={"Software": None})
    write_bytes(path, buffer.getvalue())
