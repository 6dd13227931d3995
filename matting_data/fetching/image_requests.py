"""Images to fetch, from lists in the official downloader's format and from tables of original addresses."""

from __future__ import annotations

import base64
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import chain
from pathlib import Path
from typing import Any

import polars as pl

from matting_data.errors import UsageError
from matting_data.fetching.fetch_ledger import Fetched
from matting_data.fetching.wanted import Request, Wanted, check_base_url
from matting_data.records.tables import table_errors

BUCKET = "https://open-images-dataset.s3.amazonaws.com"
"""The public bucket over HTTP: ``{split}/{id}.jpg``, longest side at most 1,024 pixels, boxable images only."""

ORIGINALS = ("ImageID", "OriginalURL", "OriginalSize", "OriginalMD5")
"""The columns of an image-ids file that tell where a photograph came from."""

_LINE = re.compile(r"(train|validation|test|challenge2018)/([0-9a-fA-F]{16})(\.jpg)?")
_ID = re.compile(r"[0-9a-fA-F]{16}")
_MD5 = re.compile(r"([A-Za-z0-9+/]{22}==)?")
_SHOWN = 60


def bucket_request(images: Path | None, base_url: str | None = None) -> Request:
    """Ask for the bucket's rescaled copies of the images in a list; no hash of these is known.

    Raises
    ------
    UsageError
        No list, one that names no image, or an unusable address.
    """
    if images is None:
        raise UsageError("nothing is asked for: name a list with --images, or an image-ids file with --originals")
    base = check_base_url(base_url or BUCKET, BUCKET)
    splits, refused = read_image_list(images)

    def items() -> Iterator[Wanted | Fetched]:
        yield from refused
        for identity, split in splits.items():
            yield Wanted(identity, f"{identity}.jpg", f"{base}/{split}/{identity}.jpg")

    return Request(items, len(refused) + len(splits))


def original_request(originals: Path, images: Path | None = None, base_url: str | None = None) -> Request:
    """Ask for the originals of the images in a list, or of all images of an image-ids file.

    Raises
    ------
    UsageError
        An unreadable file, or a bucket named besides.
    """
    if base_url:
        raise UsageError("--base-url names a bucket, --originals asks the photographs' own hosts: give one of them")
    splits, refused = (None, []) if images is None else read_image_list(images)
    rows = read_image_rows(originals, splits)
    total = len(refused) + (rows.height if splits is None else len(splits))
    return Request(lambda: chain(refused, original_images(rows, splits)), total)


def read_image_list(path: Path) -> tuple[dict[str, str], list[Fetched]]:
    """Read an image list: ``SPLIT/IMAGE_ID`` a line, as for OpenImages' own ``downloader.py``.

    A ``.jpg`` after the id, blank lines, comments from ``#`` on and repeated lines are tolerated.

    Parameters
    ----------
    path : Path
        UTF-8 text.

    Returns
    -------
    (dict, list of Fetched)
        Image id → split, in the order of the file, and the lines that are not ``SPLIT/IMAGE_ID``.

    Raises
    ------
    UsageError
        The file cannot be read, or no line of it names an image.
    """
    splits: dict[str, str] = {}
    refused = []
    try:
        with open(path, encoding="utf-8-sig", errors="replace") as stream:
            for number, line in enumerate(stream, start=1):
                text = line.partition("#")[0].strip()
                if not text:
                    continue
                problem = f"{_short(text)!r} is no SPLIT/IMAGE_ID"
                if match := _LINE.fullmatch(text):
                    split, identity = match[1], match[2].lower()
                    if splits.setdefault(identity, split) == split:
                        continue
                    # ids are unique over all splits: one of the two lines is wrong
                    problem = f"{identity} is listed before as {splits[identity]}/{identity}"
                refused.append(Fetched(f"line {number}", "rejected", "malformed_line", f"line {number}: {problem}"))
    except OSError as error:
        raise UsageError(f"cannot read the image list {path}: {error.strerror}; correct --images") from None
    if not splits:
        raise UsageError(f"{path} names no image: write one SPLIT/IMAGE_ID a line, for instance train/f9e0434389a1d4dd")
    return splits, refused


def read_image_rows(
    path: Path, images: Iterable[str] | None = None, columns: Sequence[str] = ORIGINALS
) -> pl.DataFrame:
    """Read columns of an image-ids file as text, in its order.

    Parameters
    ----------
    path : Path
        CSV, CSV.gz or Parquet.
    images : iterable of str, optional
        Only these ids; the rest of the file streams by, whatever its size.

    Raises
    ------
    UsageError
        The file cannot be read or lacks a column.
    """
    if path.is_dir():
        raise UsageError(f"cannot read the image-ids file {path}: it is a folder; name the file in it")
    with table_errors(f"cannot read the image-ids file {path}", "fetch it again", UsageError):
        parquet = path.suffix == ".parquet"
        frame = pl.scan_parquet(path, glob=False) if parquet else pl.scan_csv(path, infer_schema=False, glob=False)
        missing = [name for name in columns if name not in frame.collect_schema()]
        if missing:
            raise UsageError(f"{path} has no column {missing[0]!r}: name an OpenImages image-ids file")
        frame = frame.select(pl.col(*columns).cast(pl.String).fill_null(""))
        if images is not None:
            asked = pl.Series(list(images), dtype=pl.String).implode()
            frame = frame.filter(pl.col("ImageID").str.to_lowercase().is_in(asked))
        return frame.collect(engine="streaming")


def original_images(rows: pl.DataFrame, images: Iterable[str] | None = None) -> Iterator[Wanted | Fetched]:
    """Yield the originals of an image-ids table, and a ledger row for each image that cannot be asked for.

    Parameters
    ----------
    rows : DataFrame
        From :func:`read_image_rows`.
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
            yield Fetched(f"row {number}", "rejected", "malformed_row", detail)
    for identity in sorted((asked or set()) - seen):
        yield Fetched(identity, "rejected", "no_url", "the image-ids file has no row for it")


def _original(identity: str, row: Mapping[str, Any]) -> Wanted | Fetched:
    if not row["OriginalURL"]:
        return Fetched(identity, "rejected", "no_url", "OriginalURL is empty")
    size, md5 = row["OriginalSize"].removesuffix(".0"), row["OriginalMD5"]
    if size and not (size.isascii() and size.isdigit()):
        return Fetched(identity, "rejected", "malformed_row", f"OriginalSize {_short(size)!r} is not a number of bytes")
    if not _MD5.fullmatch(md5):
        return Fetched(identity, "rejected", "malformed_row", f"OriginalMD5 {_short(md5)!r} is not an MD5 in base64")
    return Wanted(identity, f"{identity}.jpg", row["OriginalURL"], int(size or 0), base64.b64decode(md5).hex())


def _short(text: str) -> str:
    return text if len(text) <= _SHOWN else f"{text[: _SHOWN - 1]}…"
