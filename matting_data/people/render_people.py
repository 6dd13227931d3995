"""Render pictures of people to RGBA PNG files with exact alpha."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from matting_data.errors import UsageError
from matting_data.people.body import load_body_model
from matting_data.people.person import Person, make_person
from matting_data.people.scene import Camera, load_mitsuba, render_scene
from matting_data.people.specs import PictureSpec
from matting_data.people.straight_alpha import straight_rgba
from matting_data.storage.atomic import write_bytes

_FOV = 22.0


def render_people(
    out_dir: Path,
    specs: Sequence[PictureSpec],
    *,
    width: int | None = None,
    height: int | None = None,
    samples: int = 64,
    progress: Callable[[int, int, Path], None] | None = None,
) -> list[Path]:
    """Render every picture to ``OUT_DIR/NAME.png``.

    Parameters
    ----------
    out_dir : Path
        Made if it does not exist; files of the same name are replaced, each in one atomic step.
    specs : sequence of PictureSpec
    width, height : int, optional
        Pixels; the spec's own size where omitted.
    samples : int
        Rays a pixel, 1 to 65536: alpha has about as many levels. Mitsuba may round up for its stratified sampler.
    progress : callable, optional
        Called with (pictures done, pictures in all, path) after each picture.

    Returns
    -------
    list of Path
        The PNG files, in the order of `specs`: RGBA, 8 bit, straight sRGB colour, alpha = pixel coverage.

    Raises
    ------
    UsageError
        If names repeat or a number is out of range.
    MissingExtraError
        If anny or mitsuba is not installed.

    Notes
    -----
    The same specs and sizes give the same bytes on one machine with the same versions of anny, torch, mitsuba,
    numpy and Pillow, whatever the number of threads. Another processor or another version may round differently
    and change single levels of single pixels.
    """
    names = [spec.name for spec in specs]
    if len(set(names)) != len(names):
        raise UsageError("Two pictures have the same name; give every picture a name of its own.")
    if not 1 <= samples <= 65536:
        raise UsageError(f"samples is {samples}; give a number from 1 to 65536.")
    for what, value in (("width", width), ("height", height)):
        if value is not None and not 16 <= value <= 8192:
            raise UsageError(f"{what} is {value}; give a number from 16 to 8192.")
    load_mitsuba()
    paths = []
    for done, spec in enumerate(specs, start=1):
        pixels = render_picture(spec, width=width or spec.width, height=height or spec.height, samples=samples)
        path = out_dir / f"{spec.name}.png"
        write_bytes(path, _png(pixels))
        paths.append(path)
        if progress is not None:
            progress(done, len(specs), path)
    return paths


def render_picture(spec: PictureSpec, *, width: int, height: int, samples: int) -> NDArray[np.uint8]:
    """Render one picture in memory: straight RGBA, shape (height, width, 4), uint8."""
    model = load_body_model()
    people = [make_person(model, person) for person in spec.people]
    digest = hashlib.sha256(f"{spec.name}:{[person.seed for person in spec.people]}".encode()).digest()
    linear = render_scene(
        [surface for person in people for surface in person.surfaces],
        [strands for person in people for strands in person.strands],
        frame(people, spec.framing, width / height),
        spec.lighting,
        width=width,
        height=height,
        samples=samples,
        seed=int.from_bytes(digest[:4], "little"),
    )
    return straight_rgba(linear)


def frame(people: Sequence[Person], framing: str, aspect: float) -> Camera:
    """Place the camera.

    Parameters
    ----------
    people : sequence of Person
    framing : {"full", "half", "portrait"}
        Everything; from just below the hips up; from the chest up.
    aspect : float
        Width over height of the picture.

    Returns
    -------
    Camera
        The top of the highest hair and, as far as `framing` shows them, the sides are inside the picture.
    """
    points = np.concatenate(
        [surface.mesh.vertices for person in people for surface in person.surfaces]
        + [strands.points.reshape(-1, 3)[::7] for person in people for strands in person.strands]
    )
    top = float(points[:, 2].max())
    if framing == "full":
        bottom = float(points[:, 2].min())
        seen = points
    else:
        # Cut at a height on the body that no joint sits at: below the hips, or through the chest.
        joint, shift = ("spine05", -0.06) if framing == "half" else ("spine02", 0.06)
        bottom = min(float(person.posed.joints[joint][2]) for person in people) + shift
        seen = points[points[:, 2] > bottom]
    tall = top - bottom
    margin = 0.05 * tall
    low = bottom - margin if framing == "full" else bottom
    high = top + margin
    left, right = np.quantile(seen[:, 0], [0.0, 1.0])
    if framing == "portrait":
        heads = [person.posed.joints["head"] for person in people]
        left = min(float(head[0]) for head in heads) - 0.20
        right = max(float(head[0]) for head in heads) + 0.20
    wide = float(right - left) * 1.08
    visible = max(high - low, wide / aspect)
    if visible > high - low:
        # Too wide: show more height, above the head when the lower edge cuts the body.
        extra = visible - (high - low)
        low, high = (
            (low - extra / 2, high + extra / 2) if framing == "full" else (low - 0.6 * extra, high + 0.4 * extra)
        )
    distance = visible / 2 / np.tan(np.radians(_FOV / 2))
    return Camera(x=float(left + right) / 2, z=(low + high) / 2, distance=float(distance), fov=_FOV)


def _png(pixels: NDArray[np.uint8]) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, format="PNG", optimize=True)
    return buffer.getvalue()
