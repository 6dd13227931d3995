"""Restoring what is damaged or missing in a dataset, to the same bytes, from its plan and its sources.

What is sound stays untouched: shards are made again below ``.work`` and take their places only when they are what they
were. How that is known: the index lists every file's hash; where the index itself is damaged, the plan's metadata
holds the hashes of the tables and the recipe, and each manifest that of its shard.
"""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from matting_data.building.finish import describe, used_backgrounds
from matting_data.building.ledger import ledger_files, make_ledger
from matting_data.building.scan_and_plan import scan_and_plan
from matting_data.errors import DamageError, MattingDataError, UsageError
from matting_data.planning.plan import Plan
from matting_data.publishing.attribution import FILE_NAME as ATTRIBUTION
from matting_data.publishing.attribution import to_csv
from matting_data.publishing.attribution_rows import attribution_of
from matting_data.publishing.card_inputs import Publication
from matting_data.publishing.croissant import FILE_NAME as CROISSANT
from matting_data.publishing.publication import publication_files, said_before
from matting_data.recipes.recipe_file import LoadedRecipe
from matting_data.rendering.make_shards import BuiltShards
from matting_data.rendering.source_inputs import SourceInputs
from matting_data.shards.hashes import check_hash
from matting_data.shards.index import INCOMPLETE, INDEX, no_index, read_index, write_index
from matting_data.shards.names import RECIPE
from matting_data.sources.opened import open_backgrounds, open_sources
from matting_data.storage import Location, Storage, open_storage
from matting_data.upkeep.dataset_checks import check_tables
from matting_data.upkeep.known_plan import known_plan
from matting_data.upkeep.repair_shards import Repair, ShardRestorer
from matting_data.workspace import plan_tables
from matting_data.workspace import work_folder as workspace
from matting_data.workspace.colour_cache import ColourCache
from matting_data.workspace.locks import Held

_LOG = logging.getLogger(__package__)

_STAGING = f"{workspace.WORK}/repair"


def repair(out: Location, base: Path | None, workers: int) -> Repair:
    """Restore the damaged and missing files of a dataset.

    Parameters
    ----------
    out : Path, str or Storage
        A dataset that was finished once, with either kind of store.
    base : Path or None
        Folder where the recipe's relative paths start, for a dataset without its ``.work``.
    workers : int
        Processes.

    Returns
    -------
    Repair
        What was restored, and what could not be: its sources are gone or changed, or other versions of the tools made
        it. Nothing that cannot be restored is touched.

    Raises
    ------
    UsageError
        There is no dataset.
    DamageError
        No build of it came as far as a plan.
    StorageError
        A build is writing to it, or the disk refuses.
    """
    out = open_storage(out)
    if not workspace.is_ours(out) or not any(out.exists(name) for name in (INDEX, RECIPE, plan_tables.PLAN)):
        raise no_index(out)
    with workspace.locked(out) as held:
        plan_tables.refuse_older_format(out)
        try:
            index: Mapping[str, Any] | None = read_index(out)
        except (DamageError, UsageError):
            index = None
        done = Repair()
        _LOG.info("repairing %s %s its index", out, "with" if index else "without")
        _Repairer(out, base, workers, index, plan_tables.read_plan_metadata(out), held, done).run()
        if index is not None or not done.problems:
            index = read_index(out)
            known = {problem.file for problem in done.problems}
            done.problems += [p for p in check_tables(out, index) if p.file not in known]
    _LOG.info("repaired %s: %d files restored, %d cannot be", out, len(done.repaired), len(done.problems))
    return done


@dataclass
class _Repairer:
    """The steps of a repair, each resting on what the ones before it restored."""

    out: Storage
    base: Path | None
    workers: int
    index: Mapping[str, Any] | None
    metadata: Mapping[str, str]
    held: Held
    done: Repair

    def run(self) -> None:
        known = self._known_hashes()
        recipe = self._recipe(known)
        found = self._plan(recipe, known) if recipe is not None else None
        if recipe is None or found is None:
            if self.index is None:
                self.done.cannot("cannot be written anew without the recipe and the plan", INDEX)
            return
        plan, tables = found
        sources = open_sources(recipe)
        inputs = SourceInputs(sources, ColourCache(workspace.colour_store(self.out)))
        self.out.remove_folder(_STAGING)
        try:
            shards = ShardRestorer(self.out, _STAGING, self.index, self.workers, self.done)
            built = shards.restore_all(recipe.recipe, plan, inputs)
        finally:
            self.out.remove_folder(_STAGING)
        for name, content in tables.items():
            if name in known or built is not None:
                self._write(name, content)
        if built is not None:
            self._derived(recipe, plan, built)
        elif self.index is None:
            self.done.cannot("cannot be written anew before every shard is restored", INDEX)

    def _known_hashes(self) -> dict[str, str]:
        """Look up the hashes of recipe and tables in the index, or else the plan's metadata; empty without both."""
        if self.index is not None:
            return dict(self.index["files"])
        if not self.metadata:
            return {}
        known = {name: self.metadata[name] for name in (plan_tables.FOREGROUNDS, plan_tables.BACKGROUNDS)}
        known[plan_tables.PLAN] = self.out.sha256(plan_tables.PLAN)
        return {**known, RECIPE: _sha256(self.metadata[RECIPE].encode())}

    def _damaged(self, name: str, known: Mapping[str, str]) -> bool:
        return name not in known or bool(check_hash(self.out, name, known[name]))

    def _recipe(self, known: Mapping[str, str]) -> LoadedRecipe | None:
        """Load the recipe, restored from the plan's metadata where it is damaged; None where that fails."""
        if RECIPE in known and self._damaged(RECIPE, known):
            if self._damaged(plan_tables.PLAN, known):
                why = "cannot be restored, since the plan, which holds a copy, is damaged too: put the recipe back"
                self.done.cannot(why, RECIPE)
                return None
            self._write(RECIPE, self.metadata[RECIPE].encode())
        try:
            return workspace.saved_recipe(self.out, self.base)
        except MattingDataError as error:
            self.done.cannot(str(error), RECIPE)
            return None

    def _plan(self, recipe: LoadedRecipe, known: Mapping[str, str]) -> tuple[Plan, dict[str, bytes]] | None:
        """Load the plan, and make the tables of it that are to be written: only damaged tables need the inputs."""
        damaged = [name for name in plan_tables.TABLES if self._damaged(name, known)]
        if not damaged:
            return plan_tables.saved_plan(self.out), {}
        try:
            appended = plan_tables.APPENDED in {**(self.index or {}), **self.metadata}
            fixed = known_plan(self.out, self.index, damaged, recipe.recipe.seed) if appended else None
            plan = scan_and_plan(recipe, open_sources(recipe), self.out, self.workers, fixed)
        except MattingDataError as error:
            self.done.cannot(f"cannot be made again from the inputs: {error}", *damaged)
            return None
        files = plan_tables.plan_files(plan, recipe.recipe)
        made = {name: files[name] for name in damaged}
        others = [name for name, content in made.items() if name in known and _sha256(content) != known[name]]
        why = "the inputs are no longer those it was made of: restore them"
        if INCOMPLETE in (self.index or {}):
            why = "it was finished without inputs that could not be read: build into another --out, with all of them"
        self.done.cannot(why, *others)
        if not known:  # the inputs' tables at hand are all that speaks for the inputs being the same
            at_hand = [name for name in (plan_tables.FOREGROUNDS, plan_tables.BACKGROUNDS) if self.out.exists(name)]
            others = [name for name in at_hand if self.out.read(name) != made[name]]
            self.done.cannot("differs from what the inputs give, and neither plan nor index tells which holds", *others)
        return None if others else (plan, made)

    def _derived(self, recipe: LoadedRecipe, plan: Plan, built: BuiltShards) -> None:
        """Restore what follows from the plan and the shards: ledger, attribution, publication, index."""
        known = self.index["files"] if self.index is not None else {}
        if self.index is not None and not any(self._damaged(name, known) for name in known):
            return
        if self.index is None and not any(done.num_rows for done in built.samples):
            self.done.cannot("cannot be written anew, since no composite could be made: run 'mattingdata build'", INDEX)
            return
        ledger = make_ledger(plan, built)
        content = ledger_files(ledger)
        try:
            attribution, missing = attribution_of(open_backgrounds(recipe), used_backgrounds(plan, built))
            content[ATTRIBUTION] = to_csv(attribution)
        except (MattingDataError, OSError) as error:
            missing = []
            if self._damaged(ATTRIBUTION, known):
                self.done.cannot(f"cannot be made again from the tables of the sources: {error}", ATTRIBUTION)
        for name, data in content.items():
            self._restore(name, data, known, "what it was made of has changed since")
        if self.index is not None:
            self._publication(dict(self.index), known)
        elif not self.done.problems:
            index = describe(recipe, plan, built, ledger, [*plan.notes, *missing])
            names = [RECIPE, *plan_tables.plan_files(plan, recipe.recipe), *content]
            index["files"] = {name: self.out.sha256(name) for name in names}
            index["files"] |= self._publication(index, {})
            self.held()
            write_index(self.out, index)
            self.done.repaired.append(INDEX)

    def _publication(self, index: dict[str, Any], known: Mapping[str, str]) -> dict[str, str]:
        """Restore the card and the files beside it; return their hashes."""
        lost = CROISSANT in known and self._damaged(CROISSANT, known)
        try:
            published = publication_files(self.out, index, Publication() if lost else said_before(self.out))
        except DamageError:
            if self.index is None:
                raise
            return {}  # a table it needs could not be restored, which is said already
        why = "it has words of its own since (of the publisher, or of an audit): run 'mattingdata card'"
        for name, content in published.items():
            self._restore(name, content, known, why)
        return {name: _sha256(content) for name, content in published.items()}

    def _restore(self, name: str, content: bytes, known: Mapping[str, str], otherwise: str) -> None:
        """Write a damaged file's content where it is what it was, as far as that is known; else say why not."""
        sha256 = _sha256(content)
        if not check_hash(self.out, name, known.get(name, sha256)):
            return
        if known.get(name, sha256) == sha256:
            self._write(name, content)
        else:
            self.done.cannot(otherwise, name)

    def _write(self, name: str, content: bytes) -> None:
        self.held()
        self.out.write(name, content)
        self.done.repaired.append(name)


def _sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()
