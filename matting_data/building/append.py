"""Adding to a dataset that was built before: what may change, and how a kill in between is survived.

New shards are made beside the old ones, under names that the old index does not list. Only when all are there, the
index goes, tables and recipe are replaced, and the new index is written. What is about to replace them waits in
``.work/append`` until then: the next run lets it, if a kill left some old and some new.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from matting_data.errors import UsageError
from matting_data.planning.apply_decisions import MOVED, REASONS, REJECTED
from matting_data.planning.plan import Plan
from matting_data.recipes.recipe import Recipe
from matting_data.recipes.recipe_file import LoadedRecipe, as_mapping, parse_recipe
from matting_data.records.checked import CheckedForeground
from matting_data.records.judged import JudgedBackground
from matting_data.records.planned import PlannedBackground, PlannedForeground
from matting_data.shards.index import INDEX, read_index
from matting_data.shards.names import RECIPE
from matting_data.storage import Storage
from matting_data.version import tool_versions
from matting_data.workspace import work_folder as workspace
from matting_data.workspace.plan_tables import APPENDED, PLAN, TABLES, read_plan_metadata, save_plan, saved_plan

_MAY_CHANGE = ("version", "foregrounds.sources", "foregrounds.expect", "backgrounds.sources", "overrides")
"""Keys of a recipe that decide nothing about composites that are there; sources are compared by what they hold."""

_STAGED = f"{workspace.WORK}/append"


@dataclass(frozen=True)
class Earlier:
    """What a folder holds before a build: the recipe and the plan that it was made of."""

    recipe: Recipe
    plan: Plan


def earlier_state(out: Storage) -> Earlier | None:
    """Return what `out` holds; None before there is a plan.

    Raises
    ------
    DamageError
        There is a plan, and one of its tables cannot be read.
    """
    seal = read_plan_metadata(out)
    return Earlier(parse_recipe(seal[RECIPE], out.label(RECIPE)), saved_plan(out)) if seal else None


def appended_state(out: Storage) -> Earlier | None:
    """Return what :func:`earlier_state` does where it was appended to before; None elsewhere."""
    return earlier_state(out) if APPENDED in read_plan_metadata(out) else None


def refuse_alterations(out: Storage, before: Recipe, after: Recipe) -> None:
    """Raise UsageError when a recipe would alter composites that are there already; name what would.

    What may change: the version, the lists of sources, the counts that are expected, and ``per_foreground``, upwards.
    """
    if before.store.kind == "layers" or after.store.kind == "layers":
        raise UsageError(
            f"{out} would be a store of layers, whose tars of backgrounds cannot be added to: "
            "leave out --append and build into another --out"
        )
    old, new = as_mapping(before), as_mapping(after)
    for document in (old, new):
        for key in _MAY_CHANGE:
            section, _, name = key.rpartition(".")
            (document[section] if section else document).pop(name, None)
    if after.composites.per_foreground >= before.composites.per_foreground:
        for document in (old, new):
            document["composites"].pop("per_foreground")
    changes = workspace.differences(old, new)
    if changes:
        raise UsageError(
            f"--append leaves finished composites as they are, and the recipe would alter them "
            f"({workspace.shortened(changes)}): restore these keys, or choose another --out"
        )


def refuse_other_tools(out: Storage) -> None:
    """Raise UsageError when other versions of the tools made the finished shards, which would be made again."""
    if not out.exists(INDEX):
        return
    changed = workspace.differences(read_index(out)["tools"], tool_versions())
    if changed:
        raise UsageError(
            f"--append keeps finished shards, and other versions made those of {out} "
            f"({workspace.shortened(changed)}): install these, or choose another --out"
        )


def refuse_lost_inputs(out: Storage, before: Plan, after: Plan) -> None:
    """Raise UsageError when inputs of the earlier plan are gone or altered, unless people decided so."""
    changes = _lost("foregrounds", before.foregrounds, after.foregrounds)
    changes += _lost("backgrounds", before.backgrounds, after.backgrounds)
    if changes:
        raise UsageError(
            f"{out} was made of inputs that have changed since ({', '.join(changes)}): restore them, since finished "
            "composites stay as they are, or choose another --out"
        )


def refuse_additions(out: Storage, before: Plan, after: Plan) -> None:
    """Raise UsageError when a build without ``--append`` would add to a dataset that was appended to before."""
    had = {composite.key for composite in before.composites}
    count = sum(composite.key not in had for composite in after.composites)
    if count:
        raise UsageError(
            f"the inputs of {out} have changed since it was last appended to, and {count} composites would be new: "
            "add --append, or restore the inputs"
        )


def alters_finished(out: Storage, before: Plan, after: Plan, retry: bool) -> bool:
    """Tell whether shards that the index of `out` lists are to be made again, or removed."""
    if not out.exists(INDEX):
        return False
    if retry and read_index(out)["ledger"]["composites"]["failed"]:
        return True
    now = after.shards()
    people, used = after.usable_foregrounds(), before.usable_foregrounds()
    return any(
        now.get(place) != rows or any(used[row.foreground] != people.get(row.foreground) for row in rows)
        for place, rows in before.shards().items()
    )


def stage(out: Storage, plan: Plan, recipe: LoadedRecipe) -> None:
    """Keep what is about to replace the tables and the recipe of `out`, the plan last."""
    staged = _staged(out)
    staged.remove(PLAN)
    save_plan(staged, plan, recipe)


def unstage(out: Storage) -> None:
    """Remove what :func:`stage` kept, the plan first."""
    _staged(out).remove(PLAN)
    out.remove_folder(_STAGED)


def settle(out: Storage) -> None:
    """Let the tables that an interrupted append was replacing be replaced, if it came so far.

    Without an index, those in place may be some old and some new: what was staged is whole.
    """
    staged = _staged(out)
    seal = read_plan_metadata(staged)
    if not seal or out.exists(INDEX):
        return
    for name in TABLES:
        out.write(name, staged.read(name))
    out.write(RECIPE, seal[RECIPE].encode())
    unstage(out)


def coming_plan(out: Storage) -> Storage:
    """Return where the plan lies that `out` is being built after: in itself, or where an append keeps its own."""
    staged = _staged(out)
    seal = read_plan_metadata(staged)
    return staged if seal and seal != read_plan_metadata(out) else out


def _staged(out: Storage) -> Storage:
    return out.below(_STAGED)


def _lost(
    kind: str,
    before: Sequence[CheckedForeground] | Sequence[JudgedBackground],
    after: Sequence[CheckedForeground] | Sequence[JudgedBackground],
) -> list[str]:
    now = {record.id: record for record in after}
    gone, rejected, altered = 0, 0, 0
    for record in before:
        if record.state != "ok":
            continue
        found = now.get(record.id)
        if found is None or found.state == "failed":
            gone += 1
        elif found.state != "ok":
            rejected += found.reason not in (REJECTED, *REASONS.values())
        else:
            altered += _decided(found) != _decided(record)
    counts = {"gone": gone, "no longer accepted": rejected, "altered": altered}
    return [f"{count} {kind} {word}" for word, count in counts.items() if count]


def _decided(record: CheckedForeground | JudgedBackground) -> object:
    """Return what of an input decides its finished composites, but for what people decided about it."""
    if isinstance(record, JudgedBackground):
        return PlannedBackground.of(record).decides
    planned = PlannedForeground.of(record)
    return replace(planned, subset="") if record.reason == MOVED else planned
