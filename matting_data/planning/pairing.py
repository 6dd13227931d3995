"""Which backgrounds stand behind which foreground."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Collection, Mapping, Sequence

from matting_data.seeds import generator


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


def pair_further(
    wanted: Mapping[str, Sequence[int]], taken: Mapping[str, Collection[str]], uses: Mapping[str, int], seed: int
) -> dict[str, dict[int, str]]:
    """Draw further backgrounds for foregrounds of which some may have drawn before.

    Each draw takes one of the least used backgrounds that its foreground does not have yet, at a random place seeded by
    (seed, foreground, index). So no background serves a foreground twice, and use evens out as far as the earlier
    draws let it: a background that was used less than others is drawn until it has caught up.

    Parameters
    ----------
    wanted : mapping
        Foreground → indices to draw for, in the order in which they draw.
    taken : mapping
        Foreground → the backgrounds it has.
    uses : mapping
        Background → its uses so far; the backgrounds to draw from, in order.
    seed : int
        The recipe's.

    Returns
    -------
    dict
        Foreground → index → background.

    Raises
    ------
    ValueError
        A foreground has every background already.
    """
    level = dict(uses)
    pools: dict[int, list[str]] = defaultdict(list)
    for background, used in uses.items():
        pools[used].append(background)
    pairs: dict[str, dict[int, str]] = {}
    for foreground, indices in wanted.items():
        own, drawn = set(taken.get(foreground, ())), {}
        for index in indices:
            rng = generator(seed, "pair", foreground, index)
            blocked = Counter(level[background] for background in own & level.keys())
            free = [used for used, pool in pools.items() if len(pool) > blocked[used]]
            if not free:
                raise ValueError(f"{foreground} cannot get {len(own) + 1} different backgrounds out of {len(uses)}")
            used = min(free)
            pool = pools[used]
            place = int(rng.integers(len(pool)))
            while pool[place] in own:
                place = int(rng.integers(len(pool)))
            background = pool[place]
            pool[place] = pool[-1]
            pool.pop()
            if not pool:
                del pools[used]
            level[background] = used + 1
            pools[used + 1].append(background)
            own.add(background)
            drawn[index] = background
        pairs[foreground] = drawn
    return pairs
