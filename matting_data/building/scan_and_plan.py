"""From a recipe to its plan: all inputs checked, every composite decided."""

from __future__ import annotations

from dataclasses import replace

from matting_data.planning.extension import Fixed, extend_plan
from matting_data.planning.plan import Plan, choose_foregrounds, make_plan, require_enough_found
from matting_data.recipes.decisions import load_decisions
from matting_data.recipes.recipe_file import LoadedRecipe
from matting_data.running.executor import Workers
from matting_data.scanning.scan import load_detector, scan_backgrounds, scan_foregrounds
from matting_data.sources.find_backgrounds import find_backgrounds
from matting_data.sources.opened import Sources
from matting_data.storage import Storage
from matting_data.workspace import work_folder as workspace


def scan_and_plan(
    recipe: LoadedRecipe,
    sources: Sources,
    out: Storage,
    workers: Workers,
    fixed: Fixed | None = None,
    skip_refused: bool = False,
) -> Plan:
    """Check all inputs (keeping results in the work folder of `out`) and decide every composite.

    Parameters
    ----------
    sources : Sources
        Those of the recipe, opened.
    fixed : Fixed, optional
        What an earlier plan decided, to be added to.
    skip_refused : bool
        As of :func:`matting_data.scanning.scan.scan_backgrounds`.

    Raises
    ------
    RefusedError
        The system refused to read inputs; what the others came to is kept.
    """
    cache = workspace.work_folder(out)
    rules = recipe.recipe
    # what is cheap to find out comes before what is not
    load_detector(recipe)
    photos = len(find_backgrounds(sources.backgrounds, cache))
    colours = workspace.colour_store(out)
    people = scan_foregrounds(rules.foregrounds, sources.foregrounds, cache, workers, colours, skip_refused)
    if fixed is None:
        require_enough_found(choose_foregrounds(people.records, rules), photos, rules)
    decisions = load_decisions(recipe)
    scanned = scan_backgrounds(recipe, sources.backgrounds, cache, workers, decisions, skip_refused)
    inputs = people.records, scanned.records, rules, scanned.thresholds, decisions
    plan = make_plan(*inputs) if fixed is None else extend_plan(fixed, *inputs)
    return replace(plan, notes=(*people.notes, *scanned.notes, *plan.notes))
