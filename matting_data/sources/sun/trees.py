"""SUN's trees and lists: which file is of which category, and on which side of an official partition."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from matting_data.errors import UsageError
from matting_data.records.codes import Split
from matting_data.sources.find_files import ImageTree, list_images
from matting_data.sources.source_paths import SourcePath
from matting_data.storage.refused import refusals
from matting_data.storage.regular_files import read_regular

UNDECODABLE = frozenset(
    [
        "c/church/outdoor/sun_bhenjvsvrtumjuri.jpg",
        "d/dirt_track/sun_banvbkentoawqquo.jpg",
        "c/car_dealership/sun_bfzdurixkybkmlmp.jpg",
    ]
)
"""Files of the published archives that decoders disagree on or refuse: TFDS leaves out the first, users of SUN2012 the
others."""

_FILE = re.compile(r"sun_[a-z0-9]{16}\.jpg", re.IGNORECASE)
_DEEPEST = 3
"""Folders below the letter: ``/c/car_interior/backseat`` has two; the full list allows one more."""


@dataclass(frozen=True, slots=True)
class SunImage:
    """One image of SUN by its place.

    Attributes
    ----------
    category : str
        As ``ClassName.txt`` writes it: ``/a/airplane_cabin`` or ``/c/cabin/outdoor``.
    name : str
        ``sun_<16 letters or digits>.jpg``. The suffix is no promise: some files are PNG, GIF or BMP.
    """

    category: str
    name: str

    @property
    def path(self) -> str:
        """Path below the root, without a leading slash."""
        return f"{self.category[1:]}/{self.name}"

    @property
    def undecodable(self) -> bool:
        """Whether it is one of the files known to be damaged."""
        return self.path in UNDECODABLE


def parse_path(path: str) -> SunImage | None:
    """Read category and name from a path; None if it is not a path of SUN.

    Parameters
    ----------
    path : str
        ``[…/]<letter>/<category>[/<sub>]/sun_<16 characters>.jpg`` with any folders before it, such as ``SUN397/`` or
        ``SUN2012/Images/``; forward slashes.

    Examples
    --------
    >>> parse_path("SUN397/c/cabin/outdoor/sun_aaaaaaaaaaaaaaaa.jpg").category
    '/c/cabin/outdoor'
    """
    parts = PurePosixPath(path).parts
    if not parts or not _FILE.fullmatch(parts[-1]):
        return None
    for depth in range(1, min(_DEEPEST, len(parts) - 2) + 1):
        letter, *category = parts[-depth - 2 : -1]
        if len(letter) == 1 and letter.isalpha() and category[0][:1].lower() == letter.lower():
            return SunImage("/".join(["", letter, *category]), parts[-1])
    return None


def find_images(root: SourcePath) -> ImageTree:
    """List the files of a tree, of SUN397, the full database, or SUN2012's ``Images``.

    Parameters
    ----------
    root : Path or RemotePath
        Folder above the letters, or one above that.

    Returns
    -------
    ImageTree
        Also with images that are not named as SUN does (``p/park/labelme_….jpg``).

    Raises
    ------
    UsageError
        If `root` is not a folder or holds no image of SUN.
    """
    tree = list_images(root, "the folder of SUN")
    if not any(parse_path(path) for path in tree.images):
        raise UsageError(
            f"{root} holds no file such as a/abbey/sun_aaalbzqrimafwbiv.jpg: give the folder above the letters a to z"
        )
    return tree


def read_class_names(path: Path) -> list[str]:
    """Read ``ClassName.txt``.

    Returns
    -------
    list of str
        Categories such as ``/a/abbey``, in the file's order.

    Raises
    ------
    UsageError
        If a line is not a category, or repeats one.
    """
    names: dict[str, int] = {}
    for number, line in _lines(path):
        if not re.fullmatch(r"/[a-z](/[\w-]+){1,3}", line):
            raise UsageError(f"{path} line {number}: {line!r} is not a category such as /a/abbey")
        if line in names:
            raise UsageError(f"{path} line {number}: {line!r} is listed twice: remove one")
        names[line] = number
    return list(names)


def read_partition(path: Path) -> list[SunImage]:
    """Read one list of an official partition, such as ``Training_01.txt``.

    Parameters
    ----------
    path : Path
        A path such as ``/a/abbey/sun_aaalbzqrimafwbiv.jpg`` in each line.

    Raises
    ------
    UsageError
        If a line is not the path of an image of SUN.
    """
    images = []
    for number, line in _lines(path):
        image = parse_path(line)
        if image is None:
            raise UsageError(f"{path} line {number}: {line!r} is not a path such as /a/abbey/sun_aaalbzqrimafwbiv.jpg")
        images.append(image)
    return images


def read_partitions(folder: Path, number: int) -> dict[Split, list[SunImage]]:
    """Read both sides of an official partition.

    Parameters
    ----------
    folder : Path
        With ``Training_NN.txt`` and ``Testing_NN.txt``.
    number : int
        From 1 to 10.

    Returns
    -------
    dict
        ``train`` and ``test``.

    Raises
    ------
    UsageError
        If a list is missing, or an image is on both sides.
    """
    names: dict[Split, str] = {"train": "Training", "test": "Testing"}
    sides = {side: read_partition(folder / f"{name}_{number:02d}.txt") for side, name in names.items()}
    both = set(sides["train"]) & set(sides["test"])
    if both:
        example = min(image.path for image in both)
        raise UsageError(
            f"partition {number:02d} of {folder} has {example} on both sides: download Partitions.zip again"
        )
    return sides


def _lines(path: Path) -> list[tuple[int, str]]:
    try:
        with refusals(path):
            text = read_regular(path).decode("utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"{path} cannot be read ({error}): give a list of SUN") from None
    return [(number, line.strip()) for number, line in enumerate(text.splitlines(), 1) if line.strip()]
