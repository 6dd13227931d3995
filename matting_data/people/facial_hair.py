"""Eyebrows, lashes and beards: short strands on the face, grown like hair but without guides."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from matting_data.people.hair import Scalp, sample_roots
from matting_data.people.skin import beard_mask, smoothstep
from matting_data.people.specs import generator

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]

# The brow's middle line and half thickness over |x| in the template, metres.
_BROW_X = (0.012, 0.022, 0.034, 0.046, 0.057)
_BROW_Z = (0.7455, 0.7500, 0.7530, 0.7525, 0.7465)
_BROW_HALF = (0.0036, 0.0040, 0.0034, 0.0024, 0.0008)


def brow_mask(template: FloatArray) -> FloatArray:
    """Where eyebrows grow, 0 to 1, shape (V,)."""
    x, z = np.abs(template[:, 0]), template[:, 2]
    across = np.abs(z - np.interp(x, _BROW_X, _BROW_Z)) / np.interp(x, _BROW_X, _BROW_HALF)
    within = (x > _BROW_X[0]) & (x < _BROW_X[-1]) & (template[:, 1] < -0.09)
    return np.asarray((1.0 - smoothstep(across, 0.6, 1.2)) * within)


def grow_brows(face: Scalp, seed: int, count: int = 900) -> tuple[FloatArray, FloatArray]:
    """Eyebrow strands: up at the nose, outward along the arch; points (N, 5, 3) and radii (N, 5)."""
    rng = generator(seed, 0xB20)
    roots = sample_roots(face, count, rng)
    left, _, up = face.head_rotation.T
    x = np.abs(roots.rest[:, :1])
    outward = np.sign(roots.rest[:, :1]) * left
    rise = np.interp(x, (0.012, 0.02, 0.04, 0.057), (1.3, 0.6, 0.05, -0.45))
    direction = outward + rise * up + 0.22 * rng.normal(size=(count, 3)) + 0.30 * roots.normal
    return _short(roots.position, direction, roots.normal, 0.0075 * rng.uniform(0.6, 1.1, count), 0.00016)


def grow_beard(face: Scalp, seed: int, count: int = 9000) -> tuple[FloatArray, FloatArray]:
    """Beard strands, down and a little outward; points (N, 5, 3) and radii (N, 5)."""
    rng = generator(seed, 0xBEA)
    roots = sample_roots(face, count, rng)
    _, back, up = face.head_rotation.T
    direction = -0.8 * up + 0.15 * back + 0.75 * roots.normal + 0.3 * rng.normal(size=(count, 3))
    length = (0.009 + 0.007 * smoothstep(0.67 - roots.rest[:, 2], 0.0, 0.03)) * rng.uniform(0.7, 1.1, count)
    return _short(roots.position, direction, roots.normal, length, 0.00016)


def beard_density(template: FloatArray) -> FloatArray:
    """Relative density of beard roots; shape (V,)."""
    return beard_mask(template)


def grow_lashes(
    vertices: FloatArray, quads: IntArray, skin: FloatArray, seed: int, share: float = 1.0
) -> tuple[FloatArray, FloatArray]:
    """Lashes from one lash helper: strands from the lid to its outer edge.

    Parameters
    ----------
    vertices : ndarray, shape (V, 3), float64
        Posed base mesh.
    quads : ndarray, shape (F, 4), int64
        The helper's faces.
    skin : ndarray, shape (M, 3), float64
        Posed body vertices near the eye; the nearest is a lash's root.
    seed : int
    share : float
        Share of the lashes to keep, 0 to 1; those of the lower lid are sparse.

    Returns
    -------
    points, radii : ndarray, shapes (N, 5, 3) and (N, 5)
    """
    rng = generator(seed, 0x1A5)
    edges = np.stack([quads, np.roll(quads, -1, axis=1)], axis=-1).reshape(-1, 2)
    used = np.unique(edges)
    gap = np.linalg.norm(vertices[used][:, None] - skin[None], axis=2)
    nearest, distance = skin[np.argmin(gap, axis=1)], gap.min(axis=1)
    lookup = np.full(len(vertices), -1)
    lookup[used] = np.arange(len(used))
    edges = lookup[edges]
    far = distance > 0.6 * distance.max()
    pairs = edges[far[edges].all(axis=1)]
    t = rng.random((len(pairs), 5, 1))
    tip = vertices[used][pairs[:, 0]][:, None] * (1 - t) + vertices[used][pairs[:, 1]][:, None] * t
    root = nearest[pairs[:, 0]][:, None] * (1 - t) + nearest[pairs[:, 1]][:, None] * t
    kept = rng.random(len(pairs) * 5) < share
    root, tip = root.reshape(-1, 3)[kept], tip.reshape(-1, 3)[kept]
    s = np.linspace(0.0, 1.0, 5)[None, :, None]
    points = root[:, None] * (1 - s) + tip[:, None] * s
    return points, np.broadcast_to(np.linspace(0.00013, 0.00004, 5), points.shape[:2]).copy()


def _short(
    root: FloatArray, direction: FloatArray, normal: FloatArray, length: FloatArray, radius: float
) -> tuple[FloatArray, FloatArray]:
    """Strands that bend from their direction towards the skin."""
    direction = direction / np.linalg.norm(direction, axis=1, keepdims=True)
    s = np.linspace(0.0, 1.0, 5)[None, :, None]
    reach = length[:, None, None]
    points = root[:, None] - 0.0006 * normal[:, None] + reach * (s * direction[:, None] - 0.15 * s**2 * normal[:, None])
    return points, np.broadcast_to(np.linspace(radius, 0.3 * radius, 5), points.shape[:2]).copy()
