"""Subdivision, clipping, smoothing and normals on small meshes with known answers."""

from __future__ import annotations

import numpy as np

from matting_data.people.mesh import Mesh, catmull_clark, clip, offset, smooth, triangulate, vertex_normals

CUBE = np.array([[x, y, z] for x in (-1.0, 1.0) for y in (-1.0, 1.0) for z in (-1.0, 1.0)])
CUBE_QUADS = np.array([[0, 1, 3, 2], [4, 6, 7, 5], [0, 4, 5, 1], [2, 3, 7, 6], [0, 2, 6, 4], [1, 5, 7, 3]])


def grid(n: int) -> tuple[np.ndarray, np.ndarray]:
    x, y = np.meshgrid(np.arange(n + 1.0), np.arange(n + 1.0), indexing="ij")
    vertices = np.stack([x.ravel(), y.ravel(), np.zeros(x.size)], axis=1)
    corner = (np.arange(n)[:, None] * (n + 1) + np.arange(n)).ravel()
    return np.stack([corner, corner + n + 1, corner + n + 2, corner + 1], axis=1), vertices


def test_cube_subdivides_to_its_known_corner() -> None:
    faces, values = catmull_clark(CUBE_QUADS, CUBE)
    assert faces.shape == (24, 4)
    assert len(values) == 8 + 12 + 6
    # Valence 3: (F + 2 R + 0 P) / 3 with F = (1/3, 1/3, 1/3) and R = (2/3, 2/3, 2/3).
    assert np.allclose(values[7], [5 / 9] * 3)
    assert np.allclose(np.abs(values[8:20]).max(axis=1), 0.75)


def test_flat_grid_stays_flat_and_keeps_its_rim() -> None:
    faces, vertices = grid(3)
    fine, values = catmull_clark(faces, vertices, levels=2)
    assert len(fine) == 9 * 16
    assert np.allclose(values[:, 2], 0)
    inside = (vertices[:, 0] == 0) & (vertices[:, 1] == 1)
    assert np.allclose(values[np.flatnonzero(inside)[0]], [0, 1, 0])


def test_unused_vertices_are_dropped() -> None:
    faces, vertices = grid(1)
    padded = np.concatenate([np.full((5, 3), 9.0), vertices])
    _, values = catmull_clark(faces + 5, padded, levels=0)
    assert np.array_equal(values, vertices)


def test_clip_cuts_along_the_zero_and_keeps_area_and_orientation() -> None:
    faces, vertices = grid(4)
    mesh = Mesh(vertices, triangulate(faces), {"x": vertices[:, :1]})
    cut = clip(mesh, 2.5 - vertices[:, 0])
    corners = cut.vertices[cut.faces]
    area = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])[:, 2] / 2
    assert (area > 0).all()
    assert np.isclose(area.sum(), 2.5 * 4)
    assert np.isclose(cut.vertices[:, 0].max(), 2.5)
    assert np.allclose(cut.attributes["x"][:, 0], cut.vertices[:, 0])


def test_clip_of_nothing_and_of_everything() -> None:
    faces, vertices = grid(2)
    mesh = Mesh(vertices, triangulate(faces), {})
    assert len(clip(mesh, np.ones(len(vertices))).faces) == len(mesh.faces)
    assert len(clip(mesh, -np.ones(len(vertices))).faces) == 0


def test_normals_point_out_and_offset_moves_along_them() -> None:
    faces, values = catmull_clark(CUBE_QUADS, CUBE, levels=2)
    ball = Mesh(values, triangulate(faces), {})
    normals = vertex_normals(ball.vertices, ball.faces)
    assert np.allclose(np.linalg.norm(normals, axis=1), 1)
    sign = np.sign((normals * ball.vertices).sum(axis=1))
    assert (sign == sign[0]).all()
    moved = offset(ball, 0.1)
    assert np.allclose(np.linalg.norm(moved.vertices - ball.vertices, axis=1), 0.1)


def test_smoothing_holds_the_rim() -> None:
    faces, vertices = grid(4)
    bumpy = vertices.copy()
    middle = (bumpy[:, 0] == 2) & (bumpy[:, 1] == 2)
    bumpy[middle, 2] = 1.0
    out = smooth(Mesh(bumpy, triangulate(faces), {}), 5)
    rim = (vertices[:, :2] == 0).any(axis=1) | (vertices[:, :2] == 4).any(axis=1)
    assert np.array_equal(out.vertices[rim], bumpy[rim])
    assert 0 < out.vertices[middle, 2][0] < 0.5
