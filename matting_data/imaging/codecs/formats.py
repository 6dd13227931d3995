"""The image formats that are read, with their suffixes: one list for finding files, decoding them and storing them."""

from __future__ import annotations

from dataclasses import dataclass

from PIL import features

from matting_data.errors import MissingExtraError, RejectedInput


@dataclass(frozen=True)
class Format:
    """One format.

    Attributes
    ----------
    name : str
        Pillow's name.
    suffixes : tuple of str
        Those that promise it, in lower case; files that are written get the first.
    """

    name: str
    suffixes: tuple[str, ...]


FORMATS = (
    Format("JPEG", (".jpg", ".jpeg", ".jpe", ".jfif")),
    Format("PNG", (".png",)),
    Format("GIF", (".gif",)),
    Format("BMP", (".bmp",)),
    Format("TIFF", (".tif", ".tiff")),
    Format("WEBP", (".webp",)),
    Format("PPM", (".ppm", ".pgm")),
    Format("AVIF", (".avif",)),
    Format("JPEG2000", (".jp2",)),
    Format("HEIF", (".heic", ".heif")),
)
"""Formats of photographs and mattes. Pillow knows more, among them EPS, which it hands to Ghostscript to run."""

SUFFIXES = frozenset(suffix for entry in FORMATS for suffix in entry.suffixes)
"""Names that promise an image; what a file really is, decoding finds out."""

_SUFFIX_OF = {entry.name: entry.suffixes[0] for entry in FORMATS}

_HEIC_BRANDS = frozenset((b"heic", b"heix", b"hevc", b"hevx", b"heim", b"heis", b"hevm", b"hevs"))
"""Brands of ISO/IEC 23008-12 for images coded with HEVC."""

_GENERIC_BRANDS = frozenset((b"mif1", b"msf1", b"mif2"))

_AVIF_BRANDS = frozenset((b"avif", b"avis"))


def stored_suffix(name: str) -> str:
    """Look up the suffix, with its dot, of files of a format that Pillow calls `name`: ``.jpg``."""
    return _SUFFIX_OF.get(name, f".{name.lower()}")


def decoder_names(data: bytes) -> tuple[str, ...]:
    """List Pillow's names of the formats to try on a file; register the HEIC decoder where the file is HEIC.

    Raises
    ------
    RejectedInput
        ``unreadable``: the content is HEIC or AVIF, and what decodes it is not installed.
    """
    named = box_format(data)
    if named == "HEIF":
        _register_heif()
    elif named == "AVIF" and not features.check("avif"):
        raise RejectedInput(
            "unreadable", "the content is AVIF, and this Pillow was built without it: install its wheel"
        )
    return tuple(entry.name for entry in FORMATS if entry.name != "HEIF" or named == "HEIF")


def box_format(data: bytes) -> str | None:
    """Tell ``HEIF`` and ``AVIF`` files apart by the brands of their first box (ISO/IEC 14496-12); None for others."""
    if data[4:8] != b"ftyp":
        return None
    length = min(int.from_bytes(data[:4], "big"), 256)
    brands = {data[8:12], *(data[place : place + 4] for place in range(16, length - 3, 4))}
    if brands & _HEIC_BRANDS:
        return "HEIF"
    if brands & _AVIF_BRANDS:
        return "AVIF"
    return "HEIF" if brands & _GENERIC_BRANDS else None


def _register_heif() -> None:
    try:
        import pillow_heif
    except ImportError:
        missing = MissingExtraError("heif", "pillow-heif is")
        raise RejectedInput("unreadable", f"the content is HEIC, and {missing}") from None
    pillow_heif.register_heif_opener()
