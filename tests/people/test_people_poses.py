"""Rotations, forward kinematics and skinning."""

from __future__ import annotations

import numpy as np
import pytest

from matting_data.people.poses import POSES, bone_transforms, complete_pose, rotation_matrix, skin_vertices


def test_quarter_turn_about_z() -> None:
    assert np.allclose(rotation_matrix((0, 0, 90)) @ [1, 0, 0], [0, 1, 0])
    assert np.array_equal(rotation_matrix((0, 0, 0)), np.eye(3))


def test_children_follow_their_parent() -> None:
    heads = np.array([[0.0, 0, 0], [1.0, 0, 0], [2.0, 0, 0]])
    moves = bone_transforms(heads, [-1, 0, 1], ["a", "b", "c"], {"b": (0, 0, 90)})
    tip = moves[2][:, :3] @ np.array([3.0, 0, 0]) + moves[2][:, 3]
    assert np.allclose(tip, [1, 2, 0])
    assert np.allclose(moves[0], np.eye(4)[:3])


def test_skinning_blends_and_identity_changes_nothing() -> None:
    rest = np.array([[0.5, 0.2, 0.1], [1.5, 0.0, 0.3]])
    still = bone_transforms(np.zeros((2, 3)), [-1, 0], ["a", "b"], {})
    index, weight = np.array([[0, 1], [0, 1]]), np.array([[0.5, 0.5], [1.0, 0.0]])
    assert np.allclose(skin_vertices(rest, index, weight, still), rest)


@pytest.mark.parametrize("name", sorted(POSES))
def test_poses_are_deterministic_and_vary_with_the_seed(name: str) -> None:
    assert complete_pose(name, 5) == complete_pose(name, 5)
    assert complete_pose(name, 5) != complete_pose(name, 6)
    assert all(len(rotation) == 3 for rotation in complete_pose(name, 5).values())
