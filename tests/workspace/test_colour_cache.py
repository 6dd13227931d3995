"""The cache of estimated colours."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from matting_data.imaging.colour import estimate_soft_colours, with_soft_colours
from matting_data.records.checked import CheckedForeground
from matting_data.workspace.colour_cache import ColourCache
from tests.support.synthetic import person

IMAGE, ALPHA = person(48, 40)
RECORD = CheckedForeground("s-a", "s", "a.png", colour="estimated", image_sha256="1" * 64, alpha_sha256="2" * 64)


def files(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*") if path.is_file())


def test_colours_taken_as_they_are_cost_nothing_and_leave_nothing(tmp_path: Path) -> None:
    cache = ColourCache(tmp_path / "colours")
    image = IMAGE.copy()
    assert cache.clean(replace(RECORD, colour="as_is"), image, ALPHA) is image
    np.testing.assert_array_equal(image, IMAGE)
    assert not (tmp_path / "colours").exists()


@pytest.mark.slow
def test_an_estimate_is_made_once_and_read_afterwards(tmp_path: Path) -> None:
    expected = with_soft_colours(IMAGE.copy(), ALPHA, estimate_soft_colours(IMAGE, ALPHA))
    np.testing.assert_array_equal(ColourCache(tmp_path).clean(RECORD, IMAGE.copy(), ALPHA), expected)
    [path] = files(tmp_path)
    stamp = path.stat().st_mtime_ns, path.stat().st_ino
    np.testing.assert_array_equal(ColourCache(tmp_path).clean(RECORD, IMAGE.copy(), ALPHA), expected)
    assert (path.stat().st_mtime_ns, path.stat().st_ino) == stamp
    assert files(tmp_path) == [path]


@pytest.mark.slow
@pytest.mark.parametrize("damage", [b"", b"no colours at all", None, b"flip"], ids=["empty", "text", "cut", "flip"])
def test_a_damaged_estimate_is_made_again(tmp_path: Path, damage: bytes | None) -> None:
    expected = ColourCache(tmp_path).clean(RECORD, IMAGE.copy(), ALPHA)
    [path] = files(tmp_path)
    sound = path.read_bytes()
    flipped = bytes([sound[0] ^ 1]) + sound[1:]
    path.write_bytes(sound[: len(sound) // 2] if damage is None else flipped if damage == b"flip" else damage)
    np.testing.assert_array_equal(ColourCache(tmp_path).clean(RECORD, IMAGE.copy(), ALPHA), expected)
    assert path.read_bytes() == sound


@pytest.mark.slow
def test_the_estimate_of_other_files_is_not_believed_under_this_name(tmp_path: Path) -> None:
    other = replace(RECORD, image_sha256="3" * 64)
    expected = ColourCache(tmp_path / "a").clean(RECORD, IMAGE.copy(), ALPHA)
    ColourCache(tmp_path / "b").clean(other, 255 - IMAGE, ALPHA)
    [mine], [foreign] = files(tmp_path / "a"), files(tmp_path / "b")
    sound = mine.read_bytes()
    assert len(sound) == len(foreign.read_bytes())
    mine.write_bytes(foreign.read_bytes())
    np.testing.assert_array_equal(ColourCache(tmp_path / "a").clean(RECORD, IMAGE.copy(), ALPHA), expected)
    assert mine.read_bytes() == sound


@pytest.mark.slow
def test_other_files_and_another_opaque_level_have_their_own_estimates(tmp_path: Path) -> None:
    cache = ColourCache(tmp_path)
    changes: tuple[dict[str, Any], ...] = (
        {},
        {"image_sha256": "3" * 64},
        {"alpha_sha256": "3" * 64},
        {"opaque_from": 250},
        {"id": "s-b"},
    )
    for change in changes:
        cache.clean(replace(RECORD, **change), IMAGE.copy(), ALPHA)
    assert len(files(tmp_path)) == 4  # the id says nothing about the content
