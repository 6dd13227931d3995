"""What the terms of the sources add up to: may the composites be passed on, and under which conditions.

A composite is an adaptation of its foreground and of its background, so the terms of both hold at once. The terms
themselves stand in ``manifests/licenses.csv``; a licence that is not in that table is unknown, and nothing is said of
it but that. Pure functions, and no legal advice.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field

from matting_data.recipes.licenses import License, recognise

UNKNOWN = "unknown"
NO_SHARING = "no_sharing"
NO_DERIVATIVES = "no_derivatives"
CONFLICT = "share_alike_conflict"

BARRIERS = {
    UNKNOWN: "a licence that is unknown or not stated",
    NO_SHARING: "terms that do not allow passing copies on",
    NO_DERIVATIVES: "a licence without derivatives (ND), and a composite is a derivative",
    CONFLICT: "a share-alike licence (SA) that the other source's terms contradict",
}
"""Why a composite may not be redistributed."""


@dataclass(frozen=True)
class LicenseTerms:
    """What the sources of a dataset allow.

    Attributes
    ----------
    foregrounds, backgrounds : mapping
        Licence as stated (empty where none is) → number of inputs used.
    composites : int
        All composites of the dataset.
    barred : int
        Composites that may not be redistributed, for one reason or several.
    barriers : mapping
        Code in :data:`BARRIERS` → composites it bars; a composite may count under several.
    attribution, non_commercial : int
        Composites, of those not barred, that need the authors' names, and that may not be used commercially.
    share_alike : mapping
        Licence id → composites, of those not barred, that have to be passed on under it.
    """

    foregrounds: Mapping[str, int]
    backgrounds: Mapping[str, int]
    composites: int
    barred: int = 0
    barriers: Mapping[str, int] = field(default_factory=dict)
    attribution: int = 0
    non_commercial: int = 0
    share_alike: Mapping[str, int] = field(default_factory=dict)

    @property
    def stated(self) -> list[str]:
        """Every licence as stated, foregrounds first, each once."""
        return list(dict.fromkeys([*sorted(self.foregrounds), *sorted(self.backgrounds)]))

    @property
    def common(self) -> License | None:
        """The one known licence that every source has; None where they differ or one is unknown."""
        found = {recognise(text) for text in self.stated}
        return found.pop() if len(found) == 1 else None


def license_terms(
    foregrounds: Mapping[str, int], backgrounds: Mapping[str, int], composites: Mapping[tuple[str, str], int]
) -> LicenseTerms:
    """Add up the terms of a dataset's sources.

    Parameters
    ----------
    foregrounds, backgrounds : mapping
        Licence as stated → number of inputs that the dataset uses.
    composites : mapping
        (foreground's licence, background's licence) → number of composites.
    """
    barriers: Counter[str] = Counter()
    share_alike: Counter[str] = Counter()
    barred = attribution = non_commercial = 0
    for pair, count in sorted(composites.items()):
        found = [recognise(text) for text in pair]
        known = [entry for entry in found if entry is not None]
        reasons = barriers_of(*found)
        if reasons:
            barred += count
            barriers.update(dict.fromkeys(reasons, count))
            continue
        attribution += count * any(entry.attribution for entry in known)
        non_commercial += count * any(not entry.commercial for entry in known)
        if alike := [entry.id for entry in known if entry.share_alike]:
            share_alike[max(alike)] += count
    return LicenseTerms(
        dict(sorted(foregrounds.items())),
        dict(sorted(backgrounds.items())),
        sum(composites.values()),
        barred,
        {code: barriers[code] for code in BARRIERS if barriers[code]},
        attribution,
        non_commercial,
        dict(sorted(share_alike.items())),
    )


def barriers_of(foreground: License | None, background: License | None) -> list[str]:
    """List why a composite of two sources may not be redistributed, as codes of :data:`BARRIERS`; empty if it may."""
    pair = (foreground, background)
    known = [entry for entry in pair if entry is not None]
    found = {
        UNKNOWN: len(known) < len(pair),
        NO_SHARING: any(not entry.share for entry in known),
        NO_DERIVATIVES: any(entry.share and not entry.adapt for entry in known),
    }
    found[CONFLICT] = not any(found.values()) and _contradict(*known)
    return [code for code, holds in found.items() if holds]


def _contradict(one: License, other: License) -> bool:
    """Tell whether no licence satisfies both: share-alike under two, or with a limit that the other forbids to add."""
    if one.share_alike and other.share_alike:
        # from 2.0 on, a later version of the same licence will do (CC BY-SA 2.0, 4b); 1.0 says nothing of it
        versions = {one.id, other.id}
        return one.family != other.family or (len(versions) > 1 and any(name.endswith("-1.0") for name in versions))
    return any(a.share_alike and a.commercial and not b.commercial for a, b in ((one, other), (other, one)))
