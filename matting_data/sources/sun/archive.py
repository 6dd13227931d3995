"""Images straight from a tar: found once, then read by their place (``InputFile``), without unpacking 37 GB."""

from __future__ import annotations

import os
import posixpath
import tarfile
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath

from matting_data.errors import UsageError
from matting_data.records.columns import schema
from matting_data.records.kept_tables import keep_table, kept_table
from matting_data.records.tables import from_table, to_table
from matting_data.sources.find_files import is_image_name, require_utf8
from matting_data.sources.sun.links import CircleError, follow_links
from matting_data.sources.sun.trees import parse_path
from matting_data.storage import LocalStorage
from matting_data.storage.refused import refusals
from matting_data.storage.regular_files import open_regular

_COMPRESSED = (b"\x1f\x8b", b"BZh", b"\xfd7zXZ", b"\x28\xb5\x2f\xfd")


@dataclass(frozen=True)
class TarMember:
    """One image in a tar, or of a folder.

    Attributes
    ----------
    path : str
        Name in the tar, such as ``SUN397/a/abbey/sun_aaalbzqrimafwbiv.jpg``.
    offset, size : int or None
        Where its content starts in the tar, and its length, in bytes; None for a file of its own.
    lost_link : str or None
        What it links to, where the tar does not hold that.
    """

    path: str
    offset: int | None = None
    size: int | None = None
    lost_link: str | None = None


def find_tar_images(path: Path, cache: LocalStorage | None = None, index: str = "tar.parquet") -> list[TarMember]:
    """List the images of a tar, also those not named as SUN does, sorted by path; of one path twice, the last.

    Links are followed within the tar, hard and symbolic ones, to files and to folders.

    Parameters
    ----------
    path : Path
        Uncompressed tar of SUN397 or the full database.
    cache : LocalStorage, optional
        Folder of a file `index` that keeps where each image lies, so that the tar is walked once; written when missing
        or damaged, or when the tar has changed.

    Raises
    ------
    UsageError
        If the file is missing, not a tar, compressed (then nothing can be read without what precedes it), or holds
        no image of SUN, or if links in it lead in a circle.
    RefusedError
        The system does not let it be read, at its start or anywhere: where it ends is not known then.
    """
    try:
        with refusals(path), open_regular(path) as stream:
            status = os.fstat(stream.fileno())
            head = stream.read(6)
    except OSError as error:
        raise UsageError(f"{path} cannot be read ({error.strerror}): give the tar of SUN397") from None
    if head.startswith(_COMPRESSED):
        raise UsageError(f"{path} is compressed, so that images in it cannot be read by place: decompress it first")
    stamp = f"{path.resolve()} {status.st_size}:{status.st_mtime_ns}"
    kept = None if cache is None else kept_table(cache, index, schema(TarMember), stamp)
    if kept is not None:
        members = {member.path: member for member in from_table(kept, TarMember)}
    else:
        members = _walk(path)
        if cache is not None:
            keep_table(cache, index, to_table(members.values(), TarMember), stamp)
    if not any(parse_path(name) and member.lost_link is None for name, member in members.items()):
        raise UsageError(f"{path} holds no file such as SUN397/a/abbey/sun_aaalbzqrimafwbiv.jpg: give another tar")
    return [members[name] for name in sorted(members)]


def _walk(path: Path) -> dict[str, TarMember]:
    """Find every image."""
    members: dict[str, TarMember] = {}
    links: dict[str, str] = {}
    try:
        with refusals(path), tarfile.open(path, "r:") as tar:
            while (entry := tar.next()) is not None:
                members.pop(entry.name, None)
                links.pop(entry.name, None)
                if entry.issym():
                    links[entry.name] = posixpath.join(posixpath.dirname(entry.name), entry.linkname)
                elif entry.islnk():
                    links[entry.name] = entry.linkname
                elif entry.isreg() and not entry.issparse():
                    members[entry.name] = TarMember(entry.name, entry.offset_data, entry.size)
                tar.members = []  # type: ignore[attr-defined]  # else every header stays in memory
    except tarfile.ReadError as error:
        if not members:
            raise UsageError(f"{path} is not a tar ({error}): give the tar of SUN397, decompressed") from None
        # cut short: what lies before the end is usable, and what does not is rejected when it is read
    except tarfile.TarError as error:
        raise UsageError(f"{path} is damaged ({error}): download it again") from None
    try:
        linked, lost = follow_links(members, links)
    except CircleError as error:
        raise UsageError(f"{path}: the link {error} leads in a circle, or links multiply: remove it") from None
    for name, target in linked.items():
        members.setdefault(name, replace(members[target], path=name))
    members |= {name: TarMember(name, lost_link=target) for name, target in lost.items()}
    members = {name: member for name, member in members.items() if _counts(member)}
    require_utf8(members, "the tar of SUN", path)
    return members


def _counts(member: TarMember) -> bool:
    """Tell whether a member is listed: as an image, or as a link that may have been one or a folder of them."""
    return is_image_name(member.path) or (member.lost_link is not None and not PurePosixPath(member.path).suffix)
