"""The cache of pictures stays below its limit, and what was used longest ago goes first."""

from __future__ import annotations

import os
from pathlib import Path

from matting_data.browsing.picture_cache import MediaCache


def test_the_limit_holds_for_all_datasets_together(tmp_path: Path) -> None:
    oldest, older = MediaCache(tmp_path, "oldest", 1000), MediaCache(tmp_path, "older", 1000)
    for number, cache in enumerate((oldest, older)):
        for name in "ab":
            assert cache.put(name, bytes(200))
        os.utime(cache.folder / ".used", ns=(number, number))
    new = MediaCache(tmp_path, "new", 1000)
    assert new.total == 800 and new.put("a", bytes(200)) and new.total == 1000
    assert new.put("b", bytes(150))
    assert sorted(p.name for p in oldest.folder.iterdir()) == [".used", "b"]
    assert sorted(p.name for p in older.folder.iterdir()) == [".used", "a", "b"]
    assert not new.put("c", bytes(700))  # its own pictures stay
    assert new.holds("a") and new.holds("b") and not new.holds("c")
    assert sum(p.stat().st_size for p in tmp_path.rglob("*") if p.is_file()) <= 1000


def test_what_nothing_refers_to_goes(tmp_path: Path) -> None:
    cache = MediaCache(tmp_path, "one", 1000)
    cache.put("a", b"1")
    cache.put("b", b"22")
    cache.keep_only({"b"})
    assert cache.total == 2 and sorted(p.name for p in cache.folder.iterdir()) == [".used", "b"]
    again = MediaCache(tmp_path, "one", 1000)
    assert again.holds("b") and not again.holds("a") and again.total == 2
