"""From what a user names to what is fetched: a list of images, a table of originals, a choice of metadata files."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import Path

from matting_data.errors import UsageError
from matting_data.fetching.metadata_files import METADATA_BASE, groups_of, metadata_files, select
from matting_data.fetching.wanted import (
    BUCKET,
    Refused,
    Wanted,
    bucket_images,
    check_base_url,
    original_images,
    read_image_list,
    read_originals,
)


@dataclass(frozen=True)
class Request:
    """What is asked for, made one by one each time it is gone through: a list may name millions.

    Attributes
    ----------
    total : int
        Files in it.
    bytes : int
        Their length together, as far as it is known.
    """

    items: Callable[[], Iterator[Wanted | Refused]]
    total: int
    bytes: int = 0

    def __iter__(self) -> Iterator[Wanted | Refused]:
        return self.items()

    def __len__(self) -> int:
        return self.total


def bucket_request(images: Path | None, base_url: str | None = None) -> Request:
    """Return the rescaled copies of the images in a list.

    Raises
    ------
    UsageError
        No list, one that names no image, or an unusable address.
    """
    if images is None:
        raise UsageError("nothing is asked for: name a list with --images, or an image-ids file with --originals")
    base = check_base_url(base_url or BUCKET)
    asked = read_image_list(images)
    return Request(
        lambda: chain(asked.refused, bucket_images(asked.images, base)), len(asked.refused) + len(asked.images)
    )


def original_request(originals: Path, images: Path | None = None, base_url: str | None = None) -> Request:
    """Return the originals of the images in a list, or of all images of an image-ids file.

    Raises
    ------
    UsageError
        An unreadable file, or a bucket named besides.
    """
    if base_url:
        raise UsageError("--base-url names a bucket, --originals asks the photographs' own hosts: give one of them")
    if images is None:
        rows = read_originals(originals)
        return Request(lambda: original_images(rows), rows.height)
    asked = read_image_list(images)
    rows = read_originals(originals, asked.images)
    total = len(asked.refused) + len(asked.images)
    return Request(lambda: chain(asked.refused, original_images(rows, asked.images)), total)


def metadata_request(
    names: Sequence[str], groups: Sequence[str] = (), splits: Sequence[str] = (), base_url: str | None = None
) -> Request:
    """Return the metadata files of a choice.

    Raises
    ------
    UsageError
        Nothing chosen, or something unknown.
    """
    files = metadata_files()
    if not names and not groups:
        known = ", ".join(groups_of(files))
        raise UsageError(f"nothing is asked for: name files, or a --group of {known}")
    chosen = select(files, names, groups, splits)
    if not chosen:
        raise UsageError(f"--group {', '.join(groups)} has no file for --split {', '.join(splits)}: leave out --split")
    base = check_base_url(base_url or METADATA_BASE)
    return Request(lambda: (file.wanted(base) for file in chosen), len(chosen), sum(file.bytes for file in chosen))
