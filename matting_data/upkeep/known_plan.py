"""What the sound files of a dataset that was appended to say of its plan, which its recipe alone does not lead to."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from matting_data.planning.extension import Fixed, splits_of
from matting_data.records.checked import CheckedForeground
from matting_data.records.codes import Split
from matting_data.records.fields import values
from matting_data.records.judged import JudgedBackground
from matting_data.records.ledger_row import LedgerRow
from matting_data.records.planned import PlannedComposite
from matting_data.records.tables import read_stored
from matting_data.seeds import derive_seed
from matting_data.shards.commit import read_failures
from matting_data.shards.manifests import read_manifest
from matting_data.shards.reader import shard_entries
from matting_data.storage import Storage
from matting_data.workspace.plan_tables import BACKGROUNDS, FOREGROUNDS, PLAN


def known_plan(out: Storage, index: Mapping[str, Any] | None, damaged: Collection[str], seed: int) -> Fixed:
    """Recover what is known of a plan some of whose tables are damaged.

    Without the plan, its composites are read from the manifests and the ledger. Without a table of inputs, the splits
    of those that composites use are theirs, and nothing is known of others.

    Parameters
    ----------
    index : mapping or None
        The dataset's, needed where the plan is damaged.
    damaged : collection of str
        Names of the damaged tables.
    seed : int
        The recipe's.

    Raises
    ------
    DamageError
        What is needed is damaged too.
    """
    composites = _composites(out, index or {}, seed) if PLAN in damaged else read_stored(out, PLAN, PlannedComposite)
    people = {composite.foreground: composite.split for composite in composites}
    photos = {composite.background: composite.split for composite in composites}
    if FOREGROUNDS not in damaged:
        people = splits_of(read_stored(out, FOREGROUNDS, CheckedForeground))
    if BACKGROUNDS not in damaged:
        photos = splits_of(read_stored(out, BACKGROUNDS, JudgedBackground))
    return Fixed(composites, people, photos)


def _composites(out: Storage, index: Mapping[str, Any], seed: int) -> list[PlannedComposite]:
    """Recover the composites in the plan's order, which is the ledger's; the ledger names the pair of failed ones."""
    made: dict[str, PlannedComposite] = {}
    shard_of: dict[str, int] = {}
    for _, entry in shard_entries(index):
        shard = entry["manifest"].removesuffix(".parquet")
        number = int(shard.rpartition("/")[2])
        for row in read_manifest(out, entry):
            made[row.key] = PlannedComposite(*values(row, PlannedComposite))
        shard_of |= {key: number for key, _, _ in read_failures(out, shard)}
    result = []
    for written in read_stored(out, "ledger/composites.parquet", LedgerRow):
        if written.id in made:
            result.append(made[written.id])
            continue
        foreground, _, background = written.path.partition(" + ")
        place = int(written.id.rpartition("-")[2])
        split: Split = "test" if written.source == "test" else "train"
        where = written.id, split, shard_of[written.id]
        result.append(PlannedComposite(*where, foreground, background, place, derive_seed(seed, foreground, place)))
    return result
