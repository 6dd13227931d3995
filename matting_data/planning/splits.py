"""Train and test: by person for foregrounds, disjoint for backgrounds."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import replace

from matting_data.errors import UsageError
from matting_data.planning.near_duplicates import connected, groups
from matting_data.recipes.recipe import SplitRule
from matting_data.records.checked import CheckedForeground
from matting_data.records.codes import Split
from matting_data.records.judged import JudgedBackground
from matting_data.seeds import derive_seed


def split_foregrounds(
    records: Sequence[CheckedForeground], rule: SplitRule, same_person_distance: int, seed: int
) -> list[CheckedForeground]:
    """Assign ``train`` or ``test`` to every usable foreground, whole persons at a time.

    Two foregrounds are one person when their metadata says so or their fingerprints are within
    `same_person_distance`. Persons are drawn for test in the order of a seeded hash, skipping those that would
    overshoot, until the number asked for is reached or nobody fits.

    Raises
    ------
    UsageError
        The metadata puts one person on both sides.
    """
    usable = [index for index, record in enumerate(records) if record.state == "ok"]
    persons = number_persons([records[index] for index in usable], same_person_distance)
    members: dict[int, list[int]] = defaultdict(list)
    for index, person in zip(usable, persons, strict=True):
        members[person].append(index)
    sides: dict[int, Split] = {}
    if rule.from_metadata:
        for group in members.values():
            sides |= dict.fromkeys(group, _one_side([records[index] for index in group]))
    else:
        wanted = rule.test if isinstance(rule.test, int) else round(rule.test * len(usable))
        first = {person: min(records[index].id for index in group) for person, group in members.items()}
        for person in sorted(members, key=lambda person: derive_seed(seed, "split", first[person])):
            side: Split = "test" if len(members[person]) <= wanted else "train"
            wanted -= len(members[person]) if side == "test" else 0
            sides |= dict.fromkeys(members[person], side)
    return [replace(record, split=sides[i]) if i in sides else record for i, record in enumerate(records)]


def split_backgrounds(
    records: Sequence[JudgedBackground], composites: Mapping[Split, int], per_foreground: int, seed: int
) -> list[JudgedBackground]:
    """Divide the usable backgrounds among the splits in proportion to their composites, none in both.

    Those whose source fixes their split (an official partition) keep it; the others fill up the proportion.

    Parameters
    ----------
    composites : dict
        Split → number of composites to make, only splits that have any.
    per_foreground : int
        Every split needs at least this many backgrounds, since none serves a foreground twice.

    Raises
    ------
    UsageError
        Too few backgrounds; says how many are missing.
    """
    usable = [index for index, record in enumerate(records) if record.state == "ok"]
    needed = per_foreground * len(composites)
    if len(usable) < needed:
        reasons = Counter(record.reason for record in records if record.state != "ok").most_common()
        rejects = f" ({', '.join(f'{count} {reason}' for reason, count in reasons)})" if reasons else ""
        parts = " and ".join(f"{per_foreground} for {split}" for split in composites)
        raise UsageError(
            f"the plan needs at least {needed} backgrounds ({parts}) and {len(usable)} passed the checks{rejects}: "
            f"add {needed - len(usable)} more, or lower composites.per_foreground"
        )
    result = list(records)
    free = [index for index in usable if not records[index].split]
    fixed = Counter(records[index].split for index in usable)
    order = sorted(free, key=lambda index: derive_seed(seed, "background split", records[index].id))
    test_count = 0
    if len(composites) == 2:
        share = composites["test"] / sum(composites.values())
        test_count = min(max(round(share * len(usable)), per_foreground), len(usable) - per_foreground) - fixed["test"]
    elif "test" in composites:
        test_count = len(free)
    for rank, index in enumerate(order):
        result[index] = replace(records[index], split="test" if rank < test_count else "train")
    sides = Counter(result[index].split for index in usable)
    for split in composites:
        if sides[split] < per_foreground:
            raise UsageError(
                f"{split} needs at least {per_foreground} backgrounds and has {sides[split]}, since the official "
                f"partition fixes the side of {sum(fixed[side] for side in ('train', 'test'))}: add others, "
                "lower composites.per_foreground, or leave 'partitions' out of the recipe"
            )
    return result


def number_persons(records: Sequence[CheckedForeground], distance: int) -> list[int]:
    """Number each foreground by its person: named alike, or looking alike, directly or through others."""
    looks = enumerate(groups([record.fingerprint or "" for record in records], distance))
    first_of_name: dict[str, int] = {}
    names = [(i, first_of_name.setdefault(each.person, i)) for i, each in enumerate(records) if each.person]
    return connected(len(records), [*looks, *names])


def _one_side(group: Sequence[CheckedForeground]) -> Split:
    """Read the split of one person off the metadata of all pictures; UsageError where it is on both sides."""
    sides: dict[Split, str] = {record.split or "train": record.id for record in group}
    if len(sides) > 1:
        raise UsageError(
            f"the metadata puts {sides['train']} in train and {sides['test']} in test, but they are the same person "
            "(by name or by looks): move one, or lower foregrounds.same_person_distance"
        )
    return next(iter(sides))
