"""Distributions as small inline SVG: no script, no font, no file beside the page."""

from __future__ import annotations

import html
from collections.abc import Callable, Mapping, Sequence

import numpy as np

from matting_data.records.stored import Sample

COLOURS = {"train": "#4878a8", "test": "#d9822b"}

MEASURES: dict[str, Callable[[Sample], float]] = {
    "size, megapixels": lambda row: row.width * row.height / 1e6,
    "alpha coverage, mean alpha": lambda row: row.coverage,
    "soft pixels, share of the image": lambda row: row.soft,
}
"""What is measured of each sample, by the title of its chart."""

_WIDTH, _HEIGHT, _LEFT, _BOTTOM, _TOP = 420, 190, 44, 34, 22


def histogram(title: str, values: Mapping[str, Sequence[float]], bins: int = 30, whole: bool = False) -> str:
    """Draw how values of each split are distributed.

    Parameters
    ----------
    title : str
        Over the chart.
    values : mapping
        Split → values, at least 0.
    bins : int
        Bars; as many as there are numbers for `whole` ones, if these are fewer.
    whole : bool
        Values are whole numbers, one bar each.
    """
    largest = max((max(v, default=0.0) for v in values.values()), default=0.0)
    if whole:
        edges = np.arange(0.5, max(1.0, largest) + 1.0) if largest < bins else np.linspace(0.5, largest + 0.5, bins + 1)
    else:
        edges = np.linspace(0, largest * 1.001 or 1.0, bins + 1)
    counts = {split: np.histogram(found, edges)[0] for split, found in values.items()}
    top = max((int(c.max()) for c in counts.values()), default=0) or 1
    plot_width, plot_height = _WIDTH - _LEFT - 8, _HEIGHT - _TOP - _BOTTOM
    step = plot_width / (len(edges) - 1)
    bars = []
    for number, (split, found) in enumerate(counts.items()):
        width = step / len(counts)
        for place, count in enumerate(found):
            if count:
                height = plot_height * int(count) / top
                x, y = _LEFT + place * step + number * width, _TOP + plot_height - height
                label = f"{edges[place]:.3g} to {edges[place + 1]:.3g}: {count} {split}"
                bars.append(
                    f'<rect x="{x:.1f}" y="{y:.1f}" width="{max(width - 0.6, 0.6):.1f}" height="{height:.1f}" '
                    f'fill="{COLOURS.get(split, "#777")}"><title>{html.escape(label)}</title></rect>'
                )
    base = _TOP + plot_height
    low, high = (edges[0] + 0.5, edges[-1] - 0.5) if whole else (edges[0], edges[-1])
    ticks = [(_LEFT, low), (_LEFT + plot_width / 2, (low + high) / 2), (_LEFT + plot_width, high)]
    axis = "".join(
        f'<text x="{x:.0f}" y="{base + 15}" text-anchor="{side}">{value:.3g}</text>'
        for (x, value), side in zip(ticks, ("start", "middle", "end"), strict=True)
    )
    return (
        f'<svg viewBox="0 0 {_WIDTH} {_HEIGHT}" role="img" aria-label="{html.escape(title)}">'
        f'<text class="title" x="{_LEFT}" y="14">{html.escape(title)}</text>'
        f'<line x1="{_LEFT}" y1="{base}" x2="{_WIDTH - 8}" y2="{base}" stroke="#999"/>'
        f'<text x="{_LEFT - 6}" y="{_TOP + 9}" text-anchor="end">{top:,}</text>'
        f'<text x="{_LEFT - 6}" y="{base}" text-anchor="end">0</text>{axis}{"".join(bars)}</svg>'
    )


def legend(splits: Sequence[str]) -> str:
    """Name the colours."""
    return " ".join(
        f'<span class="key" style="background:{COLOURS.get(s, "#777")}"></span>{html.escape(s)}' for s in splits
    )
