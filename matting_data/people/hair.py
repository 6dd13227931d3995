"""Hair grown from the scalp as B-spline curves: pure NumPy, deterministic for a seed.

A few hundred guide strands are grown step by step under combing, weight and wind, kept outside the body; the
thousands that are rendered follow the guides nearest to their roots, run together in locks, wave or curl, and
stray. A share of independent wisps makes the outline soft, which is what a matting network has to learn.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from matting_data.people.hair_styles import STYLES, HairStyle
from matting_data.people.skin import HEAD_CENTRE, smoothstep
from matting_data.people.specs import generator

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]

_GUIDES = 520
_ROOT_RADIUS, _TIP_RADIUS = 0.00019, 0.00005
_TIES = {"tail": np.array([0.0, 0.098, 0.792]), "bun": np.array([0.0, 0.048, 0.838])}


@dataclass(frozen=True)
class Scalp:
    """Where hair grows and what it must not enter.

    Parameters
    ----------
    vertices, normals, rest : ndarray, shape (V, 3), float64
        The posed head surface, its unit normals, and the same vertices in the neutral template.
    faces : ndarray, shape (T, 3), int64
    density : ndarray, shape (V,), float64
        Relative density of roots, 0 to 1.
    head_rotation : ndarray, shape (3, 3), float64
        Template axes to scene axes.
    obstacle, obstacle_normals : ndarray, shape (M, 3), float64
        Points of head, neck and shoulders with outward normals.
    clearance : ndarray, shape (M,), float64
        How far hair stays off each of them, metres.
    """

    vertices: FloatArray
    normals: FloatArray
    rest: FloatArray
    faces: IntArray
    density: FloatArray
    head_rotation: FloatArray
    obstacle: FloatArray
    obstacle_normals: FloatArray
    clearance: FloatArray

    def to_template(self, points: FloatArray) -> FloatArray:
        """Scene points seen from the head in template coordinates (a rigid fit)."""
        inside = self.density > 0.5
        moved = (points - self.vertices[inside].mean(axis=0)) @ self.head_rotation
        return np.asarray(moved + self.rest[inside].mean(axis=0))

    def to_scene(self, points: FloatArray) -> FloatArray:
        """The inverse of `to_template`."""
        inside = self.density > 0.5
        moved = (points - self.rest[inside].mean(axis=0)) @ self.head_rotation.T
        return np.asarray(moved + self.vertices[inside].mean(axis=0))


@dataclass(frozen=True)
class Roots:
    """Sampled roots: scene position, normal and template position, each (N, 3) float64."""

    position: FloatArray
    normal: FloatArray
    rest: FloatArray


def sample_roots(scalp: Scalp, count: int, rng: np.random.Generator) -> Roots:
    """Draw `count` roots on the scalp, uniform per area times density."""
    corners = scalp.vertices[scalp.faces]
    area = np.linalg.norm(np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]), axis=1)
    weight = area * scalp.density[scalp.faces].mean(axis=1)
    chosen = scalp.faces[rng.choice(len(weight), size=count, p=weight / weight.sum())]
    u, v = np.sqrt(rng.random(count)), rng.random(count)
    bary = np.stack([1 - u, u * (1 - v), u * v], axis=1)[..., None]
    normal = (scalp.normals[chosen] * bary).sum(axis=1)
    return Roots(
        (scalp.vertices[chosen] * bary).sum(axis=1),
        normal / np.linalg.norm(normal, axis=1, keepdims=True),
        (scalp.rest[chosen] * bary).sum(axis=1),
    )


def grow_hair(scalp: Scalp, style: str, seed: int) -> tuple[FloatArray, FloatArray]:
    """Grow a head of hair.

    Parameters
    ----------
    scalp : Scalp
    style : str
        A name from `hair_styles.STYLES`.
    seed : int

    Returns
    -------
    points : ndarray, shape (N, K, 3), float64
        Control points in metres, root first.
    radii : ndarray, shape (N, K), float64
        Strand radii in metres, tapering to the tip.
    """
    form = STYLES[style]
    rng = generator(seed, 0x4A1)
    guide_roots = sample_roots(scalp, _GUIDES, rng)
    grow = _gather if form.gather else _grow
    guides = grow(scalp, form, guide_roots, rng)
    roots = sample_roots(scalp, form.count, rng)
    strands = _follow(scalp, guides, guide_roots, roots, form, rng)
    return strands, _taper(strands.shape[:2], rng)


def grow_wisps(scalp: Scalp, style: str, seed: int, count: int = 170) -> tuple[FloatArray, FloatArray]:
    """Single strands that leave the style: short new hair and flyaways; shapes as in `grow_hair`."""
    form = STYLES[style]
    rng = generator(seed, 0x315)
    roots = sample_roots(scalp, count, rng)
    length = 0.055 if form.gather else min(0.7 * form.length, 0.060)
    loose = HairStyle(
        length,
        max(form.side_length, 0.5),
        lift=0.35,
        comb_side=form.comb_side,
        comb_back=0.3,
        part=form.part,
        gravity=0.9 * form.gravity if not form.gather else 0.12,
        layer=form.layer + 0.012,
        steps=12,
        wind=form.wind,
    )
    paths = _grow(scalp, loose, roots, rng, stray=0.28)
    return paths, 0.6 * _taper(paths.shape[:2], rng)


def _taper(shape: tuple[int, ...], rng: np.random.Generator) -> FloatArray:
    t = np.linspace(0.0, 1.0, shape[1])
    profile = _ROOT_RADIUS + (_TIP_RADIUS - _ROOT_RADIUS) * t**2
    return np.asarray(profile * rng.uniform(0.75, 1.2, size=(shape[0], 1)))


def _unit(vectors: FloatArray) -> FloatArray:
    return np.asarray(vectors / np.maximum(np.linalg.norm(vectors, axis=-1, keepdims=True), 1e-9))


def _grow(scalp: Scalp, form: HairStyle, roots: Roots, rng: np.random.Generator, stray: float = 0.12) -> FloatArray:
    """Step guides forward; each step blends the old direction, weight and wind, then leaves the body."""
    count = len(roots.position)
    left, back, _ = scalp.head_rotation.T
    away = np.tanh((roots.rest[:, :1] - form.part) / 0.012)
    on_top = smoothstep(roots.rest[:, 2], 0.72, 0.82)[:, None]
    direction = _unit(
        form.lift * roots.normal
        + form.comb_side * away * left * (0.35 + 0.65 * on_top)
        + form.comb_back * back
        + stray * rng.normal(size=(count, 3))
    )
    length = form.length * (form.side_length + (1 - form.side_length) * on_top[:, 0])
    step = (length * rng.uniform(0.9, 1.05, count) / (form.steps - 1))[:, None]
    pull = _unit(np.array([[0.0, 0.0, -1.0]]) + np.asarray(form.wind) + 0.25 * stray * rng.normal(size=(count, 3)))
    # Weight works per length, not per step: a style keeps its shape whatever its number of control points.
    yield_share = 1.0 - (1.0 - form.gravity) ** (step / 0.012)
    layer = form.layer * rng.random(count)
    points = [roots.position - 0.002 * roots.normal]
    for index in range(1, form.steps):
        direction = _unit((1 - yield_share) * direction + yield_share * pull)
        nxt = points[-1] + direction * step
        rise = layer * min(1.0, index * float(step.mean()) / 0.03)
        nxt = _keep_out(scalp, nxt, rise)
        if form.gravity > 0:
            nxt = _clear_face(scalp, nxt, roots.rest, form.part, 0.02)
        direction = _unit(nxt - points[-1])
        points.append(nxt)
    return np.stack(points, axis=1)


def _keep_out(scalp: Scalp, points: FloatArray, rise: FloatArray) -> FloatArray:
    """Push points out of the body along the normal of the nearest obstacle point."""
    half = (scalp.obstacle**2).sum(axis=1) / 2
    nearest = np.concatenate(
        [
            np.argmin(half - part @ scalp.obstacle.T, axis=1)
            for part in np.array_split(points, max(1, len(points) // 500))
        ]
    )
    normal = scalp.obstacle_normals[nearest]
    height = ((points - scalp.obstacle[nearest]) * normal).sum(axis=1)
    # On shoulders hair lies flat: only on the head does it keep its volume.
    rise = np.where(scalp.clearance[nearest] > 0.01, 0.4 * rise, rise)
    lack = np.maximum(scalp.clearance[nearest] + rise - height, 0.0)
    # Far from every obstacle point the plane through it says nothing.
    close = np.linalg.norm(points - scalp.obstacle[nearest], axis=1) < 0.06
    return np.asarray(points + normal * (lack * close)[:, None])


def _clear_face(scalp: Scalp, points: FloatArray, root_rest: FloatArray, part: float, most: float) -> FloatArray:
    """Move hair that falls before the face to its sides, by at most `most` metres."""
    seen = scalp.to_template(points)
    front = smoothstep(-seen[:, 1], 0.055, 0.085) * smoothstep(0.800 - seen[:, 2], 0.0, 0.02)
    side = np.where(root_rest[:, 0] >= part, 1.0, -1.0)
    push = np.minimum(np.maximum(0.068 - seen[:, 0] * side, 0.0) * front, most) * side
    return np.asarray(points + push[:, None] * scalp.head_rotation[:, 0])


def _gather(scalp: Scalp, form: HairStyle, roots: Roots, rng: np.random.Generator) -> FloatArray:
    """Comb every guide over the skull to a tie, then let it hang as a tail or wind it to a bun."""
    count, tie = len(roots.position), _TIES[form.gather]
    near = form.steps // 2
    start, end = roots.rest - HEAD_CENTRE, tie - HEAD_CENTRE
    t = np.linspace(0.0, 1.0, near)[None, :, None]
    turn = np.arccos(np.clip((_unit(start) @ _unit(end)), -1, 1))[:, None, None]
    arc = (np.sin((1 - t) * turn) * _unit(start)[:, None] + np.sin(t * turn) * _unit(end)) / np.maximum(
        np.sin(turn), 1e-6
    )
    reach = (1 - t) * np.linalg.norm(start, axis=1)[:, None, None] + t * np.linalg.norm(end)
    combed = scalp.to_scene((HEAD_CENTRE + arc * reach).reshape(-1, 3)).reshape(count, near, 3)
    rise = form.layer * rng.random(count)
    combed[:, 0] = roots.position - 0.002 * roots.normal
    for index in range(1, near - 1):
        combed[:, index] = _keep_out(scalp, combed[:, index], rise)
    disk = rng.normal(size=(count, 3)) * 0.006
    combed[:, -1] = scalp.to_scene(tie[None])[0] + disk
    rest = _wind(scalp, form, tie, rng, count) if form.gather == "bun" else _hang(scalp, form, tie, disk)
    return np.concatenate([combed, rest], axis=1)


def _hang(scalp: Scalp, form: HairStyle, tie: FloatArray, disk: FloatArray) -> FloatArray:
    """A tail: one falling path, around which the strands spread and close again."""
    far = form.steps - form.steps // 2
    back = scalp.head_rotation[:, 1]
    direction, point, step = _unit(back + np.array([0, 0, 0.35])), scalp.to_scene(tie[None])[0], form.length / far
    out = []
    for index in range(far):
        direction = _unit(0.72 * direction + 0.28 * np.array([0.0, 0.0, -1.0]))
        point = _keep_out(scalp, (point + direction * step)[None], np.array([0.018]))[0]
        t = (index + 1) / far
        out.append(point + disk * (1.0 + 3.2 * np.sin(np.pi * min(t * 1.1, 1.0)) * (1 - 0.55 * t)))
    return np.stack(out, axis=1)


def _wind(scalp: Scalp, form: HairStyle, tie: FloatArray, rng: np.random.Generator, count: int) -> FloatArray:
    """A bun: every strand winds along a random great circle of a ball behind the tie."""
    far = form.steps - form.steps // 2
    middle = scalp.to_scene((tie + np.array([0.0, 0.014, 0.026]))[None])[0]
    first = _unit(rng.normal(size=(count, 3)))
    second = _unit(np.cross(first, rng.normal(size=(count, 3))))
    angle = (rng.uniform(0, 6.28, (count, 1)) + np.linspace(0, 5.0, far)[None])[..., None]
    radius = (0.030 * rng.uniform(0.55, 1.0, (count, 1)) ** 0.4)[..., None]
    ball = radius * (np.cos(angle) * first[:, None] + np.sin(angle) * second[:, None])
    return np.asarray(middle + ball * np.array([1.12, 1.0, 0.95]))


def _follow(
    scalp: Scalp, guides: FloatArray, guide_roots: Roots, roots: Roots, form: HairStyle, rng: np.random.Generator
) -> FloatArray:
    """Strands after the guides nearest to their roots, with locks, waves and stray."""
    count, steps = len(roots.position), guides.shape[1]

    def place(rest: FloatArray) -> FloatArray:
        # Strands left and right of the parting must not follow the same guide.
        side = 0.03 * np.tanh((rest[:, :1] - form.part) / 0.006) * smoothstep(rest[:, 2], 0.76, 0.80)[:, None]
        return np.concatenate([rest, side], axis=1)

    there, here = place(guide_roots.rest), place(roots.rest)
    gap = (here**2).sum(axis=1)[:, None] - 2 * here @ there.T + (there**2).sum(axis=1)
    near = np.argsort(gap, axis=1)[:, :3]
    share = 1.0 / (np.take_along_axis(gap, near, axis=1) + 1e-5)
    share /= share.sum(axis=1, keepdims=True)
    shifted = guides - guides[:, :1]
    path = np.einsum("nk,nkjd->njd", share, shifted[near])
    t = np.linspace(0.0, 1.0, steps)[None, :, None]
    lead = near[:, 0]
    sideways = (roots.position - guide_roots.position[lead])[:, None]
    fan = 1.0 - form.clump * smoothstep(t, 0.1, 0.9)
    if form.gather:
        # Gathered hair ends in its own tie or ball, not beside its root.
        fan = np.maximum(0.0, 1.0 - 2.2 * t)
        path = guides[lead] - guides[lead][:, :1] + rng.normal(size=(count, 1, 3)) * 0.0028 * np.minimum(1, 2 * t)
    base = guide_roots.position[lead][:, None]
    strands = base + sideways * fan + path
    strands[:, 0] = roots.position - 0.0015 * roots.normal
    strands = strands + form.noise * (t**1.5) * rng.normal(size=(count, 1, 3)) * 0.6
    strands = strands + _waves(strands, lead, form, rng)
    if form.gravity > 0 and not form.gather:
        # A strand between two guides that part before the face would cross it.
        flat = strands[:, 1:].reshape(-1, 3)
        owner = np.repeat(roots.rest, steps - 1, axis=0)
        strands[:, 1:] = _clear_face(scalp, flat, owner, form.part, 0.06).reshape(count, steps - 1, 3)
    return _shorten(strands, rng.uniform(0.72, 1.0, count))


def _waves(strands: FloatArray, lead: IntArray, form: HairStyle, rng: np.random.Generator) -> FloatArray:
    """Offsets of waves or helices across the strands; a lock's strands share phase and plane."""
    if form.wave == 0:
        return np.zeros_like(strands)
    count = len(strands)
    along = _unit(np.gradient(strands, axis=1))
    travelled = np.concatenate(
        [np.zeros((count, 1)), np.cumsum(np.linalg.norm(np.diff(strands, axis=1), axis=2), axis=1)], axis=1
    )[..., None]
    plane = rng.normal(size=(_GUIDES, 3))[lead] + 0.15 * rng.normal(size=(count, 3))
    first = _unit(plane[:, None] - (plane[:, None] * along).sum(axis=2, keepdims=True) * along)
    phase = (rng.uniform(0, 2 * np.pi, _GUIDES)[lead] + rng.normal(size=count) * 0.3)[:, None, None]
    turns = 2 * np.pi * travelled / form.wave_length * rng.uniform(0.88, 1.12, (count, 1, 1)) + phase
    size = form.wave * rng.uniform(0.6, 1.3, (count, 1, 1)) * np.minimum(1.0, travelled / (0.5 * form.wave_length))
    if form.curl:
        return np.asarray(size * (np.cos(turns) * first + np.sin(turns) * np.cross(along, first)))
    return np.asarray(size * np.sin(turns) * first)


def _shorten(strands: FloatArray, share: FloatArray) -> FloatArray:
    """Cut every strand to a share of its length by resampling its control points."""
    steps = strands.shape[1]
    at = share[:, None] * np.arange(steps)
    low = np.minimum(at.astype(np.int64), steps - 2)
    part = (at - low)[..., None]
    rows = np.arange(len(strands))[:, None]
    return np.asarray(strands[rows, low] * (1 - part) + strands[rows, low + 1] * part)
