"""A decoder that gets no memory, or cannot be loaded, says nothing about the file."""

from __future__ import annotations

import errno
from typing import Any

import cv2
import pytest

from matting_data.errors import OutOfMemoryError, RefusedError, RejectedInput, at, wants_memory
from matting_data.imaging.codecs.damage import damage_is_unreadable
from matting_data.imaging.codecs.jpeg import decode_jpeg

WANTING: list[Exception] = [
    MemoryError(),
    OSError(errno.ENOMEM, "Cannot allocate memory"),
    OSError("out of memory error when reading image file"),
    cv2.error("OpenCV(4.11.0) alloc.cpp:73: error: (-4:Insufficient memory) Failed to allocate 9 bytes"),
]


@pytest.mark.parametrize("error", WANTING, ids=lambda error: type(error).__name__)
def test_too_little_memory_ends_the_command_in_a_sentence(error: Exception) -> None:
    with (
        pytest.raises(OutOfMemoryError, match="not enough memory for p1: run the same command again"),
        at("p1"),
        damage_is_unreadable(),
    ):
        raise error


@pytest.mark.parametrize("case", [2, 4])
def test_libjpeg_without_memory(monkeypatch: pytest.MonkeyPatch, case: int) -> None:
    def refusing(*_: Any, **__: Any) -> None:
        raise ValueError(f"Insufficient memory (case {case})")

    monkeypatch.setattr("simplejpeg.decode_jpeg", refusing)
    with pytest.raises(OutOfMemoryError), at("b1"):
        decode_jpeg(b"\xff\xd8", "RGB")


def test_sizes_that_no_image_has_are_damage_still() -> None:
    assert not wants_memory(ValueError("Insufficient memory (case 1)"))
    with pytest.raises(RejectedInput, match="broken data"), damage_is_unreadable():
        raise OSError("broken data stream when reading image file")


def test_a_decoder_that_cannot_be_loaded_is_no_damage() -> None:
    with pytest.raises(RefusedError, match="Too many open files"), damage_is_unreadable():
        raise OSError(errno.EMFILE, "Too many open files", "TiffImagePlugin.py")
