"""The first stage: inputs as their sources list them. What is unknown is None, and null in tables."""

from __future__ import annotations

from dataclasses import dataclass

from matting_data.records.codes import Colour, LabelReason, Outcome, Reason, Split, State


@dataclass(frozen=True, slots=True)
class FoundForeground:
    """One foreground before its files are opened.

    Attributes
    ----------
    id : str
        ``<source>-<path as slug>``; letters, digits, ``-`` and ``_``.
    source : str
        Name of the source.
    image, alpha : str or None
        Paths below the source's folders; no `alpha` for cut-outs, and neither is known where its partner is missing.
    split, subset, person, license, author, url : str or None
        From the recipe or the source's metadata; a plan gives every usable foreground its `split`.
    colour : {"estimated", "as_is"}
        Whether clean colours are estimated at soft pixels.
    opaque_from : int
        Alpha levels from this one on count as 255.
    state : {"ok", "rejected", "failed"}
        Whether it can be used so far.
    reason, detail : str or None
        Why not, and what was found; of usable ones only where people decided.
    """

    id: str
    source: str
    image: str | None
    alpha: str | None = None
    split: Split | None = None
    subset: str | None = None
    person: str | None = None
    license: str | None = None
    author: str | None = None
    url: str | None = None
    colour: Colour = "as_is"
    opaque_from: int = 255
    state: State = "ok"
    reason: Reason | None = None
    detail: str | None = None


@dataclass(frozen=True, slots=True)
class FoundBackground:
    """One background before its file is opened, with what the tables of its source say of it.

    Attributes
    ----------
    id, source : str
        As of foregrounds.
    path : str
        Below the source's folder, or in its tar.
    license : str or None
        As stated.
    offset, bytes : int or None
        Where in the tar its content starts, and how long it is; None for a file of its own.
    rotation : int
        Degrees, counterclockwise, that the source's tables say it must be turned by to stand upright; applied when the
        file itself says nothing of its orientation.
    tier : str or None
        How strong the label evidence for its being without people is; None where its source has no labels.
    label_verdict, label_reason, label_rows : str or None
        What its labels alone lead to, why, and the rows that decided.
    split : {"train", "test"} or None
        Of an official partition; a plan gives every usable background its split.
    state, reason, detail
        As of foregrounds; `reason` is also given for judged ones that are kept.
    """

    id: str
    source: str
    path: str
    license: str | None = None
    offset: int | None = None
    bytes: int | None = None
    rotation: int = 0
    tier: str | None = None
    label_verdict: Outcome | None = None
    label_reason: LabelReason | None = None
    label_rows: str | None = None
    split: Split | None = None
    state: State = "ok"
    reason: Reason | None = None
    detail: str | None = None
