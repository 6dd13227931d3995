"""One list of formats: every suffix that is taken for an image has its decoder, or a sentence that names it."""

from __future__ import annotations

import io
import sys

import numpy as np
import pytest
from PIL import Image, features

from matting_data.errors import RejectedInput
from matting_data.imaging.codecs.formats import FORMATS, SUFFIXES, box_format, stored_suffix
from matting_data.imaging.decode import decode
from matting_data.sources.find_files import is_image_name
from tests.support.synthetic import encoded, photo

HEIC = b"\0\0\0\x18ftypheic\0\0\0\0mif1heic"


@pytest.mark.parametrize("name", [entry.name for entry in FORMATS])
def test_every_format_is_decoded(name: str) -> None:
    if name == "HEIF":
        pytest.importorskip("pillow_heif").register_heif_opener()
    if name == "AVIF" and not features.check("avif"):
        pytest.skip("this Pillow has no AVIF")
    raster = decode(encoded(photo(64, 48), name))
    assert (raster.format, raster.size) == (name, (64, 48))


def test_every_suffix_belongs_to_one_format_and_is_searched_for() -> None:
    suffixes = [suffix for entry in FORMATS for suffix in entry.suffixes]
    assert len(suffixes) == len(set(suffixes)) and set(suffixes) == SUFFIXES
    assert all(is_image_name(f"a{suffix.upper()}") for suffix in suffixes)
    assert [stored_suffix(name) for name in ("JPEG", "TIFF", "JPEG2000", "MPO")] == [".jpg", ".tif", ".jp2", ".mpo"]


@pytest.mark.parametrize(
    ("brands", "expected"),
    [
        ((b"heic", b"mif1"), "HEIF"),
        ((b"mif1", b"heic"), "HEIF"),
        ((b"mif1", b"avif"), "AVIF"),
        ((b"avif", b"mif1"), "AVIF"),
        ((b"mif1", b"miaf"), "HEIF"),
        ((b"isom", b"mp42"), None),
    ],
)
def test_heic_and_avif_are_told_apart_by_their_brands(brands: tuple[bytes, bytes], expected: str | None) -> None:
    assert box_format(b"\0\0\0\x18ftyp" + brands[0] + bytes(4) + brands[0] + brands[1]) == expected


def test_heic_without_its_decoder_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pillow_heif", None)
    with pytest.raises(
        RejectedInput, match=r"the content is HEIC, and pillow-heif is not installed: .*mattingdata\[heif"
    ) as caught:
        decode(HEIC + bytes(500))
    assert caught.value.reason == "unreadable"


def test_damaged_heic_is_called_so() -> None:
    pytest.importorskip("pillow_heif")
    with pytest.raises(RejectedInput, match="HEIC"):
        decode(HEIC + bytes(500))


def test_heic_is_turned_and_keeps_its_alpha() -> None:
    pillow_heif = pytest.importorskip("pillow_heif")
    pillow_heif.register_heif_opener()
    image = Image.fromarray(np.dstack([photo(64, 48), np.tile(np.arange(64, dtype=np.uint8) * 4, (48, 1))]))
    marks = Image.Exif()
    marks[0x0112] = 6
    stream = io.BytesIO()
    image.save(stream, "HEIF", quality=-1, exif=marks.tobytes())
    raster = decode(stream.getvalue())
    assert raster.size == (48, 64)
    difference = raster.pixels.astype(int) - np.rot90(np.asarray(image), 3).astype(int)
    assert np.abs(difference).mean() < 6
