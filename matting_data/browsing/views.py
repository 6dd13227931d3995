"""The saved views of a FiftyOne dataset: the questions people come with."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

View = tuple[str, Any, str]
"""Name, view and what it shows."""


def composite_views(fo: Any, dataset: Any) -> Iterator[View]:
    """Yield views of composites: by split, subset and person, hardest hair, smallest people, busiest backgrounds."""
    field = fo.ViewField
    for split in sorted(dataset.distinct("split")):
        yield f"split {split}", dataset.match(field("split") == split), f"all of {split}"
    subsets = sorted(dataset.distinct("subset")) if dataset.has_field("subset") else []
    for subset in subsets:
        yield f"subset {subset}", dataset.match(field("subset") == subset), f"all of the subset {subset}"
    by_person = dataset.group_by("foreground", order_by="index")
    yield "by foreground", by_person, "one tile a person; opens on all of its composites"
    yield "hardest hair", dataset.sort_by("soft", reverse=True), "largest share of soft pixels first"
    yield "smallest people", dataset.sort_by("person_share"), "smallest share of the image first"
    most_used = dataset.sort_by([("background_uses", -1), ("background", 1)])
    yield "most used backgrounds", most_used, "composites of the background used most often first"


def background_views(fo: Any, dataset: Any) -> Iterator[View]:
    """Yield views of backgrounds: in doubt, nearly rejected, an audit sample, and one for each reason."""
    field = fo.ViewField
    doubt = (field("verdict") == "review") | (field("reason") == "person_suspected")
    yield "in doubt", dataset.match(doubt).sort_by("score", reverse=True), "the review band, highest score first"
    kept = dataset.match(field("state") == "ok").sort_by("score", reverse=True)
    yield "kept, highest score", kept, "what the filter was least sure to keep first"
    sample = dataset.match(field("audit_sample") == True)  # noqa: E712 - an expression of the database
    yield "audit sample", sample, "what 'mattingdata audit' draws to be looked at"
    for reason in sorted(dataset.match(field("state") != "ok").distinct("reason")):
        rejected = dataset.match((field("state") != "ok") & (field("reason") == reason)).sort_by("score")
        yield f"rejected {reason}", rejected, f"what was rejected as {reason}, lowest score first"


def prediction_views(dataset: Any, metrics: tuple[str, ...]) -> Iterator[View]:
    """Yield a view for each metric, worst first."""
    for metric in metrics:
        if dataset.has_field(metric):
            yield f"worst {metric}", dataset.sort_by(metric, reverse=True), f"highest {metric} first"


def similarity_views(dataset: Any, nearest: str, uniqueness: str) -> Iterator[View]:
    """Yield views by two fields: the distance to the nearest other picture, and uniqueness."""
    yield "nearly the same", dataset.exists(nearest).sort_by(nearest), "smallest distance to another picture first"
    yield "most unusual", dataset.exists(uniqueness).sort_by(uniqueness, reverse=True), "least like any other first"


def save_views(dataset: Any, views: Iterator[View]) -> None:
    """Save views under their names; those that an earlier import saved and no longer apply go."""
    named = {name: (view, what) for name, view, what in views}
    for name in dataset.info.get("views", []):
        if name not in named and dataset.has_saved_view(name):
            dataset.delete_saved_view(name)
    for name, (view, what) in named.items():
        dataset.save_view(name, view, description=what, overwrite=True)
    dataset.info["views"] = list(named)
    dataset.save()
