"""The two ways of building into a folder: from nothing, or adding to what is there.

A fresh build removes the index before anything else, since until the end nothing tells which files belong together.
One that adds leaves the old dataset readable until all new shards are there
(:mod:`matting_data.building.append_staging`).
"""

from __future__ import annotations

from dataclasses import dataclass, field

from matting_data.building import refusals
from matting_data.building.append_staging import settle, stage, unstage
from matting_data.building.scan_and_plan import scan_and_plan
from matting_data.planning.extension import Fixed
from matting_data.planning.plan import Plan
from matting_data.recipes.recipe import Recipe
from matting_data.recipes.recipe_file import LoadedRecipe, parse_recipe
from matting_data.running.executor import Workers
from matting_data.shards.index import INDEX
from matting_data.shards.names import RECIPE
from matting_data.sources.opened import Sources, open_sources
from matting_data.storage import Storage
from matting_data.workspace import work_folder as workspace
from matting_data.workspace.plan_tables import APPENDED, read_plan_metadata, refuse_older_format, save_plan, saved_plan


@dataclass
class Fresh:
    """Builds what the recipe alone decides, or continues to."""

    recipe: LoadedRecipe
    out: Storage
    fixed: None = None
    _tables: dict[str, str] = field(default_factory=dict)

    def accept(self, plan: Plan) -> None:
        """Refuse inputs that are not those of finished shards."""
        refusals.refuse_other_plan(self.out, plan)

    def begin(self, plan: Plan) -> None:
        """Write recipe and tables; while anything is replaced, the dataset must not count as whole."""
        unstage(self.out)  # of an append that was given up
        self.out.remove(INDEX)
        self._tables = _put_tables(self.recipe, self.out, plan)

    def put_tables(self, plan: Plan) -> dict[str, str]:
        """Report the hashes of the tables without writing any: they are in their places already."""
        return self._tables


@dataclass
class Append:
    """Adds to a dataset, or continues one that was added to before, without altering what is there.

    Attributes
    ----------
    before : Plan
        Of what is there.
    may_add : bool
        Whether the user asked for additions, or a plain build only continues.
    retry : bool
        Whether composites that failed are made again.
    """

    recipe: LoadedRecipe
    out: Storage
    before: Plan
    may_add: bool
    retry: bool

    @property
    def fixed(self) -> Fixed:
        """All that the earlier plan decided."""
        return Fixed.by(self.before)

    def accept(self, plan: Plan) -> None:
        """Refuse inputs that are gone or altered, and additions that nobody asked for."""
        refusals.refuse_lost_inputs(self.out, self.before, plan)
        if not self.may_add:
            refusals.refuse_additions(self.out, self.before, plan)

    def begin(self, plan: Plan) -> None:
        """Stage recipe and tables; the old index goes only where shards that it lists are made again."""
        stage(self.out, plan, self.recipe.recipe)
        if refusals.alters_finished(self.out, self.before, plan, self.retry):
            self.out.remove(INDEX)

    def put_tables(self, plan: Plan) -> dict[str, str]:
        """Replace recipe and tables, the index first."""
        self.out.remove(INDEX)
        return _put_tables(self.recipe, self.out, plan)


Strategy = Fresh | Append
"""What differs between a fresh build and one that adds; a build calls its methods in this order.

`fixed` is what an earlier plan decided, None where the recipe decides everything. `accept` raises UsageError where a
plan contradicts what is there; nothing has been written yet. `begin` readies the folder: whatever is killed from here
on is continued by the same command. `put_tables` puts recipe and tables in their places once all shards are there, and
gives the SHA-256 of each by its name.
"""


def planned(
    recipe: LoadedRecipe, out: Storage, workers: Workers, append: bool, retry: bool, skip_refused: bool = False
) -> tuple[Strategy, Sources, Plan]:
    """Check the inputs and decide what a build into `out` makes, without writing any of it.

    Parameters
    ----------
    append, retry : bool
        As of :func:`choose_strategy`.
    skip_refused : bool
        As of :func:`scan_and_plan`; so is RefusedError.

    Returns
    -------
    Strategy, Sources, Plan
        How to build it, the recipe's sources, opened, and all composites, those that are there included.

    Raises
    ------
    UsageError
        The build would be refused.
    DamageError
        A table of the earlier plan cannot be read.
    """
    refuse_older_format(out)
    settle(out)
    strategy = choose_strategy(recipe, out, append, retry)
    sources = open_sources(recipe)
    plan = scan_and_plan(recipe, sources, out, workers, strategy.fixed, skip_refused)
    strategy.accept(plan)
    return strategy, sources, plan


def choose_strategy(recipe: LoadedRecipe, out: Storage, append: bool, retry: bool) -> Strategy:
    """Choose how to build into `out`.

    Parameters
    ----------
    append : bool
        The user asked to add to what is there. Where something was added before, plain builds continue as Append, too.
    retry : bool
        As of :class:`Append`.

    Raises
    ------
    UsageError
        `out` holds another dataset, or the recipe would alter what is there.
    DamageError
        A table of the earlier plan cannot be read.
    """
    metadata = read_plan_metadata(out)
    before = saved_plan(out) if metadata and (append or APPENDED in metadata) else None
    if before is None or not append:
        workspace.refuse_other_recipe(out, recipe)
    else:
        earlier: Recipe = parse_recipe(metadata[RECIPE], out.label(RECIPE))
        refusals.refuse_alterations(out, earlier, recipe.recipe)
        refusals.refuse_other_tools(out)
    return Fresh(recipe, out) if before is None else Append(recipe, out, before, append, retry)


def _put_tables(recipe: LoadedRecipe, out: Storage, plan: Plan) -> dict[str, str]:
    workspace.save_recipe(out, recipe)
    return save_plan(out, plan, recipe.recipe)
