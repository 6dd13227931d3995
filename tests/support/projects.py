"""Small projects that end-to-end tests build: soft-edged cut-outs, photographs of noise, and a recipe."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import cv2
import numpy as np
import yaml
from numpy.typing import NDArray

from matting_data.building.build import BuildResult, build
from matting_data.imaging import encode
from matting_data.recipes.recipe_file import LoadedRecipe, load


def draw_person(seed: int, size: tuple[int, int] = (96, 128)) -> NDArray[np.uint8]:
    """Return an RGBA cut-out, height×width×4: a head on shoulders with a soft edge, its own texture each seed."""
    rng = np.random.default_rng(seed)
    width, height = size
    mask = np.zeros((height, width), np.uint8)
    x, radius = width // 2 + int(rng.integers(-8, 9)), width // int(rng.integers(5, 8))
    cv2.circle(mask, (x, height // 3), radius, 255, -1)
    cv2.ellipse(mask, (x, height), (width // 3 + int(rng.integers(-6, 7)), height // 2), 0, 180, 360, 255, -1)
    alpha = cv2.GaussianBlur(mask, (0, 0), 2.0)
    return np.dstack([draw_photo(seed + 1000, size), alpha])


def draw_photo(seed: int, size: tuple[int, int]) -> NDArray[np.uint8]:
    """Return smooth colour noise, height×width×3, unlike that of any other seed."""
    rng = np.random.default_rng(seed)
    coarse = rng.integers(0, 256, (8, 8, 3), dtype=np.uint8)
    return np.asarray(cv2.resize(coarse, size, interpolation=cv2.INTER_CUBIC), dtype=np.uint8)


class Project:
    """A folder with people, photographs and a recipe; tests change what they like before building."""

    def __init__(self, root: Path, people: int = 6, photos: int = 12) -> None:
        self.root = root
        self.out = root / "out"
        (root / "people").mkdir(parents=True)
        (root / "photos").mkdir()
        for number in range(people):
            self.add_person(number)
        for number in range(photos):
            self.add_photo(number)
        self.recipe: dict[str, Any] = {
            "name": "project",
            "seed": 5,
            "foregrounds": {"sources": [{"layout": "rgba", "root": "people"}], "split": {"test": 2}},
            "backgrounds": {
                "sources": [{"layout": "folder", "root": "photos"}],
                "humans": {"detector": "none"},
                "min_side": 40,
            },
            "composites": {"per_foreground": 3},
            "store": {"samples_per_shard": 6},
        }

    def add_person(self, number: int) -> Path:
        path = self.root / "people" / f"p{number:02d}.png"
        path.write_bytes(encode.png(draw_person(number)))
        return path

    def add_photo(self, number: int) -> Path:
        path = self.root / "photos" / f"b{number:02d}.jpg"
        size = [(160, 140), (70, 60), (100, 150)][number % 3]
        path.write_bytes(encode.jpeg(draw_photo(number, size)))
        return path

    def write_recipe(self) -> Path:
        path = self.root / "recipe.yaml"
        path.write_text(yaml.safe_dump(self.recipe))
        return path

    def load(self, *overrides: str) -> LoadedRecipe:
        return load(self.write_recipe(), overrides)

    def build(self, *overrides: str, out: Path | None = None, workers: int = 1) -> BuildResult:
        return build(self.load(*overrides), out or self.out, workers)
