"""How many people slipped through: a stratified random sample of what was kept, labelled by eye.

Label rules and detectors miss people. An audit draws backgrounds at random from every stratum (source and evidence
tier), somebody looks at them, and the share with a person is estimated for each stratum and for the whole, with an
interval. Pure functions; :mod:`matting_data.scanning.audit` reads and writes the files.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby

from matting_data.records.judged import JudgedBackground
from matting_data.seeds import derive_seed

_Z = 1.959963984540054
"""Two-sided 95 % quantile of the normal distribution."""


@dataclass(frozen=True)
class Rate:
    """The share of kept backgrounds that show a person.

    Attributes
    ----------
    stratum : str
        ``source`` or ``source/tier``; ``all`` for the whole.
    kept, labelled, persons : int
        Backgrounds kept, looked at, and found to show a person.
    share, low, high : float
        Estimate and 95 % interval, in [0, 1].
    """

    stratum: str
    kept: int
    labelled: int
    persons: int
    share: float
    low: float
    high: float


def stratum_of(record: JudgedBackground) -> str:
    """Name the stratum of a background: its source, and its evidence tier where labels gave one."""
    return f"{record.source}/{record.tier}" if record.tier else record.source


def draw_sample(kept: Sequence[JudgedBackground], count: int, seed: int) -> list[JudgedBackground]:
    """Draw backgrounds at random from every stratum.

    Parameters
    ----------
    kept : sequence of JudgedBackground
        What the filter kept.
    count : int
        Size of the sample; each stratum gets its proportional share, at least 30 or all it has.
    seed : int
        Another seed, another sample. A larger `count` contains the smaller sample.

    Returns
    -------
    list of JudgedBackground
        Grouped by stratum, in random order within each.
    """
    sample: list[JudgedBackground] = []
    for _, stratum in _strata(kept):
        members = sorted(stratum, key=lambda record: derive_seed(seed, "audit", record.id))
        share = math.ceil(count * len(members) / len(kept))
        sample += members[: max(share, 30)]
    return sample


def estimate(kept: Sequence[JudgedBackground], labels: Mapping[str, bool]) -> list[Rate]:
    """Estimate the residual share of persons, by stratum and over all.

    Parameters
    ----------
    kept : sequence of JudgedBackground
        What the filter kept.
    labels : mapping
        Background id → whether it shows a person; ids that are not in `kept` are ignored.

    Returns
    -------
    list of Rate
        One a stratum, then ``all``: the strata weighted by their size. Intervals are Wilson's; that of the whole uses
        the effective sample size of the stratified estimate (Korn and Graubard, "Confidence Intervals for
        Proportions with Small Expected Number of Positive Counts Estimated from Survey Data", 1998).
    """
    rates = []
    for name, stratum in _strata(kept):
        seen = [labels[record.id] for record in stratum if record.id in labels]
        low, high = wilson(sum(seen), len(seen))
        share = sum(seen) / len(seen) if seen else math.nan
        rates.append(Rate(name, len(stratum), len(seen), sum(seen), share, low, high))
    return [*rates, _whole([rate for rate in rates if rate.labelled], len(kept))]


def wilson(successes: float, trials: float) -> tuple[float, float]:
    """Compute Wilson's 95 % interval of a proportion (1927); (0, 1) where nothing was tried."""
    if trials <= 0:
        return 0.0, 1.0
    share = successes / trials
    centre = share + _Z**2 / (2 * trials)
    reach = _Z * math.sqrt(share * (1 - share) / trials + _Z**2 / (4 * trials**2))
    scale = 1 + _Z**2 / trials
    return max(0.0, (centre - reach) / scale), min(1.0, (centre + reach) / scale)


def _strata(kept: Sequence[JudgedBackground]) -> list[tuple[str, list[JudgedBackground]]]:
    return [(name, list(members)) for name, members in groupby(sorted(kept, key=stratum_of), key=stratum_of)]


def _whole(rates: Sequence[Rate], kept: int) -> Rate:
    labelled, persons = sum(rate.labelled for rate in rates), sum(rate.persons for rate in rates)
    if not labelled:
        return Rate("all", kept, 0, 0, math.nan, 0.0, 1.0)
    covered = sum(rate.kept for rate in rates)
    share = sum(rate.kept / covered * rate.share for rate in rates)
    variance = sum((rate.kept / covered) ** 2 * rate.share * (1 - rate.share) / rate.labelled for rate in rates)
    effective = share * (1 - share) / variance if variance > 0 else labelled
    low, high = wilson(share * effective, effective)
    return Rate("all", kept, labelled, persons, share, low, high)
