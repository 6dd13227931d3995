"""Rendering: arguments are checked first; a tiny person renders the same twice."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from matting_data.errors import MissingExtraError, UsageError
from matting_data.people import Hair, PersonSpec, PictureSpec, render_people

TINY = PictureSpec("tiny", (PersonSpec("t", 1, hair=Hair("short")),), framing="portrait")


def test_repeated_names_are_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="same name"):
        render_people(tmp_path, [TINY, TINY])


@pytest.mark.parametrize("values", [{"samples": 0}, {"width": 3}, {"height": 100_000}])
def test_numbers_out_of_range_are_refused(tmp_path: Path, values: dict[str, int]) -> None:
    with pytest.raises(UsageError, match=next(iter(values))):
        render_people(tmp_path, [TINY], **values)


def test_missing_packages_name_the_extra(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "mitsuba", None)
    with pytest.raises(MissingExtraError, match=r"mattingdata\[people\]"):
        render_people(tmp_path, [TINY])


@pytest.mark.slow
def test_tiny_person_renders_the_same_twice(tmp_path: Path) -> None:
    pytest.importorskip("anny")
    pytest.importorskip("mitsuba")
    calls: list[tuple[int, int, Path]] = []
    first = render_people(
        tmp_path / "a", [TINY], width=96, height=128, samples=4, progress=lambda *call: calls.append(call)
    )
    again = render_people(tmp_path / "b", [TINY], width=96, height=128, samples=4)
    assert calls == [(1, 1, first[0])]
    assert first[0].read_bytes() == again[0].read_bytes()
    with Image.open(first[0]) as image:
        assert image.mode == "RGBA"
        pixels = np.asarray(image)
    assert pixels.shape == (128, 96, 4)
    alpha = pixels[..., 3]
    assert alpha[0].max() < 128
    assert 0.2 < (alpha > 127).mean() < 0.9
    assert ((alpha > 0) & (alpha < 255)).any()
    # The face is lit: the middle of the head is neither black nor clipped.
    face = pixels[40:70, 40:56, :3]
    assert 40 < face.mean() < 240
    assert not list(tmp_path.glob("**/*.part"))
