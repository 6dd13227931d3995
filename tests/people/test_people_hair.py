"""Hair on a sphere: roots on the scalp, strands outside the head, the same for the same seed."""

from __future__ import annotations

import numpy as np
import pytest

from matting_data.people.hair import Scalp, grow_hair, grow_wisps, sample_roots
from matting_data.people.hair_styles import STYLES
from matting_data.people.mesh import catmull_clark, triangulate, vertex_normals
from matting_data.people.skin import HEAD_CENTRE
from matting_data.people.specs import HAIR_STYLES, generator

RADIUS = 0.095
CUBE = np.array([[x, y, z] for x in (-1.0, 1.0) for y in (-1.0, 1.0) for z in (-1.0, 1.0)])
CUBE_QUADS = np.array([[0, 1, 3, 2], [4, 6, 7, 5], [0, 4, 5, 1], [2, 3, 7, 6], [0, 2, 6, 4], [1, 5, 7, 3]])


@pytest.fixture(scope="module")
def scalp() -> Scalp:
    faces, values = catmull_clark(CUBE_QUADS, CUBE, levels=4)
    unit = values / np.linalg.norm(values, axis=1, keepdims=True)
    triangles = triangulate(faces)
    if (vertex_normals(unit, triangles) * unit).sum() < 0:
        triangles = triangles[:, ::-1]
    rest = HEAD_CENTRE + RADIUS * unit
    scene = rest + np.array([0.3, -0.1, 0.7])
    density = ((unit[:, 2] > 0.1) & (unit[:, 1] > -0.7)).astype(np.float64)
    return Scalp(scene, unit, rest, triangles, density, np.eye(3), scene, unit, np.full(len(unit), 0.003))


def test_styles_and_specs_name_the_same_styles() -> None:
    assert set(STYLES) == set(HAIR_STYLES)


def test_roots_lie_on_the_scalp(scalp: Scalp) -> None:
    roots = sample_roots(scalp, 500, generator(1))
    distance = np.linalg.norm(roots.rest - HEAD_CENTRE, axis=1)
    assert np.allclose(distance, RADIUS, atol=0.002)
    assert np.allclose(np.linalg.norm(roots.normal, axis=1), 1)
    assert (roots.rest[:, 2] > HEAD_CENTRE[2]).all()
    assert np.allclose(scalp.to_template(roots.position), roots.rest)
    assert np.allclose(scalp.to_scene(roots.rest), roots.position)


@pytest.mark.parametrize("style", HAIR_STYLES)
def test_strands(scalp: Scalp, style: str) -> None:
    points, radii = grow_hair(scalp, style, 9)
    form = STYLES[style]
    assert points.shape == (form.count, form.steps, 3)
    assert radii.shape == points.shape[:2]
    assert np.isfinite(points).all()
    assert (radii > 0).all()
    assert (radii < 0.0003).all()
    centre = scalp.vertices.mean(axis=0)
    from_centre = np.linalg.norm(points - centre, axis=2)
    # Roots start just under the skin, so that no gap shows between hair and scalp.
    assert (np.abs(from_centre[:, 0] - RADIUS) < 0.004).all()
    assert np.mean(from_centre[:, 1:] < RADIUS - 0.01) < 0.05
    length = np.linalg.norm(np.diff(points, axis=1), axis=2).sum(axis=1)
    assert 0.2 * form.length * form.side_length < np.median(length) < 3.0 * form.length


def test_same_seed_same_strands(scalp: Scalp) -> None:
    first, again, other = (grow_hair(scalp, "curly", seed)[0] for seed in (3, 3, 4))
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)


def test_wisps_are_finer_than_hair(scalp: Scalp) -> None:
    points, radii = grow_wisps(scalp, "bob", 9, count=50)
    assert points.shape[0] == 50
    assert radii.mean() < grow_hair(scalp, "bob", 9)[1].mean()
