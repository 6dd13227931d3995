"""Matching images and mattes by their names: a pure function of two lists of paths."""

from __future__ import annotations

import re
import unicodedata
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath

from matting_data.records.codes import FoundReason

_NUMBERED = re.compile(r"(\D+)(\d+)")


@dataclass(frozen=True)
class Match:
    """An image and its matte; where one of them is missing, a reason and what was found instead."""

    image: str | None
    alpha: str | None
    reason: FoundReason | None = None
    detail: str | None = None


def composed(text: str) -> str:
    """Convert a text to Unicode's form NFC: names that look the same become the same, whatever system wrote them."""
    return text if text.isascii() else unicodedata.normalize("NFC", text)


def same_name(path: str) -> str:
    """Reduce a path to what an image, its matte and its prediction have in common: no suffix, and form NFC."""
    return composed(_without_suffix(path))


def match_files(images: Sequence[str], mattes: Sequence[str]) -> list[Match]:
    """Match images and mattes of two folders, each file at most once, where that is unambiguous.

    By equal path, else by equal path without suffix; names that differ in Unicode normalisation only are equal.

    Files of different subfolders never match. Only the word before a folder's number may be another on either side,
    where it is the same in all folders of a side: ``clip_0007/a.jpg`` and ``matting_0007/a.png``.

    Parameters
    ----------
    images, mattes : sequence of str
        POSIX paths below the folder of images and that of mattes.

    Returns
    -------
    list of Match
        Each image in order, then each matte left over. Reasons are ``no_matte`` and ``no_image`` where no file has the
        name, ``ambiguous_matte`` and ``ambiguous_image`` where several have.
    """
    of_images, of_mattes = _numbers_of_folders(images), _numbers_of_folders(mattes)
    keys: list[tuple[Callable[[str], str], Callable[[str], str]]] = [
        *((key, key) for key in (str, composed, _without_suffix, same_name)),
        (lambda path: of_images(same_name(path)), lambda path: of_mattes(same_name(path))),
    ]
    alpha_of: dict[str, str] = {}
    image_of: dict[str, str] = {}
    for image_key, matte_key in keys:
        left_images = _by_key((image for image in images if image not in alpha_of), image_key)
        left_mattes = _by_key((matte for matte in mattes if matte not in image_of), matte_key)
        for key, candidates in left_images.items():
            if len(candidates) == len(left_mattes.get(key, ())) == 1:
                image, matte = candidates[0], left_mattes[key][0]
                alpha_of[image], image_of[matte] = matte, image
    image_key, matte_key = keys[-1]
    named_images, named_mattes = _by_key(images, image_key), _by_key(mattes, matte_key)
    result = []
    for image in images:
        key = image_key(image)
        if image in alpha_of:
            result.append(Match(image, alpha_of[image]))
        else:
            rivals = [rival for rival in named_images[key] if rival not in alpha_of]
            reason, detail = _missing("matte", image, named_mattes.get(key, []), image_of, rivals)
            result.append(Match(image, None, reason, detail))
    for matte in mattes:
        if matte not in image_of:
            key = matte_key(matte)
            rivals = [rival for rival in named_mattes[key] if rival not in image_of]
            reason, detail = _missing("image", matte, named_images.get(key, []), alpha_of, rivals)
            result.append(Match(None, matte, reason, detail))
    return result


def _missing(
    kind: str, file: str, candidates: Sequence[str], partner_of: dict[str, str], rivals: Sequence[str]
) -> tuple[FoundReason, str]:
    """Say why a file has no partner among `candidates` of its name; `rivals` are the unpaired files on its own side."""
    free = [candidate for candidate in candidates if candidate not in partner_of]
    absent: FoundReason = "no_matte" if kind == "matte" else "no_image"
    unclear: FoundReason = "ambiguous_matte" if kind == "matte" else "ambiguous_image"
    if len(free) > 1:
        return unclear, f"{len(free)} {kind}s have the name of {file}: {_some(free)}; keep one"
    if free:
        return unclear, f"the {kind} {free[0]} fits {len(rivals)} files: {_some(rivals)}; keep one"
    if candidates:
        return absent, f"the {kind} {candidates[0]} belongs to {partner_of[candidates[0]]}"
    return absent, f"no {kind} is called {_without_suffix(file)!r}, whatever its suffix"


def _without_suffix(path: str) -> str:
    return str(PurePosixPath(path).with_suffix(""))


def _some(names: Sequence[str]) -> str:
    return ", ".join(names[:3]) + (", ..." if len(names) > 3 else "")


def _numbers_of_folders(paths: Sequence[str]) -> Callable[[str], str]:
    """Build a function that drops the word before a folder's number, where all folders of its depth bear that word."""
    levels: defaultdict[int, set[str]] = defaultdict(set)
    for path in paths:
        for depth, folder in enumerate(PurePosixPath(path).parts[:-1]):
            levels[depth].add(composed(folder))
    words = {depth: {_word(folder) for folder in folders} for depth, folders in levels.items()}
    shared = {depth: found.copy().pop() for depth, found in words.items() if len(found) == 1}

    def key(path: str) -> str:
        *folders, name = PurePosixPath(path).parts
        return "/".join([*(each.removeprefix(shared.get(depth, "")) for depth, each in enumerate(folders)), name])

    return key


def _word(folder: str) -> str:
    found = _NUMBERED.fullmatch(folder)
    return found[1] if found else ""


def _by_key(paths: Iterable[str], key: Callable[[str], str]) -> dict[str, list[str]]:
    groups: defaultdict[str, list[str]] = defaultdict(list)
    for path in paths:
        groups[key(path)].append(path)
    return dict(groups)
