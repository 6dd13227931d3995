"""What is asked for: image lists in the official downloader's format, and tables of original URLs."""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import polars as pl

from matting_data.errors import UsageError

BUCKET = "https://open-images-dataset.s3.amazonaws.com"
"""The public bucket over HTTP: ``{split}/{id}.jpg``, longest side at most 1,024 pixels, boxable images only."""

SPLITS = ("train", "validation", "test", "challenge2018")

_LINE = re.compile(rf"({'|'.join(SPLITS)})/([0-9a-fA-F]{{16}})(\.jpg)?")
_ID = re.compile(r"[0-9a-fA-F]{16}")
_ORIGINALS = ("ImageID", "OriginalURL", "OriginalSize", "OriginalMD5")
_SHOWN = 60


@dataclass(frozen=True, slots=True)
class Wanted:
    """One file to fetch.

    Attributes
    ----------
    id : str
        Image id, or name of a metadata file; the ledger's key.
    name : str
        Name of the file below the folder; never a path.
    url : str
        Where it is.
    bytes : int
        Its length, 0 where unknown.
    md5, sha256 : str
        Hex digests, empty where unknown.
    image : bool
        Whether it has to be an image.
    """

    id: str
    name: str
    url: str
    bytes: int = 0
    md5: str = ""
    sha256: str = ""
    image: bool = True


@dataclass(frozen=True, slots=True)
class Refused:
    """One line or row that cannot be asked for, and why: a ledger row without a download."""

    id: str
    reason: str
    detail: str


@dataclass(frozen=True)
class ImageList:
    """An image list as read.

    Attributes
    ----------
    images : mapping
        Image id → split, in the order of the file.
    refused : list of Refused
        Lines that are no ``SPLIT/IMAGE_ID``, with their number.
    repeated : int
        Lines that name an image once more.
    """

    images: Mapping[str, str]
    refused: list[Refused] = field(default_factory=list)
    repeated: int = 0


def read_image_list(path: Path) -> ImageList:
    """Read an image list: ``SPLIT/IMAGE_ID`` a line, as for OpenImages' own ``downloader.py``.

    A ``.jpg`` after the id, blank lines and comments from ``#`` on are tolerated.

    Parameters
    ----------
    path : Path
        UTF-8 text.

    Raises
    ------
    UsageError
        The file cannot be read, or no line of it names an image.
    """
    images: dict[str, str] = {}
    refused, repeated = [], 0
    try:
        with open(path, encoding="utf-8-sig", errors="replace") as stream:
            for number, line in enumerate(stream, start=1):
                text = line.partition("#")[0].strip()
                if not text:
                    continue
                match = _LINE.fullmatch(text)
                if match is None:
                    refused.append(_malformed_line(number, text))
                    continue
                split, identity = match[1], match[2].lower()
                known = images.get(identity)
                if known is None:
                    images[identity] = split
                elif known == split:
                    repeated += 1
                else:  # ids are unique over all splits: one of the two lines is wrong
                    detail = f"line {number}: {identity} is listed before as {known}/{identity}"
                    refused.append(Refused(f"line {number}", "malformed_line", detail))
    except OSError as error:
        raise UsageError(f"cannot read the image list {path}: {error.strerror}; correct --images") from None
    if not images:
        raise UsageError(f"{path} names no image: write one SPLIT/IMAGE_ID a line, for instance train/f9e0434389a1d4dd")
    return ImageList(images, refused, repeated)


def check_base_url(url: str) -> str:
    """Return a bucket's address without its last slash; raise UsageError unless it is ``http(s)://host[/path]``."""
    try:
        parts = urlsplit(url)
        usable = parts.scheme in ("http", "https") and bool(parts.hostname) and not (parts.query or parts.fragment)
    except ValueError:
        usable = False
    if not usable:
        raise UsageError(f"--base-url {url!r} is no http(s) address of a bucket: use for instance {BUCKET}")
    return url.rstrip("/")


def bucket_images(images: Mapping[str, str], base: str = BUCKET) -> Iterator[Wanted]:
    """Yield images (id → split) as the bucket names them. Copies there are rescaled: no hash is known."""
    for identity, split in images.items():
        yield Wanted(identity, f"{identity}.jpg", f"{base}/{split}/{identity}.jpg")


def read_originals(path: Path, images: Iterable[str] | None = None) -> pl.DataFrame:
    """Read the rows of the image-ids file that :func:`original_images` needs.

    Parameters
    ----------
    path : Path
        CSV, CSV.gz or Parquet with the columns ``ImageID``, ``OriginalURL``, ``OriginalSize`` and ``OriginalMD5``.
    images : iterable of str, optional
        Only these ids; the rest of the file streams by, whatever its size.

    Raises
    ------
    UsageError
        The file cannot be read or lacks a column.
    """
    return read_image_rows(path, images, _ORIGINALS)


def read_image_rows(path: Path, images: Iterable[str] | None, columns: Sequence[str]) -> pl.DataFrame:
    """Read columns of an image-ids file as text, in its order, for the given ids only (all without them).

    Raises
    ------
    UsageError
        The file cannot be read or lacks a column.
    """
    if path.is_dir():
        raise UsageError(f"cannot read the image-ids file {path}: it is a folder; name the file in it")
    try:
        frame = (
            pl.scan_parquet(path, glob=False)
            if path.suffix == ".parquet"
            else pl.scan_csv(path, infer_schema=False, glob=False)
        )
        missing = [name for name in columns if name not in frame.collect_schema()]
        if missing:
            raise UsageError(f"{path} has no column {missing[0]!r}: name an OpenImages image-ids file")
        frame = frame.select(pl.col(name).cast(pl.String).fill_null("") for name in columns)
        if images is not None:
            asked = pl.Series(list(images), dtype=pl.String).implode()
            frame = frame.filter(pl.col("ImageID").str.to_lowercase().is_in(asked))
        return frame.collect(engine="streaming")
    except (OSError, pl.exceptions.PolarsError) as error:
        reason = str(error).splitlines()[0]
        raise UsageError(f"cannot read the image-ids file {path}: {reason}; fetch it again") from None


def original_images(rows: pl.DataFrame, images: Iterable[str] | None = None) -> Iterator[Wanted | Refused]:
    """Yield the originals of an image-ids table, and what of it cannot be asked for.

    Parameters
    ----------
    rows : DataFrame
        From :func:`read_originals`.
    images : iterable of str, optional
        The ids asked for; each that has no row is refused as ``no_url``. Without, every row is asked for.
    """
    asked = None if images is None else set(images)
    seen: set[str] = set()
    for number, row in enumerate(rows.iter_rows(named=True), start=1):
        identity = row["ImageID"].lower()
        if identity in seen or (asked is not None and identity not in asked):
            continue
        if _ID.fullmatch(identity):
            seen.add(identity)
            yield _original(identity, row)
        else:
            detail = f"row {number}: ImageID {_short(identity)!r} is not 16 hex digits"
            yield Refused(f"row {number}", "malformed_row", detail)
    for identity in sorted((asked or set()) - seen):
        yield Refused(identity, "no_url", "the image-ids file has no row for it")


def _original(identity: str, row: Mapping[str, Any]) -> Wanted | Refused:
    if not row["OriginalURL"]:
        return Refused(identity, "no_url", "OriginalURL is empty")
    size = row["OriginalSize"].removesuffix(".0")
    if size and not (size.isascii() and size.isdigit()):
        return Refused(identity, "malformed_row", f"OriginalSize {_short(size)!r} is no number of bytes")
    try:
        digest = base64.b64decode(row["OriginalMD5"], validate=True)
    except (binascii.Error, ValueError):
        digest = b"?"
    if len(digest) not in (0, 16):
        return Refused(identity, "malformed_row", f"OriginalMD5 {_short(row['OriginalMD5'])!r} is no MD5 in base64")
    return Wanted(identity, f"{identity}.jpg", row["OriginalURL"], int(size or 0), digest.hex())


def _malformed_line(number: int, text: str) -> Refused:
    return Refused(f"line {number}", "malformed_line", f"line {number}: {_short(text)!r} is no SPLIT/IMAGE_ID")


def _short(text: str) -> str:
    return text if len(text) <= _SHOWN else f"{text[: _SHOWN - 1]}…"
