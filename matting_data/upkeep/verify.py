"""Verifying a whole dataset: files against the index, samples against their meaning, some against their sources."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from matting_data.errors import DamageError, RefusedError, RejectedInput, at
from matting_data.records.stored import Sample
from matting_data.rendering.composites import ForegroundRenderer
from matting_data.rendering.layer_inputs import Inputs, LayerInputs
from matting_data.rendering.source_inputs import SourceInputs
from matting_data.running.executor import Workers, at_most, run
from matting_data.running.progress import bar
from matting_data.seeds import derive_seed
from matting_data.shards.hashes import Problem
from matting_data.shards.index import read_index
from matting_data.shards.manifests import read_manifest
from matting_data.shards.members import member_of
from matting_data.shards.names import MEMBERS
from matting_data.shards.reader import all_entries, cut_members, shard_entries, span
from matting_data.sources.opened import open_sources
from matting_data.storage import Location, Storage, open_storage
from matting_data.upkeep.dataset_checks import VerifyShard, check_keys, check_tables
from matting_data.workspace.colour_cache import ColourCache
from matting_data.workspace.plan_tables import saved_plan
from matting_data.workspace.work_folder import colour_store, saved_recipe

_LOG = logging.getLogger(__package__)
_MANIFESTS = 64
"""Manifests that are read before another process would have started."""


@dataclass(frozen=True)
class Verification:
    """What :func:`verify` found.

    Attributes
    ----------
    samples, recomposed : int
        Samples looked at, and composites made again from their sources and compared byte for byte.
    problems : list of Problem
        Damage; empty for a sound dataset.
    skipped : str
        Why nothing was recomposed, empty otherwise.
    altered : list of str
        Composites that cannot be made again since a source is no longer the file that was checked, each with why.
    """

    samples: int
    recomposed: int
    problems: list[Problem]
    skipped: str
    altered: list[str] = field(default_factory=list)


def verify(
    out: Location, deep: bool, recompose: int, base: Path | None, workers: Workers, quick: bool = False
) -> Verification:
    """Check a dataset.

    Parameters
    ----------
    out : Path, str or Storage
        The dataset.
    deep : bool
        Decode every sample too, not only hash the files.
    recompose : int
        Number of composites to make again from their sources.
    base : Path or None
        Folder where the recipe's relative paths start, for a dataset without its ``.work``.
    workers : int or Executor
        Processes, or where else to run.
    quick : bool
        Compare the lengths of tars instead of hashing them, so that no tar is read; it goes with `deep` off.

    Raises
    ------
    DamageError
        There is no whole index.
    RefusedError
        The system does not let a file of the dataset be read: whether it is sound is not known.
    """
    out = open_storage(out)
    index = read_index(out)
    problems = check_tables(out, index)
    layers = index["store"] == "layers"
    entries = all_entries(index)
    _LOG.info("verifying %s: %d shards", out, len(entries))
    keys: list[str] = []
    with bar(sum(entry.get("num_samples", 0) for entry in entries), "verifying", "samples") as progress:
        few = at_most(workers, len(entries) // _MANIFESTS if quick else len(entries))
        for found, wrong in run(VerifyShard(out, deep, layers, quick), entries, few):
            keys += found
            problems += wrong
            _LOG.debug("%d samples more, %d problems so far", len(found), len(problems))
            progress.update(len(found))
    if not problems:
        problems += check_keys(out, keys)
    samples = len(keys)
    _LOG.info("verified %d samples of %s: %d problems", samples, out, len(problems))
    if problems or recompose <= 0:
        reason = "the dataset is damaged" if problems else "not asked for"
        return Verification(samples, 0, sorted(problems, key=lambda p: (p.file, p.what)), reason)
    return _recomposed(out, index, recompose, base, samples)


def _recomposed(out: Storage, index: Mapping[str, Any], count: int, base: Path | None, samples: int) -> Verification:
    recipe, plan = saved_recipe(out, base), saved_plan(out)
    composites = {composite.key: composite for composite in plan.composites}
    people, photos = plan.usable_foregrounds(), plan.usable_backgrounds()

    def made_of(inputs: Inputs, row: Sample) -> dict[str, bytes]:
        composite = composites[row.key]
        foreground = people[composite.foreground]
        with at(row.key):
            pixels, background = inputs.foreground(foreground), inputs.background(photos[composite.background])
            rendered = ForegroundRenderer(foreground, *pixels, recipe.recipe).render(composite, background)
        return {member_of(field): content for field, content in rendered.members.items()}

    rows = [(entry["tar"], row) for _, entry in shard_entries(index) for row in read_manifest(out, entry)]
    rows.sort(key=lambda pair: derive_seed("verify", pair[1].key))
    sources = SourceInputs(open_sources(recipe), ColourCache(colour_store(out), keep=False))
    layers = LayerInputs(out) if index["store"] == "layers" else None
    problems: list[Problem] = []
    altered: list[str] = []
    done, skipped = 0, ""
    for tar, row in rows[:count]:
        try:
            made = made_of(sources, row)
        except RejectedInput as error:
            if error.reason == "changed":
                altered.append(f"{row.key}: {error}")
                continue
            skipped = f"the sources are not at hand ({row.key}: {error})"
            continue
        except RefusedError as error:
            skipped = f"the sources could not be read ({row.key}: {error})"
            continue
        done += 1
        try:
            stored = made_of(layers, row) if layers else cut_members(row, MEMBERS, out.read(tar, *span(row)))
        except (DamageError, RejectedInput) as error:
            problems.append(Problem(tar, str(error)))
            continue
        differing = [member for member in MEMBERS if made[member] != stored[member]]
        if differing:
            problems.append(Problem(tar, f"{row.key}, made again from the sources, differs in {', '.join(differing)}"))
    return Verification(samples, done, problems, skipped, altered)
