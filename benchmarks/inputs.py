"""What benchmarks measure on: the shared real photographs where they are at hand, the bundled sample elsewhere."""

from __future__ import annotations

import os
from functools import lru_cache
from importlib import resources
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from matting_data.imaging.decode import decode, to_alpha8, to_rgb8
from matting_data.imaging.encode import jpeg, matte_png
from matting_data.recipes.recipe_file import LoadedRecipe, validate
from matting_data.sources.find_backgrounds import BUNDLED_PHOTOS
from matting_data.sources.find_files import image_tree
from matting_data.sources.opened import BUNDLED_PEOPLE


def shared_data() -> Path | None:
    """Return the folder of shared real data: ``$MATTINGDATA_SHARED``, or ``../shared/data``; None where absent."""
    root = Path(os.environ.get("MATTINGDATA_SHARED", Path(__file__).resolve().parents[2] / "shared" / "data"))
    return root if root.is_dir() else None


def write_foregrounds(folder: Path, size: tuple[int, int], count: int) -> int:
    """Write `count` foregrounds of `size` (width, height) as ``image/*.jpg`` and ``alpha/*.png``; return how many."""
    (folder / "image").mkdir(parents=True)
    (folder / "alpha").mkdir()
    pairs = foreground_pairs()
    for number in range(count):
        image, alpha = pairs[number % len(pairs)]
        if number >= len(pairs):
            image, alpha = image[:, ::-1], alpha[:, ::-1]
        (folder / "image" / f"{number:02d}.jpg").write_bytes(jpeg(_resized(image, size)))
        (folder / "alpha" / f"{number:02d}.png").write_bytes(matte_png(_resized(alpha, size)))
    return count


def benchmark_recipe(
    root: Path,
    per_foreground: int,
    store: dict[str, Any] | None = None,
    photos: str = "photos",
    colour: str = "estimate",
) -> LoadedRecipe:
    """Return the recipe of what the functions above wrote below `root`: all of it, nothing filtered.

    Parameters
    ----------
    root : Path
        With the folders ``people/image``, ``people/alpha`` and `photos`.
    per_foreground : int
        Composites of each.
    store : dict, optional
        That section of the recipe.
    colour : {"estimate", "as_is"}
        What is done about the old background's colour in soft pixels.
    """
    people = {"layout": "pairs", "name": "people", "image": "people/image", "alpha": "people/alpha", "colour": colour}
    document = {
        "name": "benchmark",
        "foregrounds": {"sources": [people], "split": {"test": 0}, "duplicate_distance": -1},
        "backgrounds": {
            "sources": [{"layout": "folder", "name": "photos", "root": photos}],
            "humans": {"detector": "none"},
            "duplicate_distance": -1,
        },
        "composites": {"per_foreground": per_foreground},
        "store": store or {},
    }
    return LoadedRecipe(validate(document), root)


@lru_cache(maxsize=1)
def foreground_pairs() -> list[tuple[NDArray[np.uint8], NDArray[np.uint8]]]:
    """Return the foregrounds at hand: images H×W×3 and their alphas H×W, uint8."""
    return _real_foregrounds() or _bundled_foregrounds()


def write_backgrounds(folder: Path, count: int) -> None:
    """Write `count` photographs as OpenImages stores its copies: JPEG, 4:2:0, the longer side 1024 pixels."""
    folder.mkdir(parents=True)
    shared = shared_data()
    root = shared / "backgrounds" / "photos" if shared else Path(str(resources.files("skimage") / "data"))
    names = image_tree(root, "benchmark") if shared else list(BUNDLED_PHOTOS)
    for number in range(count):
        photo = to_rgb8(decode((root / names[number % len(names)]).read_bytes()))
        scale = 1024 / max(photo.shape[:2])
        size = (round(photo.shape[1] * scale), round(photo.shape[0] * scale))
        (folder / f"{number:04d}.jpg").write_bytes(jpeg(_resized(photo, size), 90, "4:2:0"))


def _resized(plane: NDArray[np.uint8], size: tuple[int, int]) -> NDArray[np.uint8]:
    smaller = size[0] < plane.shape[1]
    how = cv2.INTER_AREA if smaller else cv2.INTER_CUBIC
    return np.asarray(cv2.resize(plane, size, interpolation=how), dtype=np.uint8)


def _real_foregrounds() -> list[tuple[NDArray[np.uint8], NDArray[np.uint8]]]:
    shared = shared_data()
    if not shared:
        return []
    fine = shared / "foregrounds" / "fine"
    return [
        (to_rgb8(decode((fine / "image" / name).read_bytes())), to_alpha8(decode((fine / "alpha" / name).read_bytes())))
        for name in image_tree(fine / "image", "benchmark")
    ]


def _bundled_foregrounds() -> list[tuple[NDArray[np.uint8], NDArray[np.uint8]]]:
    rasters = [decode((BUNDLED_PEOPLE / name).read_bytes()) for name in image_tree(BUNDLED_PEOPLE, "benchmark")]
    return [(to_rgb8(raster), to_alpha8(raster)) for raster in rasters]
