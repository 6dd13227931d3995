"""The part of a recipe about backgrounds: where photographs come from, and which of them may be used."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field
from pydantic.dataclasses import dataclass

from matting_data.configuration import STRICT
from matting_data.detectors.spec import WrittenSpec
from matting_data.errors import UsageError
from matting_data.humans.evidence import EvidencePolicy
from matting_data.humans.polygon_evidence import SunPolicy
from matting_data.recipes.licenses import allowed_licenses
from matting_data.recipes.recipe_parts import Layouts, Name, Profile, converts_profiles, require_for_layout

_LAYOUTS: Layouts = {
    "folder": (("root",), ()),
    "bundled": ((), ()),
    "openimages": (("images",), ("metadata",)),
    "sun": (("root",), ("annotations", "classes", "partitions", "partition")),
}


@dataclass(frozen=True, config=STRICT)
class BackgroundSource:
    """One place backgrounds come from.

    Attributes
    ----------
    layout : {"folder", "bundled", "openimages", "sun"}
        ``folder``: every image file in a tree; ``bundled``: the photographs that scikit-image ships; ``openimages``:
        photographs called by their OpenImages id, judged by OpenImages' own labels; ``sun``: SUN397 or the full SUN
        database, judged by SUN2012's polygons where they are at hand.
    name : str
        Prefix of the ids; default is ``openimages`` for that layout, else the folder's name.
    root : str
        Folder of ``folder``, or a URL that fsspec knows (likewise `images`); of ``sun`` the folder above the letters,
        or an uncompressed tar of it, which is read without unpacking.
    images, metadata : str
        Folders of ``openimages``: ``<id>.jpg`` files at any depth, and the published tables under their own names
        (see docs/openimages-and-sun.md). Without tables, the labels say nothing and the detector alone decides.
    annotations : str
        Folder ``Annotations`` of SUN2012, with the polygons of 16,873 images.
    classes : str
        ``ClassName.txt``: only its categories are used.
    partitions : str
        Folder of SUN397's official partitions: ``Training_NN.txt`` serves train, ``Testing_NN.txt`` test, and
        photographs in neither are not used (``not_in_partition``).
    partition : int
        Which of the ten; the first by default.
    license : str
        Licence of its photographs where no table gives one.
    profile : {"to_srgb", "ignore"}
        As for foregrounds.
    """

    layout: Literal["folder", "bundled", "openimages", "sun"]
    name: Name | None = None
    root: str | None = None
    images: str | None = None
    metadata: str | None = None
    annotations: str | None = None
    classes: str | None = None
    partitions: str | None = None
    partition: Annotated[int, Field(ge=1, le=10)] | None = None
    license: str = ""
    profile: Profile | None = None

    def __post_init__(self) -> None:
        """Refuse a layout without its folders, or with another's."""
        require_for_layout(self, _LAYOUTS)
        if self.partition is not None and self.partitions is None:
            raise ValueError("'partition' is a number of an official partition: give their folder as 'partitions'")

    @property
    def converts_profiles(self) -> bool:
        """Whether colours become sRGB."""
        return converts_profiles(self)


@dataclass(frozen=True, config=STRICT)
class OpenImagesRules(EvidencePolicy):
    """What each tier of OpenImages' labels leads to; see docs/openimages-and-sun.md.

    ``machine: keep`` ignores what classifiers say.
    """

    machine_threshold: Annotated[float, Field(gt=0, le=1)] = 0.5


@dataclass(frozen=True, config=STRICT)
class SunRules(SunPolicy):
    """What each tier of SUN's polygons leads to; see docs/openimages-and-sun.md."""


@dataclass(frozen=True, config=STRICT)
class Humans:
    """The filter that keeps people out of backgrounds.

    Attributes
    ----------
    labels : bool
        Whether the labels and polygons of ``openimages`` and ``sun`` count; what they reject, no detector looks at.
    openimages, sun : OpenImagesRules, SunRules
        What their tiers of evidence lead to.
    detector : str, DetectorSpec or list of these
        ``default``; ``none`` to trust the sources; keys such as ``kind: onnx`` and ``weights`` (see docs/detectors.md);
        or several, of which any may reject.
    threshold : float or "auto"
        Score from which a photograph is rejected; ``auto`` is the detector's own.
    review_band : float or "auto"
        How far below the threshold a score is in doubt; ``auto`` is the detector's own.
    review : {"reject", "keep"}
        What becomes of those in doubt, by labels or by score.
    """

    labels: bool = True
    openimages: OpenImagesRules = OpenImagesRules()
    sun: SunRules = SunRules()
    detector: WrittenSpec = "default"
    threshold: Annotated[float, Field(ge=0, le=1)] | Literal["auto"] = "auto"
    review_band: Annotated[float, Field(ge=0, le=1)] | Literal["auto"] = "auto"
    review: Literal["reject", "keep"] = "reject"


@dataclass(frozen=True, config=STRICT)
class Backgrounds:
    """The photographs behind the people.

    Attributes
    ----------
    sources : list
        Where they come from.
    humans : Humans
        The human filter.
    licenses : list of str
        Licences that may be used, such as ``CC BY 2.0``; photographs of another, or of none known, are rejected
        (``license``). Empty allows all.
    min_side : int
        Photographs with a shorter side are rejected (``too_small``), in pixels.
    max_megapixels : float
        Images whose header claims more are refused undecoded (``too_large``).
    duplicate_distance : int
        As for foregrounds.
    """

    sources: Annotated[tuple[BackgroundSource, ...], Field(min_length=1)]
    humans: Humans = Humans()
    licenses: tuple[str, ...] = ()
    min_side: Annotated[int, Field(ge=1)] = 200
    max_megapixels: Annotated[float, Field(gt=0, le=178)] = 100
    duplicate_distance: Annotated[int, Field(ge=-1, le=15)] = 15

    def __post_init__(self) -> None:
        """Refuse a licence that cannot be told from others."""
        if self.licenses:
            try:
                allowed_licenses(self.licenses)
            except UsageError as error:
                raise ValueError(str(error)) from None
