"""Restoring damaged shards: made again beside the dataset, and moved into it only when they are what they were."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar

from matting_data.planning.plan import Plan
from matting_data.recipes.recipe_file import LoadedRecipe
from matting_data.records.stored import Sample, StoredBackground
from matting_data.rendering.background_job import BackgroundShard, StoreBackgrounds
from matting_data.rendering.make_shards import BuiltShards, plan_background_shards, plan_shards, without_lost
from matting_data.rendering.shard_job import BuildShard, Shard, ShardResult, SourceInputs, inputs_sha256
from matting_data.running.executor import run
from matting_data.running.progress import bar
from matting_data.shards.commit import Commit, read_commit
from matting_data.shards.hashes import Problem, check_hash
from matting_data.shards.names import BACKGROUNDS, manifest_name, shard_name, tar_name
from matting_data.shards.reader import all_entries
from matting_data.storage import Storage
from matting_data.version import tool_versions

Row = TypeVar("Row", Sample, StoredBackground)
AnyShard = TypeVar("AnyShard", Shard, BackgroundShard)


@dataclass
class RestoredShards:
    """What became of the shards; `built` is None where not all are sound."""

    built: BuiltShards | None = None
    repaired: list[str] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)


def restore_shards(
    recipe: LoadedRecipe,
    out: Storage,
    staging: str,
    plan: Plan,
    inputs: SourceInputs,
    index: Mapping[str, Any] | None,
    workers: int,
) -> RestoredShards:
    """Make damaged and missing shards again.

    Parameters
    ----------
    staging : str
        A folder of `out` that may be filled.
    index : mapping or None
        With every shard's hashes; without it a shard is sound when it is as its manifest says, and made of the plan.
    """
    work = _Restorer(out, staging, index, workers)
    backgrounds: list[Commit[StoredBackground]] | None = None
    shards = plan_shards(plan)
    if recipe.recipe.store.kind == "layers":
        tars = {shard_name(BACKGROUNDS, s.number): s for s in plan_background_shards(recipe, plan)}
        task = StoreBackgrounds(out.below(staging), inputs)
        stored = work.restore(
            tars,
            StoredBackground,
            lambda shard: shard.inputs_sha256,
            lambda some: (shard_name(BACKGROUNDS, number) for number, _ in run(task, some, min(workers, len(some)))),
        )
        if stored is None:
            return work.result
        backgrounds = list(stored.values())
        shards = without_lost(shards, backgrounds)
    named = {shard_name(s.split, s.number): s for s in shards}
    build = BuildShard(recipe, out.below(staging), inputs)
    found = work.restore(
        named,
        Sample,
        lambda shard: inputs_sha256(recipe, shard),
        lambda some: (shard_name(r.split, r.number) for r in run(build, some, min(workers, len(some)))),
    )
    if found is not None:
        samples = [ShardResult.of(named[name], done) for name, done in found.items()]
        work.result.built = BuiltShards(samples, backgrounds)
    return work.result


@dataclass
class _Restorer:
    out: Storage
    staging: str
    index: Mapping[str, Any] | None
    workers: int
    result: RestoredShards = field(default_factory=RestoredShards)

    def __post_init__(self) -> None:
        entries = all_entries(self.index) if self.index is not None else []
        self._entries = {entry["tar"].removesuffix(".tar"): entry for entry in entries}

    def restore(
        self,
        shards: Mapping[str, AnyShard],
        record: type[Row],
        inputs: Callable[[AnyShard], str],
        make: Callable[[list[AnyShard]], Iterable[str]],
    ) -> dict[str, Commit[Row]] | None:
        """Return the commits of all shards by name, in order, or None where one is damaged for good.

        Parameters
        ----------
        shards : mapping
            Name → shard.
        record : type
            Of the manifests' rows.
        inputs : callable
            Gives the hash of what decides a shard.
        make : callable
            Makes shards below the staging folder, and yields the name of each that is done.
        """
        found = {name: self._sound(name, record, inputs(shard)) for name, shard in shards.items()}
        damaged = {name: shards[name] for name, done in found.items() if done is None}
        with bar(len(damaged), "repairing", "shards") as progress:
            for name in make(list(damaged.values())) if damaged else ():
                found[name] = self._accepted(name, record)
                progress.update(1)
        kept = {name: done for name, done in found.items() if done is not None}
        return kept if len(kept) == len(found) else None

    def _sound(self, name: str, record: type[Row], inputs_sha256: str) -> Commit[Row] | None:
        done = read_commit(self.out, name, record)
        if self.index is None:
            return done if done is not None and done.inputs_sha256 == inputs_sha256 else None
        return done if done is not None and self._as_listed(name, done) else None

    def _as_listed(self, name: str, done: Commit[Any]) -> bool:
        entry = self._entries.get(name, {})
        return (entry.get("sha256"), entry.get("manifest_sha256")) == (done.tar_sha256, done.manifest_sha256)

    def _accepted(self, name: str, record: type[Row]) -> Commit[Row] | None:
        """Move a shard that was made again into its place, if it is what it was."""
        files = [tar_name(name), manifest_name(name)]
        made = read_commit(self.out.below(self.staging), name, record)
        before = read_commit(self.out, name, record)
        if made is None or not (self._as_listed(name, made) if self.index is not None else not made.failed):
            self.result.problems += [Problem(file, self._why(made, before)) for file in self._damaged(name)]
            return None
        if before is not None and self.index is None:  # whole, but of other inputs or tools: not ours to replace
            why = "was made of other inputs, or by other versions of the tools, than the plan is now: build anew"
            self.result.problems += [Problem(file, why) for file in files]
            return None
        hashes = dict(zip(files, (made.tar_sha256, made.manifest_sha256), strict=True))
        wrong = [file for file in files if check_hash(self.out, file, hashes[file])]
        for file in wrong:  # the tar first: a manifest vouches for it
            self.out.move(f"{self.staging}/{file}", file)
        self.result.repaired += wrong
        return made

    def _damaged(self, name: str) -> list[str]:
        if self.index is None:
            return [tar_name(name), manifest_name(name)]
        entry = self._entries[name]
        pairs = ((entry["tar"], entry["sha256"]), (entry["manifest"], entry["manifest_sha256"]))
        return [file for file, sha256 in pairs if check_hash(self.out, file, sha256)]

    def _why(self, made: Commit[Any] | None, before: Commit[Any] | None) -> str:
        """Say in a clause why a shard cannot be what it was."""
        if self.index is not None and self.index["tools"] != tool_versions():
            now = tool_versions()
            changed = [f"{tool} {old} → {now.get(tool)}" for tool, old in self.index["tools"].items()
                       if now.get(tool) != old]  # fmt: skip
            return f"cannot be restored: other versions made it ({', '.join(changed[:4])})"
        if made is not None and made.failed:
            key, reason, detail = made.failed[0]
            return f"cannot be restored: {len(made.failed)} of it fail, the first {key} ({reason}: {detail})"
        return "cannot be restored: its sources give other bytes now"
