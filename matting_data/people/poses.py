"""Named poses: which bone turns how far, and the forward kinematics that applies them.

A pose maps bone names of the MakeHuman default rig to rotation vectors in degrees about the axes of the rest
pose: x to the person's left, y to their back, z up. Turning a bone carries all its children along.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

Rotation = tuple[float, float, float]
Pose = dict[str, Rotation]

# Fingers curl a little in every pose: the rest pose's splayed hand looks like a doll's.
_FINGERS = ("finger2", "finger3", "finger4", "finger5")


def _both(name: str, rotation: Rotation) -> Pose:
    """The rotation for the left bone and its mirror image for the right one."""
    x, y, z = rotation
    return {f"{name}.L": (x, y, z), f"{name}.R": (x, -y, -z)}


def _relaxed_arms(spread: float = 0.0) -> Pose:
    return {
        **_both("shoulder01", (0, 6, 0)),
        **_both("upperarm01", (8, 30 - spread, 0)),
        **_both("lowerarm01", (6, 3, 0)),
    }


_STAND: Pose = {**_relaxed_arms(), **_both("upperleg01", (0, 3, 0))}

POSES: dict[str, Pose] = {
    "standing": _STAND,
    "contrapposto": {
        **_STAND,
        "spine05": (0, 4, 3),
        "spine02": (0, -4, 0),
        "upperleg01.L": (-14, 0, 4),
        "lowerleg01.L": (22, 0, 0),
        "foot.L": (-6, 0, 0),
        "head": (2, 3, 8),
    },
    "arms_up": {
        **_both("upperleg01", (0, 2, 0)),
        **_both("clavicle", (0, -16, 0)),
        **_both("shoulder01", (0, -18, 0)),
        **_both("upperarm01", (-10, -72, 0)),
        **_both("lowerarm01", (-30, -8, 0)),
        "head": (-6, 0, 0),
    },
    "waving": {
        **_STAND,
        "clavicle.R": (0, 6, 0),
        "shoulder01.R": (0, 10, 0),
        "upperarm01.R": (0, 32, -10),
        "lowerarm01.R": (-30, 95, 25),
        "wrist.R": (0, 14, 0),
        "head": (0, -5, -6),
    },
    "walking": {
        "upperleg01.L": (-26, 3, 0),
        "lowerleg01.L": (14, 0, 0),
        "upperleg01.R": (18, -3, 0),
        "lowerleg01.R": (24, 0, 0),
        "foot.L": (-8, 0, 0),
        "foot.R": (14, 0, 0),
        "shoulder01.L": (0, 6, 0),
        "shoulder01.R": (0, -6, 0),
        "upperarm01.L": (30, 33, 0),
        "upperarm01.R": (-24, -33, 0),
        "lowerarm01.L": (-6, 0, 0),
        "lowerarm01.R": (-24, 0, 0),
        "spine02": (4, 0, -6),
        "head": (0, 0, 4),
    },
    "sitting": {
        **_both("upperleg01", (-84, 4, 0)),
        **_both("lowerleg01", (84, 0, 0)),
        **_both("shoulder01", (0, 6, 0)),
        **_both("upperarm01", (-14, 32, 0)),
        **_both("lowerarm01", (-34, 6, -12)),
        "spine04": (5, 0, 0),
        "spine02": (5, 0, 0),
        "head": (-6, 0, 6),
    },
    "hands_on_hips": {
        **_both("upperleg01", (0, -1, 0)),
        **_both("shoulder01", (0, 4, 0)),
        **_both("upperarm01", (24, 6, 0)),
        **_both("lowerarm01", (-8, 62, 30)),
        **_both("wrist", (0, 10, 10)),
        "head": (0, 2, 5),
    },
    "turned_head": {**_STAND, "neck02": (0, 0, 14), "head": (2, 3, 20), "spine02": (0, 0, 6)},
    "dancing": {
        "spine04": (0, 7, 6),
        "spine02": (0, 6, 8),
        "head": (-4, -8, -10),
        "clavicle.L": (0, -12, 0),
        "shoulder01.L": (0, -16, 0),
        "upperarm01.L": (-6, -62, 0),
        "lowerarm01.L": (-34, -26, 0),
        "upperarm01.R": (10, 24, 0),
        "lowerarm01.R": (-20, 20, 0),
        "upperleg01.L": (-34, -8, 0),
        "lowerleg01.L": (58, 0, 0),
        "foot.L": (18, 0, 0),
        "upperleg01.R": (2, -1, 0),
    },
    "arm_around": {
        **_STAND,
        "clavicle.L": (0, -4, 0),
        "upperarm01.L": (16, -26, 0),
        "lowerarm01.L": (4, 10, -26),
        "head": (0, 4, 6),
    },
    "arm_around_right": {
        **_STAND,
        "clavicle.R": (0, 4, 0),
        "upperarm01.R": (16, 26, 0),
        "lowerarm01.R": (4, -10, 26),
        "head": (0, -4, -6),
    },
}


def rotation_matrix(degrees: Sequence[float]) -> NDArray[np.float64]:
    """Rodrigues' formula for a rotation vector in degrees; shape (3, 3), float64."""
    vector = np.radians(np.asarray(degrees, dtype=np.float64))
    angle = float(np.linalg.norm(vector))
    if angle < 1e-12:
        return np.eye(3)
    x, y, z = vector / angle
    cross = np.array([[0, -z, y], [z, 0, -x], [-y, x, 0]])
    return np.asarray(np.eye(3) + np.sin(angle) * cross + (1 - np.cos(angle)) * cross @ cross)


def complete_pose(name: str, seed: int, jitter: float = 2.0) -> Pose:
    """A named pose with relaxed fingers and a small per-seed variation of every turned bone.

    Raises
    ------
    KeyError
        If no pose has this name; `specs` refuses such names earlier with a sentence.
    """
    rng = np.random.Generator(np.random.Philox(key=[seed, 0x905E]))
    pose: Pose = {}
    for bone, rotation in sorted(POSES[name].items()):
        x, y, z = (float(v) for v in np.asarray(rotation) + rng.normal(0.0, jitter, 3))
        pose[bone] = (x, y, z)
    for finger in _FINGERS:
        for joint, bend in ((1, 10.0), (2, 16.0), (3, 10.0)):
            # The left hand points down and out in the rest pose; curling turns it about x and y.
            pose.update(_both(f"{finger}-{joint}", (0.35 * bend, 0.9 * bend, 0.0)))
    return pose


def bone_transforms(
    heads: NDArray[np.float64], parents: Sequence[int], labels: Sequence[str], pose: Mapping[str, Rotation]
) -> NDArray[np.float64]:
    """Forward kinematics: rest space to posed space for every bone.

    Parameters
    ----------
    heads : ndarray, shape (J, 3), float64
        Joint positions of the rest pose.
    parents : sequence of int
        Parent index of every bone, negative for the root; parents come before children.
    labels : sequence of str
        Bone names.
    pose : mapping of bone name to rotation vector in degrees

    Returns
    -------
    ndarray, shape (J, 3, 4), float64
        Affine transforms ``[R | t]``.
    """
    out = np.zeros((len(heads), 3, 4))
    for bone, (head, parent, label) in enumerate(zip(heads, parents, labels, strict=True)):
        turn = rotation_matrix(pose.get(label, (0.0, 0.0, 0.0)))
        local = np.concatenate([turn, (head - turn @ head)[:, None]], axis=1)
        if parent >= 0:
            above = out[parent]
            local = np.concatenate([above[:, :3] @ turn, (above[:, :3] @ local[:, 3] + above[:, 3])[:, None]], axis=1)
        out[bone] = local
    return out


def skin_vertices(
    rest: NDArray[np.float64], indices: NDArray[np.int64], weights: NDArray[np.float64], transforms: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Linear blend skinning of (V, 3) rest vertices with (V, K) bone indices and weights."""
    blended = np.einsum("vk,vkij->vij", weights, transforms[indices])
    return np.asarray(np.einsum("vij,vj->vi", blended[:, :, :3], rest) + blended[:, :, 3])
