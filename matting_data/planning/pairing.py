"""Which backgrounds stand behind which foreground."""

from __future__ import annotations

from collections.abc import Sequence

from matting_data.planning.seeds import generator


def pair(foregrounds: Sequence[str], backgrounds: Sequence[str], count: int, seed: int) -> dict[str, list[str]]:
    """Draw `count` backgrounds for each foreground.

    Each draw takes one of the least used backgrounds, at a random place seeded by (seed, foreground, index). So no
    background serves a foreground twice, and the uses of any two backgrounds differ by at most one.

    Parameters
    ----------
    foregrounds : sequence of str
        Ids, in the order in which they draw.
    backgrounds : sequence of str
        Ids, at least `count`.
    count : int
        Backgrounds for each foreground.
    seed : int
        The recipe's.

    Returns
    -------
    dict
        Foreground id → its backgrounds, by index.

    Raises
    ------
    ValueError
        Fewer than `count` backgrounds.
    """
    if len(backgrounds) < count:
        raise ValueError(f"{count} different backgrounds cannot be drawn from {len(backgrounds)}")
    pairs: dict[str, list[str]] = {}
    pool: list[str] = []
    for foreground in foregrounds:
        drawn: list[str] = []
        blocked = 0
        for index in range(count):
            if not pool:
                # those this foreground already has wait at the end: they are out of its reach, not out of the round
                taken = set(drawn)
                pool = [b for b in backgrounds if b not in taken] + drawn
                blocked = len(drawn)
            reach = len(pool) - blocked
            place = int(generator(seed, "pair", foreground, index).integers(reach))
            drawn.append(pool[place])
            pool[place] = pool[reach - 1]
            del pool[reach - 1]
        pairs[foreground] = drawn
    return pairs
