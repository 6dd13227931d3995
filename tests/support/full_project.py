"""A small project whose builds keep everything that a build can keep below ``.work``."""

from __future__ import annotations

import io
import tarfile
from pathlib import Path

from matting_data.imaging import encode
from tests.support.oi_files import BOXES, IMAGES, LABELS, LAPTOP, PERSON, box_row, image_row, write
from tests.support.projects import Project, draw_photo

_ANNOTATION = b"<annotation><object><name>wall</name><deleted>0</deleted></object></annotation>"


def full_project(root: Path, estimated: bool) -> Project:
    """Make a project with backgrounds of a folder, of OpenImages with tables, and of SUN in a tar with annotations.

    With `estimated`, its people's colours are estimated, which takes pymatting a while when it is first used.
    """
    project = Project(root, people=3, photos=4)
    images = root / "openimages" / "images"
    images.mkdir(parents=True)
    names = [f"{number:016x}" for number in range(0xA0, 0xA4)]
    for number, name in enumerate(names):
        (images / f"{name}.jpg").write_bytes(encode.jpeg(draw_photo(50 + number, (90, 70))))
    tables = {
        "image_ids_and_rotation.csv": [IMAGES, *(image_row(name) for name in names)],
        "oidv6-train-annotations-bbox.csv": [BOXES, box_row(names[0], LAPTOP), box_row(names[1], PERSON)],
        "oidv7-train-annotations-human-imagelabels.csv": [LABELS, f"{names[2]},verification,{PERSON},0"],
    }
    write(root / "openimages" / "metadata", tables)
    with tarfile.open(root / "sun.tar", "w") as tar:
        for number in range(4):
            path = f"a/abbey/sun_aaaaaaaaaaaaaaa{'abcd'[number]}"
            data = encode.jpeg(draw_photo(80 + number, (80, 60)))
            info = tarfile.TarInfo(f"SUN397/{path}.jpg")
            info.size = len(data)
            tar.addfile(info, io.BytesIO(data))
            annotation = root / "Annotations" / f"{path}.xml"
            annotation.parent.mkdir(parents=True, exist_ok=True)
            annotation.write_bytes(_ANNOTATION)
    colour = {"colour": "estimate"} if estimated else {}
    project.recipe["foregrounds"] = {
        "sources": [{"layout": "rgba", "root": "people", **colour}],
        "split": {"test": 1},
    }
    project.recipe["backgrounds"]["sources"] = [
        {"layout": "folder", "root": "photos"},
        {"layout": "openimages", "images": "openimages/images", "metadata": "openimages/metadata"},
        {"layout": "sun", "root": "sun.tar", "annotations": "Annotations"},
    ]
    project.recipe["composites"] = {"per_foreground": 2}
    project.recipe["store"] = {"samples_per_shard": 2}
    return project
