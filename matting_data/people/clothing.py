"""Garments cut from the body model's tights and skirt helpers.

A garment is a region of a helper surface, bounded by scalar fields over the neutral template (height, distance
along the arm, neckline), subdivided, smoothed so that it does not follow every hollow, pushed outward along its
normals, and given folds by a little noise. The body under it is removed, less a margin, so nothing pokes through.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from matting_data.people.mesh import Mesh, catmull_clark, clip, offset, smooth, triangulate, vertex_normals
from matting_data.people.skin import smoothstep, srgb_to_linear
from matting_data.people.specs import Clothing, generator

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]

# Template landmarks: shoulder and wrist of the left arm, metres.
_SHOULDER = np.array([0.168, -0.015, 0.525])
_WRIST = np.array([0.431, -0.176, 0.245])

_SLEEVES = {"tshirt": 0.42, "longsleeve": 0.97, "turtleneck": 0.97, "tank": 0.02, "vneck": 0.40}
_HEMS = {"trousers": -0.762, "shorts": -0.30, "skirt": -0.30, "long_skirt": -0.60}
_TOP_HEM, _WAIST = -0.005, 0.085
_SKIRTS = ("skirt", "long_skirt")


def arm_position(template: FloatArray, arm: FloatArray) -> FloatArray:
    """How far along the arm a vertex lies: 0 shoulder, 1 wrist, negative on the trunk; shape (V,)."""
    mirrored = np.concatenate([np.abs(template[:, :1]), template[:, 1:]], axis=1)
    axis = _WRIST - _SHOULDER
    along = (mirrored - _SHOULDER) @ axis / (axis @ axis)
    belongs = smoothstep(arm, 0.25, 0.75)
    return np.asarray(along * belongs - 0.3 * (1.0 - belongs))


def neckline(template: FloatArray, top: str) -> FloatArray:
    """Positive below the neckline of a top, metres; shape (V,)."""
    x, y, z = np.abs(template[:, 0]), template[:, 1], template[:, 2]
    if top == "turtleneck":
        return np.asarray(0.607 + 0.10 * y - z)
    if top == "tank":
        # Wide straps: what lies outside them at shoulder height is bare.
        strap = np.maximum(0.118 - x, 0.46 - z)
        return np.minimum(_collar(template, 0.086, 0.092, 0.072, lowest=0.44), strap)
    crew = _collar(template, 0.072, 0.068, 0.058, lowest=0.50)
    if top == "vneck":
        # Narrow enough that, where it stops at mid-shoulder, the round collar has already cut further.
        vee = np.where((y < -0.02) & (z > 0.44), 0.8 * x - 0.45 * (z - 0.45), 1.0)
        return np.minimum(crew, vee)
    return crew


def _collar(template: FloatArray, side: float, front: float, back: float, *, lowest: float) -> FloatArray:
    """Positive outside an upright oval around the neck with these half axes, and everywhere below `lowest`.

    Never positive above the neck: the head is outside the oval too.
    """
    y = template[:, 1] + 0.025
    oval = np.hypot(template[:, 0] / side, y / np.where(y < 0, front, back))
    field = np.where(template[:, 2] > lowest, (oval - 1.0) * side, 1.0)
    return np.minimum(field, 0.612 - template[:, 2])


def top_field(template: FloatArray, arm: FloatArray, clothing: Clothing) -> FloatArray:
    """Positive where the top covers the person, in metres near its rims; shape (V,)."""
    position = arm_position(template, arm)
    # With a skirt the top is tucked in, otherwise it hangs over the waist.
    end = _WAIST - 0.022 if clothing.bottom in _SKIRTS else _TOP_HEM
    hem = np.where(position > -0.05, 1.0, template[:, 2] - end)
    return np.asarray(
        np.minimum.reduce([(_SLEEVES[clothing.top] - position) * 0.43, neckline(template, clothing.top), hem])
    )


def bottom_field(template: FloatArray, arm: FloatArray, clothing: Clothing) -> FloatArray:
    """Positive where the bottom covers the person; shape (V,)."""
    field = np.minimum(_WAIST - template[:, 2], template[:, 2] - _HEMS[clothing.bottom])
    return np.where(arm > 0.3, -1.0, field)


def shoe_field(template: FloatArray) -> FloatArray:
    """Positive where a shoe covers the person; shape (V,)."""
    return np.asarray(-0.750 - template[:, 2])


def bare_field(template: FloatArray, arm: FloatArray, clothing: Clothing) -> FloatArray:
    """Positive where skin may show, with a margin under every rim; shape (V,)."""
    covered = np.maximum.reduce(
        [top_field(template, arm, clothing), bottom_field(template, arm, clothing), shoe_field(template) - 0.004]
    )
    if clothing.bottom in _SKIRTS:
        # A skirt hangs free: keep the legs under it down from where they part.
        legs = np.where(arm > 0.3, 1.0, -0.16 - template[:, 2])
        covered = np.minimum(covered, np.where(template[:, 2] < -0.1, -legs, covered))
        covered = np.maximum(covered, shoe_field(template) - 0.004)
    # Collars are looked into from above, so that more must be left there.
    return np.asarray(0.030 + 0.045 * smoothstep(template[:, 2], 0.49, 0.54) - covered)


def dress(
    vertices: FloatArray,
    template: FloatArray,
    arm: FloatArray,
    groups: dict[str, IntArray],
    clothing: Clothing,
    seed: int,
) -> list[Mesh]:
    """Cut all garments of one posed person.

    Parameters
    ----------
    vertices : ndarray, shape (V, 3), float64
        Posed base mesh with helpers.
    template : ndarray, shape (V, 3), float64
    arm : ndarray, shape (V,), float64
    groups : dict of str to ndarray, shape (F, 4)
        Quads of the helpers.
    clothing : Clothing
    seed : int
        Decides the folds.

    Returns
    -------
    list of Mesh
        Triangles with a ``color`` attribute (linear RGB).
    """
    tights = _surface(groups["helper-tights"], vertices, template, arm, levels=2)
    garments = [_shoes(tights, clothing)]
    skirt = clothing.bottom in _SKIRTS
    lower = _surface(groups["helper-skirt"], vertices, template, arm, levels=2) if skirt else tights
    rest, arms = lower.attributes["rest"], lower.attributes["arm"][:, 0]
    field = bottom_field(rest, arms, clothing)
    lower = clip(lower, field)
    height = lower.attributes["rest"][:, 2]
    # Trousers widen towards the ankle; a skirt's waist lies over the tucked-in top.
    ease = 0.016 - 0.010 * smoothstep(-height, 0.0, 0.2) if skirt else 0.004 + 0.012 * smoothstep(-height, 0.05, 0.75)
    lower = _drape(lower, 10, ease, seed=seed, key=2, folds=0.004)
    garments.append(_color(lower, srgb_to_linear(clothing.bottom_color), seed, 2))

    garments.append(_top(groups, vertices, template, arm, clothing, seed))
    return garments


def _top(
    groups: dict[str, IntArray],
    vertices: FloatArray,
    template: FloatArray,
    arm: FloatArray,
    clothing: Clothing,
    seed: int,
) -> Mesh:
    # Patterns are painted on vertices and need them closer together than plain cloth does.
    fine = _surface(groups["helper-tights"], vertices, template, arm, levels=2 if clothing.pattern == "plain" else 3)
    upper = clip(fine, top_field(fine.attributes["rest"], fine.attributes["arm"][:, 0], clothing))
    rest = upper.attributes["rest"]
    loose = 0.011 + 0.008 * smoothstep(-rest[:, 2], -0.25, 0.0) * (clothing.bottom not in _SKIRTS)
    if clothing.top in ("turtleneck", "tank"):
        loose = loose - 0.004
    # Collars lie close to the neck, or one would look into the garment.
    loose = 0.003 + (loose - 0.003) * smoothstep(neckline(rest, clothing.top), 0.0, 0.05)
    plain = clothing.pattern == "plain"
    upper = _drape(upper, 14 if plain else 40, loose, seed=seed, key=1, folds=0.004, carry=not plain)
    return _color(upper, _pattern(upper, clothing), seed, 1)


def _surface(quads: IntArray, vertices: FloatArray, template: FloatArray, arm: FloatArray, *, levels: int) -> Mesh:
    """A helper as a finely subdivided triangle mesh with its template coordinates and arm weights."""
    faces, values = catmull_clark(quads, np.concatenate([vertices, template, arm[:, None]], axis=1), levels=levels)
    return Mesh(values[:, :3], triangulate(faces), {"rest": values[:, 3:6], "arm": values[:, 6:7]})


def _drape(
    mesh: Mesh,
    iterations: int,
    ease: FloatArray | float,
    *,
    seed: int,
    key: int,
    folds: float,
    carry: bool = False,
) -> Mesh:
    """Smooth, push outward, and fold."""
    rest = mesh.attributes["rest"]
    return offset(smooth(mesh, iterations, carry=carry), ease + folds * _folds(rest, seed, key))


def _folds(rest: FloatArray, seed: int, key: int) -> FloatArray:
    """Soft creases: a sum of sines along random, mostly horizontal directions, bent by each other; -1 to 1."""
    rng = generator(seed, key, 0xF01D)
    total = np.zeros(len(rest))
    for wave in range(7):
        direction = rng.normal(size=3) * np.array([1.0, 1.0, 0.7])
        direction /= np.linalg.norm(direction)
        length = 0.045 * 1.32**wave
        bend = np.sin(rest @ rng.normal(size=3) * 14.0 + rng.uniform(0, 6.28))
        total += np.sin(rest @ direction * (2 * np.pi / length) + 2.2 * bend + rng.uniform(0, 6.28)) * 1.1**wave
    return np.asarray(np.tanh(total / 5.0))


def _color(mesh: Mesh, base: FloatArray, seed: int, key: int) -> Mesh:
    """Attach cloth colour with slight unevenness, and a darker band along rims where hems are sewn."""
    rng = generator(seed, key, 0xC0)
    grain = 1.0 + 0.04 * rng.normal(size=(len(mesh.vertices), 1))
    color = np.clip(np.broadcast_to(base, mesh.vertices.shape) * grain, 0.0, 1.0)
    return replace(mesh, attributes={**mesh.attributes, "color": color})


def _pattern(mesh: Mesh, clothing: Clothing) -> FloatArray:
    """Linear RGB of the top's pattern at every vertex, shape (V, 3)."""
    first, second = srgb_to_linear(clothing.top_color), srgb_to_linear(clothing.second_color)
    rest, arm = mesh.attributes["rest"], mesh.attributes["arm"][:, 0]
    if clothing.pattern == "stripes":
        share = smoothstep(np.sin(rest[:, 2] * 2 * np.pi / 0.045), -0.15, 0.15)
    elif clothing.pattern == "bands":
        share = smoothstep(0.055 - np.abs(rest[:, 2] - 0.37), -0.004, 0.004)
    elif clothing.pattern == "dots":
        grid = np.sin(rest[:, 0] * 2 * np.pi / 0.06) * np.sin(rest[:, 2] * 2 * np.pi / 0.06)
        share = smoothstep(grid, 0.45, 0.65)
    else:
        share = np.zeros(len(rest))
    if clothing.pattern in ("stripes", "bands"):
        # What runs level around the trunk would run crookedly down an arm: sleeves stay plain.
        share = share * (1.0 - smoothstep(arm, 0.35, 0.55))
    return first + (second - first) * share[:, None]


def _shoes(tights: Mesh, clothing: Clothing) -> Mesh:
    """The socks of the tights, thickened to shoes, with a pale sole."""
    shoe = clip(tights, shoe_field(tights.attributes["rest"]))
    shoe = offset(smooth(shoe, 12), 0.006)
    height = shoe.attributes["rest"][:, 2]
    sole = smoothstep(-height, 0.803, 0.807)[:, None]
    base = srgb_to_linear(clothing.shoe_color)
    pale = srgb_to_linear((0.86, 0.84, 0.80))
    # The sole's rim is widened a little so that the foot does not end in a sock.
    normals = vertex_normals(shoe.vertices, shoe.faces)
    vertices = shoe.vertices + normals * 0.004 * sole
    return replace(shoe, vertices=vertices, attributes={**shoe.attributes, "color": base + (pale - base) * sole})
