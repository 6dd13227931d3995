"""A small project with every kind of source, and its reference datasets."""

from __future__ import annotations

import errno
import io
import json
import shutil
import tarfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

from matting_data.imaging import encode
from tests.support.oi_files import BOXES, IMAGES, LABELS, LAPTOP, PERSON, box_row, image_row, write
from tests.support.projects import draw_person, draw_photo
from tests.support.refusing_system import Fault, RefusingSystem

ERRORS = (errno.EIO, errno.ESTALE, errno.EMFILE, errno.ENOMEM, errno.EACCES)

ONE_ERROR = [errno.EIO, *(pytest.param(error, marks=pytest.mark.slow) for error in ERRORS[1:])]
"""The whole table takes some minutes: CI meets one error at each place."""

CLEAN, SHOWN, SILENT = (f"{number:016x}" for number in (0xA0, 0xA1, 0xA2))


@dataclass
class World:
    """Sources that never change, and datasets made of them."""

    root: Path
    system: RefusingSystem
    recipe: Path
    layers: Path
    reference: Path
    """A finished dataset, with its ``.work``; not to be altered."""
    reference_layers: Path

    def build(
        self, out: Path, *more: object, fault: Fault | None = None, workers: int = 1, recipe: Path | None = None
    ) -> Any:
        arguments = "build", recipe or self.recipe, "--out", out, "--workers", workers, *more
        return self.system.run(*arguments, fault=fault)

    def copy(self, out: Path) -> Path:
        return Path(shutil.copytree(self.reference, out))

    @property
    def content(self) -> str:
        return content_of(self.reference)


def content_of(out: Path) -> str:
    return str(json.loads((out / "dataset.json").read_text())["content_sha256"])


def files_of(out: Path) -> dict[str, bytes]:
    found = (path for path in out.rglob("*") if path.is_file() and ".work" not in path.parts)
    return {path.relative_to(out).as_posix(): path.read_bytes() for path in found}


def make_sources(root: Path) -> tuple[Path, Path]:
    for number in range(4):
        person = draw_person(number, (48, 64))
        for folder, content in (
            ("image", encode.png(person[..., :3].copy())),
            ("alpha", encode.matte_png(person[..., 3].copy())),
        ):
            path = root / "people" / folder / f"p{number}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)
    (root / "people.csv").write_text("file,person\n" + "".join(f"p{n}.png,anna{n}\n" for n in range(4)))
    for number in range(5):
        path = root / "photos" / ("sub" if number > 2 else "") / f"b{number}.jpg"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(encode.jpeg(draw_photo(number, (80, 70))))
    images = root / "oi" / "images"
    images.mkdir(parents=True)
    for number, identity in enumerate((CLEAN, SHOWN, SILENT)):
        (images / f"{identity}.jpg").write_bytes(encode.jpeg(draw_photo(30 + number, (80, 70))))
    write(
        root / "oi" / "metadata",
        {
            "image_ids_and_rotation.csv": [IMAGES, image_row(CLEAN), image_row(SHOWN)],
            "oidv6-train-annotations-bbox.csv": [BOXES, box_row(CLEAN, LAPTOP), box_row(SHOWN, PERSON)],
            "oidv7-train-annotations-human-imagelabels.csv": [LABELS, f"{CLEAN},verification,{PERSON},0"],
        },
    )
    with tarfile.open(root / "sun.tar", "w") as tar:
        for number, letter in enumerate("abc"):
            data = encode.jpeg(draw_photo(60 + number, (80, 70)))
            info = tarfile.TarInfo(f"SUN397/a/abbey/sun_{letter * 16}.jpg")
            info.size = len(data)
            tar.addfile(info, io.BytesIO(data))
    note = root / "notes" / "a" / "abbey" / f"sun_{'b' * 16}.xml"
    note.parent.mkdir(parents=True)
    note.write_text("<annotation><object><name>person</name></object></annotation>")
    document: dict[str, Any] = {
        "name": "faults",
        "seed": 3,
        "foregrounds": {
            "sources": [
                {"layout": "pairs", "image": "people/image", "alpha": "people/alpha", "metadata": "people.csv"}
            ],
            "split": {"test": 1},
            "min_side": 32,
        },
        "backgrounds": {
            "sources": [
                {"layout": "folder", "root": "photos"},
                {"layout": "openimages", "images": "oi/images", "metadata": "oi/metadata"},
                {"layout": "sun", "name": "sun", "root": "sun.tar", "annotations": "notes"},
            ],
            "humans": {"detector": "none"},
            "min_side": 40,
        },
        "composites": {"per_foreground": 3},
        "store": {"samples_per_shard": 4},
    }
    recipe, layers = root / "recipe.yaml", root / "layers.yaml"
    recipe.write_text(yaml.safe_dump(document))
    document["store"] |= {"kind": "layers", "epoch_backgrounds": True}
    layers.write_text(yaml.safe_dump(document))
    return recipe, layers
