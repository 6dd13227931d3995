"""The second stage: inputs whose files were opened. What a check did not get to is None, and null in tables."""

from __future__ import annotations

from dataclasses import dataclass, field

from matting_data.records.codes import Warned
from matting_data.records.found import FoundBackground, FoundForeground


@dataclass(frozen=True, slots=True)
class CheckedForeground(FoundForeground):
    """One foreground with what its files hold; a row of ``foregrounds.parquet``.

    Attributes
    ----------
    image_sha256, alpha_sha256 : str or None
        Hashes of the files' bytes; no `alpha_sha256` for cut-outs.
    width, height : int or None
        In pixels, as displayed.
    fingerprint : str or None
        256-bit perceptual hash over mid-gray.
    x0, y0, x1, y1 : int or None
        Box of alpha > 0, half-open.
    coverage, soft : float or None
        Mean alpha, and share of pixels with 0 < alpha < 255, in [0, 1].
    warnings : list of str
        What is odd but usable: ``alpha_binary``, ``alpha_noise``, ``premultiplied``.
    profile : str or None
        Name of the colour profile from which the image was converted to sRGB; None where none was.
    """

    image_sha256: str | None = None
    alpha_sha256: str | None = None
    width: int | None = None
    height: int | None = None
    fingerprint: str | None = None
    x0: int | None = None
    y0: int | None = None
    x1: int | None = None
    y1: int | None = None
    coverage: float | None = None
    soft: float | None = None
    warnings: list[Warned] = field(default_factory=list)
    profile: str | None = None


@dataclass(frozen=True, slots=True)
class HumanBox:
    """Where a detector saw somebody.

    Attributes
    ----------
    x0, y0, x1, y1 : float
        Left, top, right and bottom in pixels of the image given to the detector; ``0 <= x0 <= x1 <= width``.
    score : float
        The detector's own certainty of this box, in [0, 1]. It need not be on the scale of the image's score.
    label : str
        What was seen, e.g. ``"person"`` or ``"face"``.
    """

    x0: float
    y0: float
    x1: float
    y1: float
    score: float
    label: str


@dataclass(frozen=True, slots=True)
class CheckedBackground(FoundBackground):
    """One background with what its file holds and what a detector saw in it.

    Attributes
    ----------
    sha256 : str or None
        Hash of the file's bytes.
    format, mode, orientation
        What the content is (``JPEG``, ``GIF``, ...), its stored pixel mode, and the EXIF orientation applied.
    width, height : int or None
        In pixels, as displayed.
    fingerprint : str or None
        256-bit perceptual hash.
    detector : str or None
        Name and version of the detector that scored it; None where none looked.
    score : float or None
        Its score in [0, 1] that a human is visible.
    boxes : list of HumanBox or None
        Where, strongest first.
    profile : str or None
        As of foregrounds.
    """

    sha256: str | None = None
    format: str | None = None
    mode: str | None = None
    orientation: int | None = None
    width: int | None = None
    height: int | None = None
    fingerprint: str | None = None
    detector: str | None = None
    score: float | None = None
    boxes: list[HumanBox] | None = None
    profile: str | None = None
