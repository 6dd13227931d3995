"""What to render: frozen descriptions of people and pictures, validated when they are made.

A `PersonSpec` is one person; a `PictureSpec` puts one or more of them before a camera. Equal specs give equal
scenes: every random choice downstream is drawn from the person's own seed by a counter-based generator.
"""

from __future__ import annotations

import re
from collections.abc import Collection
from dataclasses import dataclass, field

import numpy as np

from matting_data.errors import UsageError
from matting_data.people.poses import POSES

HAIR_STYLES = ("short", "bob", "long_straight", "long_wavy", "afro", "curly", "ponytail", "bun", "windblown")
TOPS = ("tshirt", "longsleeve", "turtleneck", "tank", "vneck")
BOTTOMS = ("trousers", "shorts", "skirt", "long_skirt")
PATTERNS = ("plain", "stripes", "bands", "dots")
FRAMINGS = ("full", "half", "portrait")
LIGHTINGS = ("studio", "daylight", "overcast", "evening")
SUBSETS = ("single_frontal", "single_pose_varied", "multiple")
SPLITS = ("train", "test")

Color = tuple[float, float, float]


def _check_choice(what: str, value: str, choices: Collection[str]) -> None:
    if value not in choices:
        raise UsageError(f"{what} {value!r} is unknown; choose one of {', '.join(sorted(choices))}.")


def _check_unit(what: str, value: float, low: float = 0.0, high: float = 1.0) -> None:
    if not low <= value <= high:
        raise UsageError(f"{what} is {value!r}; give a number from {low:g} to {high:g}.")


def _check_color(what: str, value: Color) -> None:
    if len(value) != 3 or not all(0.0 <= channel <= 1.0 for channel in value):
        raise UsageError(f"{what} is {value!r}; give three sRGB numbers from 0 to 1.")


@dataclass(frozen=True)
class Phenotype:
    """The shape of a body in anny's own parameters.

    Parameters
    ----------
    gender : float
        0 male to 1 female.
    age : float
        0.5 is a youth, 0.67 an adult of 25, 1 an old person; only adults are rendered, so 0.6 to 1.
    weight, height, muscle : float
        0 to 1, 0.5 is the average.
    african, asian, caucasian : float
        Shares of MakeHuman's three facial morph families, normalised by anny; at least one must be positive.
    skin : float
        0 the lightest to 1 the darkest skin tone.
    """

    gender: float = 0.5
    age: float = 0.67
    weight: float = 0.5
    height: float = 0.5
    muscle: float = 0.5
    african: float = 0.33
    asian: float = 0.33
    caucasian: float = 0.33
    skin: float = 0.3

    def __post_init__(self) -> None:
        for name in ("gender", "weight", "height", "muscle", "african", "asian", "caucasian", "skin"):
            _check_unit(name, getattr(self, name))
        _check_unit("age", self.age, 0.6, 1.0)
        if self.african + self.asian + self.caucasian <= 0:
            raise UsageError("african, asian and caucasian are all 0; give at least one a positive share.")


@dataclass(frozen=True)
class Hair:
    """Hair on the head: a style and an sRGB colour; ``beard`` adds short strands along the jaw."""

    style: str = "short"
    color: Color = (0.16, 0.09, 0.05)
    beard: bool = False

    def __post_init__(self) -> None:
        _check_choice("hair style", self.style, HAIR_STYLES)
        _check_color("hair colour", self.color)


@dataclass(frozen=True)
class Clothing:
    """A top, a bottom and shoes with sRGB colours; the pattern is the top's."""

    top: str = "tshirt"
    top_color: Color = (0.55, 0.20, 0.18)
    pattern: str = "plain"
    second_color: Color = (0.90, 0.88, 0.84)
    bottom: str = "trousers"
    bottom_color: Color = (0.16, 0.19, 0.28)
    shoe_color: Color = (0.20, 0.17, 0.16)

    def __post_init__(self) -> None:
        _check_choice("top", self.top, TOPS)
        _check_choice("bottom", self.bottom, BOTTOMS)
        _check_choice("pattern", self.pattern, PATTERNS)
        for name in ("top_color", "second_color", "bottom_color", "shoe_color"):
            _check_color(name, getattr(self, name))


@dataclass(frozen=True)
class PersonSpec:
    """One person.

    Parameters
    ----------
    person : str
        Identity; the same person in two pictures has the same id, so that splits can be made by person.
    seed : int
        Decides strands, folds and small pose variations, 0 to 2**63 - 1.
    phenotype, hair, clothing
        See there.
    pose : str
        A name from `poses.POSES`.
    turn : float
        Degrees the person is turned to their own left; 0 faces the camera, 90 shows their right side.
    smile : float
        0 to 1.
    place : tuple of float
        Where the person stands, (x, y) in metres; x to the picture's right, y away from the camera.
    """

    person: str
    seed: int
    phenotype: Phenotype = field(default_factory=Phenotype)
    hair: Hair = field(default_factory=Hair)
    clothing: Clothing = field(default_factory=Clothing)
    pose: str = "standing"
    turn: float = 0.0
    smile: float = 0.3
    place: tuple[float, float] = (0.0, 0.0)

    def __post_init__(self) -> None:
        _check_choice("pose", self.pose, POSES)
        _check_unit("smile", self.smile)
        _check_unit("seed", self.seed, 0, 2**63 - 1)
        if not self.person:
            raise UsageError("A person's id is empty; give every person a name.")


@dataclass(frozen=True)
class PictureSpec:
    """One picture: people, framing, light and size.

    Parameters
    ----------
    name : str
        File name without extension; letters, digits, ``_`` and ``-`` only.
    people : tuple of PersonSpec
        At least one.
    framing : {"full", "half", "portrait"}
        Whole bodies, from the hips up, or from the chest up.
    lighting : {"studio", "daylight", "overcast", "evening"}
    width, height : int
        Pixels, 16 to 8192 each.
    subset, split : str
        What `people.csv` says of the picture.
    """

    name: str
    people: tuple[PersonSpec, ...]
    framing: str = "half"
    lighting: str = "studio"
    width: int = 640
    height: int = 800
    subset: str = "single_frontal"
    split: str = "train"

    def __post_init__(self) -> None:
        if not re.fullmatch(r"[A-Za-z0-9_-]+", self.name):
            raise UsageError(f"Picture name {self.name!r} has other characters than letters, digits, _ and -.")
        if not self.people:
            raise UsageError(f"Picture {self.name!r} has no people; give it at least one.")
        _check_choice("framing", self.framing, FRAMINGS)
        _check_choice("lighting", self.lighting, LIGHTINGS)
        _check_choice("subset", self.subset, SUBSETS)
        _check_choice("split", self.split, SPLITS)
        for name in ("width", "height"):
            _check_unit(name, getattr(self, name), 16, 8192)


def generator(*key: int) -> np.random.Generator:
    """A counter-based generator for a key of integers: the same numbers on every machine and in any order."""
    words = np.random.SeedSequence([int(part) for part in key]).generate_state(2, np.uint64)
    return np.random.Generator(np.random.Philox(key=words))
