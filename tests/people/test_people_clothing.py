"""Where garments cover the neutral body: landmarks of the template, and cloth on a stand-in tube."""

from __future__ import annotations

import numpy as np
import pytest

from matting_data.people.clothing import bare_field, bottom_field, shoe_field, top_field
from matting_data.people.mesh import Mesh, smooth, triangulate
from matting_data.people.skin import scalp_mask, skin_tone
from matting_data.people.specs import BOTTOMS, TOPS, Clothing

# Landmarks of MakeHuman's template, metres: x to the left, y to the back, z up from the hips.
FACE, CROWN, CHEST, BELLY = (0.0, -0.15, 0.72), (0.0, -0.04, 0.845), (0.0, -0.15, 0.41), (0.0, -0.13, 0.20)
HAND, HIP, KNEE, TOE = (0.46, -0.24, 0.15), (0.10, -0.10, 0.0), (0.158, -0.08, -0.369), (0.17, -0.15, -0.80)


def at(*points: tuple[float, float, float]) -> np.ndarray:
    return np.array(points)


@pytest.mark.parametrize("top", TOPS)
@pytest.mark.parametrize("bottom", BOTTOMS)
def test_nobody_is_naked_and_nobody_is_masked(top: str, bottom: str) -> None:
    clothing = Clothing(top=top, bottom=bottom)
    bare = bare_field(at(FACE, CROWN, HAND), np.array([0.0, 0.0, 1.0]), clothing)
    assert (bare > 0).all()
    trunk = at(CHEST, BELLY)
    assert (top_field(trunk, np.zeros(2), clothing) > 0).all()
    assert (bottom_field(at(HIP), np.zeros(1), clothing) > 0).all()
    assert (bare_field(trunk, np.zeros(2), clothing) < 0).all()
    assert (shoe_field(at(TOE)) > 0).all()


def test_bottoms_differ_in_length() -> None:
    knee = at(KNEE)
    cover = {bottom: bool(bottom_field(knee, np.zeros(1), Clothing(bottom=bottom))[0] > 0) for bottom in BOTTOMS}
    assert cover == {"trousers": True, "shorts": False, "skirt": False, "long_skirt": True}


def test_skirts_leave_the_legs_beneath() -> None:
    shin = at((0.2, 0.0, -0.5))
    assert bare_field(shin, np.zeros(1), Clothing(bottom="long_skirt"))[0] > 0
    assert bare_field(shin, np.zeros(1), Clothing(bottom="trousers"))[0] < 0


def test_scalp_is_above_the_hairline_only() -> None:
    points = at(CROWN, FACE, CHEST, (0.0, 0.06, 0.72))
    assert np.allclose(scalp_mask(points, np.zeros(4)), [1, 0, 0, 1])
    assert scalp_mask(at(CROWN), np.ones(1))[0] == 0


def test_skin_tones_darken_evenly() -> None:
    tones = np.array([skin_tone(value) for value in np.linspace(0, 1, 11)])
    assert (np.diff(tones, axis=0) < 0).all()
    # Skin of every tone is redder than green and greener than blue.
    assert (np.diff(tones, axis=1) < 0).all()


def test_carried_attributes_drift_with_their_vertices() -> None:
    x, y = np.meshgrid(np.arange(7.0), np.arange(7.0), indexing="ij")
    vertices = np.stack([x.ravel(), y.ravel(), np.zeros(x.size)], axis=1)
    corner = (np.arange(6)[:, None] * 7 + np.arange(6)).ravel()
    faces = np.stack([corner, corner + 7, corner + 8, corner + 1], axis=1)
    uneven = vertices + np.array([0.3, 0.0, 0.0]) * np.sin(vertices[:, 1:2] * 5) * (vertices[:, :1] % 6 > 0)
    mesh = Mesh(uneven, triangulate(faces), {"rest": uneven.copy()})
    carried = smooth(mesh, 10, carry=True)
    assert np.allclose(carried.attributes["rest"], carried.vertices)
    assert np.array_equal(smooth(mesh, 10).attributes["rest"], uneven)
