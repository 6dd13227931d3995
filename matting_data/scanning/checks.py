"""Checking inputs: from found files to complete records, each usable or with the reason why not."""

from __future__ import annotations

import hashlib
from dataclasses import asdict, replace

import numpy as np
from numpy.typing import NDArray

from matting_data.detectors.detector import Detection, Detector
from matting_data.errors import RefusedError, RejectedInput
from matting_data.imaging.colour import soft_pixels
from matting_data.imaging.decode import decode, to_rgb8
from matting_data.imaging.fingerprint import fingerprint, foreground_fingerprint
from matting_data.imaging.geometry import bounding_box
from matting_data.records.checked import CheckedBackground, CheckedForeground, HumanBox
from matting_data.records.codes import REFUSED, reason_of
from matting_data.records.fields import widened
from matting_data.scanning.matte_warnings import matte_warnings
from matting_data.sources.decoded import decode_foreground, upright
from matting_data.sources.find_backgrounds import BackgroundInput
from matting_data.sources.find_foregrounds import ForegroundInput
from matting_data.sources.inputs import read_input
from matting_data.workspace.colour_cache import ColourCache

_LONGEST_SIDE = 65_500
"""libjpeg's limit."""


def check_foreground(found: ForegroundInput, min_side: int, colours: ColourCache) -> CheckedForeground:
    """Decode a foreground, run its checks, and estimate its clean colours if its source asks for that.

    Returns
    -------
    CheckedForeground
        Complete; ``state`` is ``rejected`` with the reason of :func:`decode_foreground`, or ``no_matte`` where the
        matte is the image itself, ``too_small``, ``alpha_empty``, ``alpha_full``; or ``failed`` with ``refused``,
        where the system did not let a file be read.
    """
    record = widened(found.record, CheckedForeground)
    if record.state != "ok":
        return record
    try:
        image_bytes = read_input(found.image_path)
        alpha_bytes = read_input(found.alpha_path) if found.alpha_path else None
        if alpha_bytes == image_bytes:  # a link or a copy: its own silhouette would be taken for a person's
            raise RejectedInput("no_matte", f"the matte {record.alpha} is the image itself, byte for byte")
        record = replace(
            record,
            image_sha256=hashlib.sha256(image_bytes).hexdigest(),
            alpha_sha256=hashlib.sha256(alpha_bytes).hexdigest() if alpha_bytes is not None else None,
        )
        image, alpha, profile = decode_foreground(image_bytes, alpha_bytes, record.opaque_from, found.to_srgb)
        height, width = alpha.shape
        record = replace(record, width=width, height=height, profile=profile)
        require_side(width, height, min_side)
        require_usable_matte(alpha)
        warnings = matte_warnings(image, alpha, is_cutout=found.alpha_path is None)
        # before the colours are estimated in floating point: the same on every processor
        record = replace(record, fingerprint=foreground_fingerprint(image, alpha))
        colours.clean(record, image, alpha)
    except RejectedInput as problem:
        return replace(record, state="rejected", reason=reason_of(problem.reason), detail=problem.detail)
    except RefusedError as problem:
        return replace(widened(found.record, CheckedForeground), state="failed", reason=REFUSED, detail=problem.why)
    return replace(
        record,
        **asdict(bounding_box(alpha)),
        coverage=float(alpha.mean(dtype=np.float64) / 255),
        soft=float(soft_pixels(alpha).mean()),
        warnings=warnings,
    )


def check_background(
    found: BackgroundInput, min_side: int, max_pixels: int
) -> tuple[CheckedBackground, NDArray[np.uint8] | None]:
    """Decode a background and run its checks.

    Returns
    -------
    (CheckedBackground, ndarray or None)
        The record, yet without evidence of a detector, and the photograph H×W×3 uint8, upright; None where ``state``
        is ``rejected`` for ``unreadable``, ``too_large``, ``wrong_mode`` or ``too_small``, or ``failed`` as above.
    """
    record = widened(found.record, CheckedBackground)
    try:
        data = read_input(found.file)
        record = replace(record, sha256=hashlib.sha256(data).hexdigest())
        raster = decode(data, max_pixels, found.to_srgb)
        image = upright(to_rgb8(raster), raster.orientation, record.rotation)
        height, width = image.shape[:2]
        record = replace(
            record, format=raster.format, mode=raster.mode, orientation=raster.orientation, width=width, height=height,
            profile=raster.profile,
        )  # fmt: skip
        require_side(width, height, min_side)
    except RejectedInput as problem:
        return replace(record, state="rejected", reason=reason_of(problem.reason), detail=problem.detail), None
    except RefusedError as problem:
        return replace(record, state="failed", reason=REFUSED, detail=problem.why), None
    return replace(record, fingerprint=fingerprint(image)), image


def with_detection(record: CheckedBackground, detector: Detector, detection: Detection) -> CheckedBackground:
    """Copy a background's record, with what a detector found in it."""
    boxes = [
        HumanBox(round(b.x0, 1), round(b.y0, 1), round(b.x1, 1), round(b.y1, 1), round(b.score, 4), b.label)
        for b in detection.boxes
    ]
    return replace(
        record,
        detector=f"{detector.name} {detector.version}",
        score=round(float(detection.score), 4),  # what differs beyond depends on the processor
        boxes=boxes,
    )


def require_side(width: int, height: int, min_side: int) -> None:
    """Raise RejectedInput ``too_small`` or ``too_large`` for a side below `min_side` or beyond JPEG's 65,500."""
    if max(width, height) > _LONGEST_SIDE:
        raise RejectedInput("too_large", f"{width}×{height} has a side above {_LONGEST_SIDE:,} pixels")
    if min(width, height) < min_side:
        raise RejectedInput("too_small", f"{width}×{height} has a side below {min_side} pixels")


def require_usable_matte(alpha: NDArray[np.uint8]) -> None:
    """Raise RejectedInput ``alpha_empty`` or ``alpha_full`` when one side of level 128 holds every pixel."""
    if int(alpha.max()) < 128:
        # 1 is also what is left of 255 in a file of 16 bits
        hint = "; if it holds 0 and 1, or 8 bits in 16, stretch it to the whole range" if alpha.max() == 1 else ""
        raise RejectedInput("alpha_empty", f"no pixel is person: the largest alpha is {alpha.max()} of 255{hint}")
    if int(alpha.min()) >= 128:
        raise RejectedInput("alpha_full", f"every pixel is person: the smallest alpha is {alpha.min()} of 255")
