"""What predictions are made from and scored against: a split of a built dataset, or folders of files."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from matting_data.errors import DamageError, RejectedInput, UsageError
from matting_data.imaging.decode import decode, to_alpha8, to_rgb8
from matting_data.readers import dataset as dataset_reader
from matting_data.readers.store import SampleStore
from matting_data.records.judged import JudgedBackground
from matting_data.records.stored import Sample
from matting_data.records.tables import read_table
from matting_data.shards.index import INDEX
from matting_data.sources.find_files import image_tree
from matting_data.sources.inputs import read_input
from matting_data.sources.match_files import composed, same_name

Member = Literal["image", "alpha", "trimap"]

MEMBERS: tuple[Member, ...] = ("image", "alpha", "trimap")


@dataclass(frozen=True)
class Item:
    """One image of a test set, not yet read.

    Attributes
    ----------
    key : str
        What its prediction is called, without suffix; POSIX, may hold folders.
    subset, foreground, background, source : str
        The foreground's subset and id, the background's id and its source; from folders, the subset is the folder
        that an image lies in, and the rest is empty.
    store, row : SampleStore and Sample, optional
        What a built dataset holds it in, and its manifest row there.
    files : mapping
        Member → path, where folders hold it.
    """

    key: str
    subset: str = ""
    foreground: str = ""
    background: str = ""
    source: str = ""
    store: SampleStore | None = None
    row: Sample | None = None
    files: Mapping[Member, Path] = field(default_factory=dict)

    def read(self, *members: Member) -> dict[Member, NDArray[Any]]:
        """Decode the pixels of some members: an image H×W×3 uint8, a matte H×W (16 bits kept), a trimap H×W uint8.

        Those that folders lack are left out.

        Raises
        ------
        DamageError
            A shard is missing or damaged.
        RejectedInput
            A file cannot be read.
        """
        if self.store is not None and self.row is not None:
            found = self.store.decode(self.row, self.store.fetch(self.row, members))
            return {member: found[member] for member in members}
        return {member: _DECODERS[member](read_input(self.files[member])) for member in members if member in self.files}

    def need(self, *members: Member) -> list[NDArray[Any]]:
        """Read the pixels of some members; RejectedInput where one is missing or cannot be read."""
        planes = self.read(*members)
        for member in members:
            if member not in planes:
                reason = "no_truth" if member == "alpha" else f"no_{member}"
                raise RejectedInput(reason, f"there is no {member} of this name")
        return [planes[member] for member in members]

    @property
    def about(self) -> dict[str, Any]:
        """What its score repeats of it."""
        return {name: getattr(self, name) for name in ("key", "subset", "foreground", "background", "source")}


@dataclass(frozen=True)
class EvaluationSet:
    """Items in a fixed order, and an `identity` that tells two sets apart."""

    name: str
    identity: str
    items: tuple[Item, ...]


def open_test_set(
    root: Path, split: str = "test", folders: tuple[str, str, str] = ("image", "alpha", "trimap")
) -> EvaluationSet:
    """List what is to be predicted or scored.

    Parameters
    ----------
    root : Path
        A folder that ``mattingdata build`` wrote, or one with a folder of mattes and, beside it, of images and trimaps
        with the same file names (suffixes may differ).
    split : str
        Which split of a built dataset; folders have none.
    folders : (str, str, str)
        Names of the folders of images, mattes and trimaps below `root`; empty for one that is not needed. The mattes
        (or else the images) decide what belongs to the set.

    Raises
    ------
    UsageError
        Nothing of either kind is there, or the split is unknown or empty.
    DamageError
        The dataset is unfinished or damaged.
    """
    if (root / INDEX).is_file() or (root / "recipe.yaml").is_file():
        return _built(root, split)
    if not root.is_dir():
        raise UsageError(f"there is no folder {root}: name a built dataset, or a folder with image, alpha and trimap")
    return _folders(root, folders)


def matte_of(data: bytes) -> NDArray[Any]:
    """Decode a matte, keeping its 16 bits where it has them.

    Raises
    ------
    RejectedInput
        Unreadable, or a colour picture.
    """
    raster = decode(data)
    if raster.pixels.dtype != np.uint16:
        return to_alpha8(raster)
    if raster.pixels.ndim == 2:
        return raster.pixels
    if raster.pixels.shape[2] == 4 and raster.pixels[..., 3].min() != raster.pixels[..., 3].max():
        return np.ascontiguousarray(raster.pixels[..., 3])
    to_alpha8(raster)  # refuses a picture
    return np.ascontiguousarray(raster.pixels[..., 1])


def trimap_of(data: bytes) -> NDArray[np.uint8]:
    """Decode a trimap; RejectedInput where its values are none of 0, 128 and 255."""
    trimap = to_alpha8(decode(data))
    strange = trimap[(trimap != 0) & (trimap != 128) & (trimap != 255)]
    if strange.size:
        raise RejectedInput("trimap_values", f"the trimap holds {strange[0]}; only 0, 128 and 255 mean something")
    return trimap


def image_of(data: bytes) -> NDArray[np.uint8]:
    """Decode an image to H×W×3 uint8 RGB."""
    return to_rgb8(decode(data))


_DECODERS: dict[Member, Callable[[bytes], NDArray[Any]]] = {"image": image_of, "alpha": matte_of, "trimap": trimap_of}


def _built(root: Path, name: str) -> EvaluationSet:
    dataset = dataset_reader.open(root)
    split = dataset[name]
    sources = _background_sources(root)
    items = [
        Item(row.key, row.subset, row.foreground, row.background, sources.get(row.background, ""), split.store, row)
        for row in split.rows
    ]
    if not items:
        raise UsageError(f"the split {name!r} of {root} is empty: name another --split")
    return EvaluationSet(f"{dataset.name} {name}", split.identity, tuple(items))


def _background_sources(root: Path) -> dict[str, str]:
    try:
        return {record.id: record.source for record in read_table(root / "backgrounds.parquet", JudgedBackground)}
    except DamageError:
        return {}  # a dataset passed on without its tables is scored all the same


def _folders(root: Path, names: tuple[str, str, str]) -> EvaluationSet:
    named = {member: root / name for member, name in zip(MEMBERS, names, strict=True) if name}
    found = {member: images_by_key(folder) for member, folder in named.items() if folder.is_dir()}
    leading = [named[member] for member in ("alpha", "image") if member in named]
    present = [folder for folder in leading if folder.is_dir()]
    if not present:
        raise UsageError(
            f"{root} is no built dataset and has no folder {' or '.join(folder.name for folder in leading)}: "
            "name its folders with --image-folder, --alpha-folder and --trimap-folder"
        )
    keys = sorted(images_by_key(present[0]))
    if not keys:
        raise UsageError(f"{present[0]} holds no images")
    items = []
    for key in keys:
        parent = str(PurePosixPath(key).parent)
        files = {member: paths[key] for member, paths in found.items() if key in paths}
        items.append(Item(key, subset="" if parent == "." else parent, files=files))
    digest = hashlib.sha256("\n".join(keys).encode()).hexdigest()
    return EvaluationSet(root.name, digest, tuple(items))


def images_by_key(folder: Path) -> dict[str, Path]:
    """List an image tree as path without suffix → file; UsageError where two files would have one key.

    Keys are in Unicode's form NFC, so that a prediction is found whichever system wrote its name.
    """
    files: dict[str, Path] = {}
    for path in image_tree(folder, str(folder)):
        key = same_name(path)
        if key in files:
            one, other = files[key].name, PurePosixPath(path).name
            shown = f"{one!a} and {other!a}" if composed(one) == composed(other) else f"{one} and {other}"
            raise UsageError(f"{folder} holds both {shown}: remove one")
        files[key] = folder / path
    return files


def prediction_files(folder: Path) -> dict[str, Path]:
    """Find a method's predictions as key → file; UsageError where the folder is missing or ambiguous."""
    if not folder.is_dir():
        raise UsageError(f"there is no folder {folder}: name the one that holds the predictions")
    return images_by_key(folder)
