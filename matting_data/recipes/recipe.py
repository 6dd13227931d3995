"""Recipes: the YAML that says what to build, as frozen, validated dataclasses.

These classes are the reference of every key, its default and its range. Loading resolves nothing but the recipe
itself: sources are opened by :mod:`matting_data.sources`, relative to the recipe's folder.
"""

from __future__ import annotations

import dataclasses
from typing import Annotated, Literal

from pydantic import Field
from pydantic.dataclasses import dataclass

from matting_data.configuration import STRICT, explained
from matting_data.recipes.recipe_backgrounds import Backgrounds, BackgroundSource
from matting_data.recipes.recipe_parts import Layouts, Name, Profile, converts_profiles, require_for_layout

_LAYOUTS: Layouts = {"pairs": (("image", "alpha"), ()), "rgba": (("root",), ()), "bundled": ((), ())}


@dataclass(frozen=True, config=STRICT)
class ForegroundSource:
    """One place foregrounds come from.

    Attributes
    ----------
    layout : {"pairs", "rgba", "bundled"}
        ``pairs``: a folder of images and one of mattes, matched by path without suffix; ``rgba``: a tree of cut-outs
        with straight alpha; ``bundled``: the rendered people that come with mattingdata.
    name : str
        Prefix of the ids; default is the layout's folder name.
    image, alpha : str
        Folders of ``pairs``.
    root : str
        Folder of ``rgba``, or a URL that fsspec knows; likewise `image` and `alpha`.
    metadata : str
        CSV with a column ``file`` (path below the image folder or root) and any of ``subset``, ``split``,
        ``person``, ``license``, ``author``, ``url``.
    unmatched_rows : {"refuse", "note"}
        What becomes of rows of `metadata` that name no image or fit several: the build is refused, or a note of the
        dataset counts them.
    subset : str
        Subset of files that `metadata` gives none.
    license : str
        Licence of files that `metadata` gives none.
    colour : {"auto", "estimate", "as_is"}
        Whether to estimate the clean foreground colour of soft pixels; ``auto`` estimates for ``pairs``, whose
        images are photographs, and trusts cut-outs.
    opaque_from : int
        Alpha at or above this level becomes 255; for mattes whose solid parts are 250 to 254.
    profile : {"to_srgb", "ignore"}
        What is done with the colours of images that carry a colour profile other than sRGB, such as Display P3;
        ``to_srgb`` by default, but for ``bundled``.
    """

    layout: Literal["pairs", "rgba", "bundled"]
    name: Name | None = None
    image: str | None = None
    alpha: str | None = None
    root: str | None = None
    metadata: str | None = None
    unmatched_rows: Literal["refuse", "note"] = "refuse"
    subset: str = ""
    license: str = ""
    colour: Literal["auto", "estimate", "as_is"] = "auto"
    opaque_from: Annotated[int, Field(ge=128, le=255)] = 255
    profile: Profile | None = None

    def __post_init__(self) -> None:
        """Refuse a layout whose folders are not given."""
        require_for_layout(self, _LAYOUTS)

    @property
    def converts_profiles(self) -> bool:
        """Whether colours become sRGB."""
        return converts_profiles(self)

    @property
    def estimates_colour(self) -> bool:
        """Whether soft pixels get an estimated colour."""
        return self.colour == "estimate" or (self.colour == "auto" and self.layout == "pairs")


@dataclass(frozen=True, config=STRICT)
class SplitRule:
    """How foregrounds are divided; always whole persons, never single composites.

    Attributes
    ----------
    test : int or float
        A number of foregrounds, or a share below 1. Persons are drawn until the number is reached.
    from_metadata : bool
        Take the split from the column ``split`` of the sources' metadata instead.
    """

    test: Annotated[
        Annotated[int, Field(ge=0, strict=True)] | Annotated[float, Field(ge=0, lt=1)],
        explained("give a number of foregrounds, or a share below 1"),
    ] = 0.05
    from_metadata: bool = False


@dataclass(frozen=True, config=STRICT)
class Expect:
    """Counts that must come out, or the build stops before the first pixel.

    Attributes
    ----------
    total, train, test : int
        Foregrounds.
    subsets : dict
        Foregrounds by subset.
    """

    total: int | None = None
    train: int | None = None
    test: int | None = None
    subsets: dict[str, int] = dataclasses.field(default_factory=dict)


@dataclass(frozen=True, config=STRICT)
class Foregrounds:
    """The people.

    Attributes
    ----------
    sources : list
        Where they come from; ids keep this order of precedence when two are near-duplicates.
    split : SplitRule
        Train and test.
    expect : Expect
        Counts to insist on.
    min_side : int
        Smaller foregrounds are rejected (``too_small``), in pixels.
    duplicate_distance : int
        Fingerprints (256 bits) this near are the same picture: the later is rejected. -1 switches this off.
    same_person_distance : int
        Fingerprints this near are kept on one side of the split.
    """

    sources: Annotated[tuple[ForegroundSource, ...], Field(min_length=1)]
    split: SplitRule = SplitRule()
    expect: Expect | None = None
    min_side: Annotated[int, Field(ge=1)] = 32
    duplicate_distance: Annotated[int, Field(ge=-1, le=15)] = 15
    same_person_distance: Annotated[int, Field(ge=0, le=80)] = 40


@dataclass(frozen=True, config=STRICT)
class Composites:
    """How people and photographs are brought together.

    Attributes
    ----------
    per_foreground : int
        Backgrounds for each foreground.
    crop : {"top_left", "center", "random"}
        Which window of a larger background is used; ``top_left`` is what DIM's script does.
    blend : {"gamma", "linear"}
        Mix encoded values (as all public sets do) or linear light.
    """

    per_foreground: Annotated[int, Field(ge=1, le=1000)] = 10
    crop: Literal["top_left", "center", "random"] = "top_left"
    blend: Literal["gamma", "linear"] = "gamma"


@dataclass(frozen=True, config=STRICT)
class DimTrimap:
    """Ellipse kernels with sides drawn from [low, high), separately for both borders, anew for each composite."""

    kind: Literal["dim"] = "dim"
    kernel: tuple[Annotated[int, Field(ge=1)], Annotated[int, Field(le=400)]] = (1, 30)

    def __post_init__(self) -> None:
        """Refuse an empty range."""
        if self.kernel[0] >= self.kernel[1]:
            raise ValueError(f"kernel {list(self.kernel)} is empty: give [low, high) with low < high")


@dataclass(frozen=True, config=STRICT)
class FixedTrimap:
    """One ellipse kernel of side `kernel` for all."""

    kind: Literal["fixed"]
    kernel: Annotated[int, Field(ge=1, le=400)] = 25


@dataclass(frozen=True, config=STRICT)
class AdaptiveTrimap:
    """Discs whose radii are drawn as shares of the person's size (the geometric mean of its box's sides)."""

    kind: Literal["adaptive"]
    rate: tuple[Annotated[float, Field(gt=0)], Annotated[float, Field(le=0.5)]] = (0.003, 0.02)

    def __post_init__(self) -> None:
        """Refuse an empty range."""
        if self.rate[0] > self.rate[1]:
            raise ValueError(f"rate {list(self.rate)} is empty: give [low, high] with low <= high")


TrimapRule = Annotated[DimTrimap | FixedTrimap | AdaptiveTrimap, Field(discriminator="kind")]


@dataclass(frozen=True, config=STRICT)
class Trimaps:
    """The trimap rule of each split."""

    train: TrimapRule = DimTrimap()
    test: TrimapRule = FixedTrimap("fixed")


@dataclass(frozen=True, config=STRICT)
class Store:
    """How samples are stored.

    Attributes
    ----------
    kind : {"composites", "layers"}
        ``composites``: every composite as its own files; ``layers``: each foreground, its alpha and each background
        once, composed when read, a fraction of the size (``mattingdata materialize`` makes composites of them).
    epoch_backgrounds : bool
        With ``layers``: store every kept background, also those that no composite needs, so that each epoch of a
        training can draw pairs of its own.
    image : {"jpeg", "png"}
        Codec of the composite; mattes and trimaps are always PNG.
    quality, subsampling
        For JPEG.
    samples_per_shard : int
        Largest number of samples in one tar.
    """

    kind: Literal["composites", "layers"] = "composites"
    epoch_backgrounds: bool = False
    image: Literal["jpeg", "png"] = "jpeg"
    quality: Annotated[int, Field(ge=1, le=100)] = 95
    subsampling: Literal["4:4:4", "4:2:2", "4:2:0"] = "4:4:4"
    samples_per_shard: Annotated[int, Field(ge=1, le=100_000)] = 500

    def __post_init__(self) -> None:
        """Refuse what only layers can do."""
        if self.epoch_backgrounds and self.kind != "layers":
            raise ValueError("'epoch_backgrounds' needs 'kind: layers': composites are fixed when they are built")


@dataclass(frozen=True, config=STRICT)
class Recipe:
    """What to build; the root of a recipe file.

    Attributes
    ----------
    name, version : str
        Of the dataset.
    seed : int
        Of everything random.
    overrides : str
        ``overrides.csv``: what people decided about single inputs (:mod:`matting_data.recipes.decisions`). It need not
        exist yet. Neither the path nor the content is part of the recipe's hash: a build applies what has changed to
        the dataset it made before.
    """

    name: Name
    foregrounds: Foregrounds
    backgrounds: Backgrounds
    version: Annotated[
        str, Field(pattern=r"^\d+\.\d+\.\d+$"), explained("give three numbers in quotes, such as '1.0.0'")
    ] = "1.0.0"
    seed: Annotated[int, Field(ge=0, lt=2**63, strict=True)] = 0
    composites: Composites = Composites()
    trimap: Trimaps = Trimaps()
    store: Store = Store()
    overrides: Annotated[str, Field(min_length=1)] | None = None

    def __post_init__(self) -> None:
        """Refuse sources whose ids would collide."""
        for side in (self.foregrounds.sources, self.backgrounds.sources):
            names = [source_name(source) for source in side]
            repeated = sorted({name for name in names if names.count(name) > 1})
            if repeated:
                raise ValueError(f"two sources are called {repeated[0]!r}: give each a name of its own with 'name:'")


def source_name(source: ForegroundSource | BackgroundSource) -> str:
    """Name a source: the given name, ``openimages``, or its folder's as letters, digits, ``-``, ``_``."""
    if source.name or source.layout == "openimages":
        return source.name or source.layout
    folder = getattr(source, "image", None) or source.root or "bundled"
    last = folder.replace("\\", "/").rstrip("/").rsplit("/", 1)[-1].removesuffix(".tar")
    return "".join(c if c.isascii() and (c.isalnum() or c in "-_") else "-" for c in last).strip("-_") or "source"


def trimap_rule(recipe: Recipe, split: str) -> DimTrimap | FixedTrimap | AdaptiveTrimap:
    """Look up the trimap rule of ``train`` or ``test``."""
    return recipe.trimap.test if split == "test" else recipe.trimap.train
