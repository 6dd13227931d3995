"""Restoring damaged shards: made again beside the dataset, and moved into it only when they are what they were."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from matting_data.planning.plan import Plan
from matting_data.recipes.recipe import Recipe
from matting_data.records.stored import StoredBackground
from matting_data.rendering.background_shards import StoreBackgrounds, background_shards
from matting_data.rendering.make_shards import BuiltShards, plan_shards, without_lost
from matting_data.rendering.sample_shards import BuildShard
from matting_data.rendering.shard_task import Row, ShardTask, Work
from matting_data.rendering.source_inputs import SourceInputs
from matting_data.running.executor import at_most, run
from matting_data.running.progress import bar
from matting_data.shards.commit import Commit, read_commit
from matting_data.shards.hashes import Problem, check_hash
from matting_data.shards.names import MARK, manifest_name, tar_name
from matting_data.shards.reader import all_entries
from matting_data.storage import Storage
from matting_data.version import tool_versions
from matting_data.workspace.work_folder import differences, shortened


@dataclass
class Repair:
    """What a repair did.

    Attributes
    ----------
    repaired : list of str
        Files below the dataset that are as they were again.
    problems : list of Problem
        What could not be restored, and why; empty when the dataset is sound.
    """

    repaired: list[str] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)

    def cannot(self, why: str, *files: str) -> None:
        """Note that files stay damaged."""
        self.problems += [Problem(file, why) for file in files]


@dataclass
class ShardRestorer:
    """Makes damaged and missing shards again.

    Attributes
    ----------
    staging : str
        A folder of `out` that may be filled.
    index : mapping or None
        With every shard's hashes; without it a shard is sound when it is as its manifest says, and made of the plan.
    done : Repair
        Where files are noted that are restored, or cannot be.
    """

    out: Storage
    staging: str
    index: Mapping[str, Any] | None
    workers: int
    done: Repair

    def __post_init__(self) -> None:
        entries = all_entries(self.index) if self.index is not None else []
        self._entries = {entry["tar"].removesuffix(".tar"): entry for entry in entries}

    def restore_all(self, recipe: Recipe, plan: Plan, inputs: SourceInputs) -> BuiltShards | None:
        """Restore the shards of a plan; None where not all are sound afterwards."""
        backgrounds: list[Commit[StoredBackground]] | None = None
        shards, staging = plan_shards(plan), self.out.below(self.staging)
        staging.write(MARK, b"")  # shards are made only where a build, or a repair, began
        if recipe.store.kind == "layers":
            backgrounds = self.restore(StoreBackgrounds(staging, inputs), background_shards(recipe, plan))
            if backgrounds is None:
                return None
            shards = without_lost(shards, backgrounds)
        samples = self.restore(BuildShard(staging, recipe, inputs), shards)
        return None if samples is None else BuiltShards(samples, backgrounds)

    def restore(self, task: ShardTask[Work, Row], shards: Sequence[Work]) -> list[Commit[Row]] | None:
        """Collect the commits of all shards, in order, remaking damaged ones; None where one is damaged for good.

        Parameters
        ----------
        task : ShardTask
            Makes shards below the staging folder.
        """
        found = {shard.name: self._sound(task, shard) for shard in shards}
        damaged = [shard for shard in shards if found[shard.name] is None]
        with bar(len(damaged), "repairing", "shards") as progress:
            for done in run(task, damaged, at_most(self.workers, len(damaged))):
                found[done.shard] = self._accepted(done, task.record)
                progress.update(1)
        kept = [done for done in found.values() if done is not None]
        return kept if len(kept) == len(found) else None

    def _sound(self, task: ShardTask[Work, Row], shard: Work) -> Commit[Row] | None:
        inputs_sha256 = task.inputs_sha256(shard) if self.index is None else None
        done: Commit[Row] | None = read_commit(self.out, shard.name, task.record, inputs_sha256)
        return done if done is not None and (self.index is None or self._as_listed(done)) else None

    def _as_listed(self, done: Commit[Any]) -> bool:
        entry = self._entries.get(done.shard, {})
        return (entry.get("sha256"), entry.get("manifest_sha256")) == (done.tar_sha256, done.manifest_sha256)

    def _accepted(self, done: Commit[Row], record: type[Row]) -> Commit[Row] | None:
        """Move a shard that was made again into its place, if it is what it was."""
        name = done.shard
        files = [tar_name(name), manifest_name(name)]
        made: Commit[Row] | None = read_commit(self.out.below(self.staging), name, record)
        if made is None or not (self._as_listed(made) if self.index is not None else not made.failed):
            entry = self._entries.get(name, {})
            for file, sha256 in zip(files, (entry.get("sha256"), entry.get("manifest_sha256")), strict=True):
                if sha256 is None or check_hash(self.out, file, sha256):
                    self.done.cannot(self._why(made), file)
            return None
        if self.index is None and read_commit(self.out, name, record) is not None:  # whole: not ours to replace
            why = "was made of other inputs, or by other versions of the tools, than the plan is now: build anew"
            self.done.cannot(why, *files)
            return None
        for file, sha256 in zip(files, (made.tar_sha256, made.manifest_sha256), strict=True):
            if check_hash(self.out, file, sha256):
                self.out.move(f"{self.staging}/{file}", file)  # the tar first: a manifest vouches for it
                self.done.repaired.append(file)
        return made

    def _why(self, made: Commit[Any] | None) -> str:
        """Say in a clause why a shard cannot be what it was."""
        if self.index is not None and (changed := differences(self.index["tools"], tool_versions())):
            return f"cannot be restored: other versions made it ({shortened(changed)})"
        if made is not None and made.failed:
            key, reason, detail = made.failed[0]
            return f"cannot be restored: {len(made.failed)} of it fail, the first {key} ({reason}: {detail})"
        return "cannot be restored: its sources give other bytes now"
