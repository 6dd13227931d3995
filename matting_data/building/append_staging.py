"""What is about to replace the tables of a dataset that is added to: kept aside until every new shard is there.

New shards are made beside the old ones, under names that the old index does not list. Only when all are there, the
index goes, tables and recipe are replaced, and the new index is written. What replaces them waits in ``.work/append``
until then: if a kill left some old and some new, the next run completes the replacement.
"""

from __future__ import annotations

from matting_data.planning.plan import Plan
from matting_data.recipes.recipe import Recipe
from matting_data.shards.hashes import check_hash
from matting_data.shards.index import INDEX
from matting_data.shards.names import RECIPE
from matting_data.storage import Storage
from matting_data.workspace import work_folder as workspace
from matting_data.workspace.plan_tables import PLAN, TABLES, read_plan_metadata, save_plan

_STAGED = f"{workspace.WORK}/append"


def stage(out: Storage, plan: Plan, recipe: Recipe) -> None:
    """Keep what is about to replace the tables and the recipe of `out`, the plan last."""
    staged = out.below(_STAGED)
    staged.remove(PLAN)
    save_plan(staged, plan, recipe)


def unstage(out: Storage) -> None:
    """Remove what :func:`stage` kept, the plan first."""
    out.below(_STAGED).remove(PLAN)
    out.remove_folder(_STAGED)


def settle(out: Storage) -> None:
    """Let the tables that an interrupted append was replacing be replaced, if it came so far.

    Without an index, those in place may be some old and some new: what was staged is whole, unless it was damaged
    since. Then those in place stay, and whoever reads them finds out whether they belong together.
    """
    staged = out.below(_STAGED)
    metadata = read_plan_metadata(staged)
    if not metadata or out.exists(INDEX):
        return
    if any(check_hash(staged, name, metadata.get(name, "")) for name in TABLES if name != PLAN):
        return
    for name in TABLES:
        out.write(name, staged.read(name))
    out.write(RECIPE, metadata[RECIPE].encode())
    unstage(out)


def coming_plan(out: Storage) -> Storage:
    """Find the folder of the plan that `out` is being built from: `out` itself, or the staging folder of an append."""
    staged = out.below(_STAGED)
    metadata = read_plan_metadata(staged)
    return staged if metadata and metadata != read_plan_metadata(out) else out
