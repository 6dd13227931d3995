"""Looking for near-duplicates and for persons by looks, as the number of inputs grows.

    python -m benchmarks.near_duplicates [--sizes 20000 50000 100000 200000]

Fingerprints are synthetic: spread (random), and crowded (each within 30 bits of one centre, as those of plain backdrops
are), which is the worst case of indices for Hamming space. Printed are processor seconds of all threads, nanoseconds a
pair, and the ratio to faiss' exhaustive ``IndexBinaryFlat.range_search`` of the same run over a sample of the queries,
where faiss is installed (``pip install faiss-cpu``), or else to NumPy's XOR and ``bitwise_count``.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from functools import partial

import numpy as np
from numpy.typing import NDArray

from matting_data.planning.near_duplicates import duplicate_of, groups

_QUERIES = 200


def spread(count: int, rng: np.random.Generator) -> NDArray[np.uint8]:
    """Draw random fingerprints, N×32 bytes."""
    return rng.integers(0, 256, (count, 32), dtype=np.uint8)


def crowded(count: int, rng: np.random.Generator) -> NDArray[np.uint8]:
    """Draw fingerprints that differ from one of them in 30 bits each, N×32 bytes."""
    order = rng.random((count, 256)).argsort(axis=1)
    return np.packbits(order < 30, axis=1)


def seconds(action: Callable[[], object]) -> float:
    """Measure the processor time of an action, all threads together."""
    started = time.process_time()
    action()
    return time.process_time() - started


def peer(prints: NDArray[np.uint8], distance: int) -> tuple[str, float]:
    """Measure the seconds a pair of another exhaustive search."""
    queries = prints[:_QUERIES]
    try:
        import faiss  # type: ignore[import-not-found]

        index = faiss.IndexBinaryFlat(256)
        index.add(prints)
        name, took = "faiss", seconds(lambda: index.range_search(queries, distance + 1))
    except ImportError:
        words, asked = prints.view(np.uint64), queries.view(np.uint64)

        def compare() -> None:
            for query in asked:
                np.flatnonzero(np.bitwise_count(words ^ query).sum(axis=1) <= distance)

        name, took = "NumPy", seconds(compare)
    return name, took / (len(queries) * len(prints))


def main() -> None:
    """Print a line for each search, kind of fingerprints and size."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sizes", type=int, nargs="+", default=[20_000, 50_000, 100_000, 200_000])
    sizes: list[int] = parser.parse_args().sizes
    searches: dict[str, tuple[Callable[[list[str], int], object], int]] = {
        "near-duplicates": (duplicate_of, 15),
        "persons by looks": (groups, 40),
    }
    for search, distance in searches.values():  # compiled before anything is measured
        search(["0" * 64, "f" * 64], distance)
    for kind in (spread, crowded):
        for size in sizes:
            prints = kind(size, np.random.default_rng(0))
            hashes = [row.tobytes().hex() for row in prints]
            for name, (search, distance) in searches.items():
                took = seconds(partial(search, hashes, distance))
                other, each = peer(prints, distance)
                pairs = size * (size - 1) / 2
                print(
                    f"{name:17} {kind.__name__:8} {size:9,} {took:8.2f} s {took / pairs * 1e9:6.2f} ns a pair, "
                    f"{took / pairs / each:5.2f} × {other}",
                    flush=True,
                )


if __name__ == "__main__":
    main()
