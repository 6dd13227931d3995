"""Polygon meshes as plain arrays: subdivide, clip, smooth, and vertex normals.

Everything here is a pure function of NumPy arrays, so that bodies and garments can be shaped without any 3D
package. Quads come from the body model; everything that is rendered ends as triangles.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]


@dataclass(frozen=True)
class Mesh:
    """A triangle mesh with named per-vertex attributes.

    Parameters
    ----------
    vertices : ndarray, shape (V, 3), float64
        Positions in metres; x to the person's left, y to their back, z up.
    faces : ndarray, shape (T, 3), int64
        Vertex indices, counter-clockwise seen from outside.
    attributes : dict of str to ndarray, each shape (V, K), float64
        Values carried along by clipping, e.g. ``color`` (linear RGB in [0, 1]) and ``rest``.
    """

    vertices: FloatArray
    faces: IntArray
    attributes: dict[str, FloatArray]


def catmull_clark(faces: IntArray, values: FloatArray, levels: int = 1) -> tuple[IntArray, FloatArray]:
    """Subdivide a quad mesh, treating every column of `values` like a coordinate.

    Parameters
    ----------
    faces : ndarray, shape (F, 4), int64
        Quads; vertices that no quad uses are dropped.
    values : ndarray, shape (V, K), float64
        Positions and whatever else lives on vertices, side by side.
    levels : int
        How often to subdivide; 0 only drops unused vertices.

    Returns
    -------
    faces : ndarray, shape (F * 4**levels, 4), int64
    values : ndarray, shape (V', K), float64

    Notes
    -----
    Source: E. Catmull, J. Clark, Recursively generated B-spline surfaces on arbitrary topological meshes, 1978.
    Boundary edges follow the cubic B-spline rule, so hems of open garments stay smooth.
    """
    used, inverse = np.unique(faces, return_inverse=True)
    faces, values = inverse.reshape(faces.shape).astype(np.int64), values[used]
    for _ in range(levels):
        faces, values = _subdivide_once(faces, values)
    return faces, values


def _subdivide_once(faces: IntArray, values: FloatArray) -> tuple[IntArray, FloatArray]:
    count = len(values)
    corners = np.stack([faces, np.roll(faces, -1, axis=1)], axis=-1).reshape(-1, 2)
    edges, edge_of = np.unique(np.sort(corners, axis=1), axis=0, return_inverse=True)
    edge_of = edge_of.reshape(-1)
    uses = np.bincount(edge_of, minlength=len(edges))
    boundary = uses != 2
    face_points = values[faces].mean(axis=1)
    middles = values[edges].mean(axis=1)
    around = _scatter_sum(edge_of, np.repeat(face_points, 4, axis=0), len(edges))
    edge_points = np.where(boundary[:, None], middles, 0.5 * middles + 0.25 * around)

    valence = np.maximum(np.bincount(faces.reshape(-1), minlength=count), 1)[:, None]
    face_mean = _scatter_sum(faces.reshape(-1), np.repeat(face_points, 4, axis=0), count) / valence
    degree = np.maximum(np.bincount(edges.reshape(-1), minlength=count), 1)[:, None]
    edge_mean = _scatter_sum(edges.reshape(-1), np.repeat(middles, 2, axis=0), count) / degree
    moved = (face_mean + 2.0 * edge_mean + (valence - 3.0) * values) / valence
    rim = edges[boundary].reshape(-1)
    rim_mean = _scatter_sum(rim, np.repeat(middles[boundary], 2, axis=0), count)
    on_rim = np.bincount(rim, minlength=count)
    # Where more than two boundary edges meet there is no smooth rule: keep the corner.
    moved = np.where((on_rim == 2)[:, None], 0.5 * values + 0.25 * rim_mean, moved)
    moved = np.where((on_rim > 2)[:, None], values, moved)

    edge_ids = (count + edge_of).reshape(-1, 4)
    centre = (count + len(edges) + np.arange(len(faces)))[:, None]
    quads = [
        np.concatenate([faces[:, k : k + 1], edge_ids[:, k : k + 1], centre, edge_ids[:, k - 1][:, None]], axis=1)
        for k in range(4)
    ]
    return np.concatenate(quads).astype(np.int64), np.concatenate([moved, edge_points, face_points])


def _scatter_sum(index: IntArray, rows: FloatArray, count: int) -> FloatArray:
    """Sum `rows` into `count` bins; bincount a column is far faster than ``np.add.at``."""
    return np.stack([np.bincount(index, weights=column, minlength=count) for column in rows.T], axis=1)


def triangulate(faces: IntArray) -> IntArray:
    """Split quads into triangles, shape (F, 4) to (2 F, 3)."""
    return np.concatenate([faces[:, [0, 1, 2]], faces[:, [0, 2, 3]]])


def clip(mesh: Mesh, field: FloatArray) -> Mesh:
    """Keep the part of a mesh where a per-vertex field is positive, cutting triangles along its zero.

    Parameters
    ----------
    mesh : Mesh
    field : ndarray, shape (V,), float64
        Interpolated linearly along edges; the new rim lies where it is zero.

    Returns
    -------
    Mesh
        With unused vertices dropped and attributes interpolated at the new vertices.
    """
    inside = field > 0
    kept = inside[mesh.faces].sum(axis=1)
    whole = mesh.faces[kept == 3]
    one = _rotate_first(mesh.faces[kept == 1], inside)
    two = _rotate_first(mesh.faces[kept == 2], ~inside)
    cuts = np.concatenate([one[:, [0, 1]], one[:, [0, 2]], two[:, [0, 1]], two[:, [0, 2]]])
    edges, cut_of = np.unique(np.sort(cuts, axis=1), axis=0, return_inverse=True)
    new_id = len(mesh.vertices) + cut_of.reshape(-1)
    n_one, n_two = len(one), len(two)
    first, second = new_id[:n_one], new_id[n_one : 2 * n_one]
    third, fourth = new_id[2 * n_one : 2 * n_one + n_two], new_id[2 * n_one + n_two :]
    faces = np.concatenate(
        [
            whole,
            np.stack([one[:, 0], first, second], axis=1),
            np.stack([third, two[:, 1], two[:, 2]], axis=1),
            np.stack([third, two[:, 2], fourth], axis=1),
        ]
    )
    low, high = field[edges[:, 0]], field[edges[:, 1]]
    gap = low - high
    t = np.divide(low, gap, out=np.full_like(gap, 0.5), where=gap != 0)[:, None]

    def extend(values: FloatArray) -> FloatArray:
        return np.concatenate([values, values[edges[:, 0]] * (1 - t) + values[edges[:, 1]] * t])

    attributes = {name: extend(values) for name, values in mesh.attributes.items()}
    return compact(Mesh(extend(mesh.vertices), faces.astype(np.int64), attributes))


def _rotate_first(faces: IntArray, chosen: NDArray[np.bool_]) -> IntArray:
    """Rotate each triangle so that its one `chosen` vertex comes first (orientation is kept)."""
    start = np.argmax(chosen[faces], axis=1) if len(faces) else np.zeros(0, dtype=np.int64)
    order = (start[:, None] + np.arange(3)) % 3
    return np.take_along_axis(faces, order, axis=1)


def compact(mesh: Mesh) -> Mesh:
    """Drop vertices that no face uses."""
    used, inverse = np.unique(mesh.faces, return_inverse=True)
    attributes = {name: values[used] for name, values in mesh.attributes.items()}
    return Mesh(mesh.vertices[used], inverse.reshape(mesh.faces.shape).astype(np.int64), attributes)


def vertex_normals(vertices: FloatArray, faces: IntArray) -> FloatArray:
    """Area-weighted unit vertex normals of a triangle mesh, shape (V, 3), float64."""
    a, b, c = (vertices[faces[:, k]] for k in range(3))
    face_normals = np.cross(b - a, c - a)
    total = _scatter_sum(faces.T.reshape(-1), np.tile(face_normals, (3, 1)), len(vertices))
    return np.asarray(total / np.maximum(np.linalg.norm(total, axis=1, keepdims=True), 1e-12))


def smooth(mesh: Mesh, iterations: int, strength: float = 0.5, *, carry: bool = False) -> Mesh:
    """Laplacian smoothing with the rim held still: cloth does not follow every hollow of a body.

    With `carry`, attributes drift along the surface with the vertices, so that patterns painted by them stay even.
    """
    edges = np.concatenate([mesh.faces[:, [0, 1]], mesh.faces[:, [1, 2]], mesh.faces[:, [2, 0]]])
    edges, uses = np.unique(np.sort(edges, axis=1), axis=0, return_counts=True)
    both = np.concatenate([edges, edges[:, ::-1]])
    degree = np.maximum(np.bincount(both[:, 0], minlength=len(mesh.vertices)), 1)[:, None]
    free = np.ones((len(mesh.vertices), 1))
    free[edges[uses == 1].reshape(-1)] = 0.0
    names = list(mesh.attributes) if carry else []
    values = np.concatenate([mesh.vertices] + [mesh.attributes[name] for name in names], axis=1)
    for _ in range(iterations):
        mean = _scatter_sum(both[:, 0], values[both[:, 1]], len(values)) / degree
        values = values + strength * free * (mean - values)
    ends = np.cumsum([3] + [mesh.attributes[name].shape[1] for name in names])
    parts = np.split(values, ends[:-1], axis=1) if names else [values]
    return replace(mesh, vertices=parts[0], attributes={**mesh.attributes, **dict(zip(names, parts[1:], strict=True))})


def offset(mesh: Mesh, distance: FloatArray | float) -> Mesh:
    """Move every vertex along its normal by `distance` metres (a number, or one a vertex)."""
    normals = vertex_normals(mesh.vertices, mesh.faces)
    step = np.broadcast_to(np.asarray(distance, dtype=np.float64), (len(normals),))[:, None]
    return replace(mesh, vertices=mesh.vertices + normals * step)
