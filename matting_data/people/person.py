"""One person from spec to what a renderer takes: surfaces and strands."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from matting_data.people.body import BodyModel, PosedBody, pose_body
from matting_data.people.clothing import bare_field, dress
from matting_data.people.facial_hair import beard_density, brow_mask, grow_beard, grow_brows, grow_lashes
from matting_data.people.hair import Scalp, grow_hair, grow_wisps
from matting_data.people.mesh import Mesh, catmull_clark, clip, triangulate, vertex_normals
from matting_data.people.scene import Strands, Surface
from matting_data.people.skin import paint_eyes, paint_skin, scalp_mask, srgb_to_linear
from matting_data.people.specs import Color, PersonSpec, generator

FloatArray = NDArray[np.float64]

_IRISES: tuple[Color, ...] = ((0.33, 0.21, 0.12), (0.25, 0.15, 0.09), (0.36, 0.46, 0.55), (0.38, 0.42, 0.27))
# Shades of one head of hair: (share of the strands, brightness).
_SHADES = ((0.4, 1.0), (0.35, 0.78), (0.25, 1.28))


@dataclass(frozen=True)
class Person:
    """Everything of one person that is visible, and where their joints are."""

    surfaces: list[Surface]
    strands: list[Strands]
    posed: PosedBody


def make_person(model: BodyModel, spec: PersonSpec) -> Person:
    """Shape, pose, dress and give hair to one person.

    Parameters
    ----------
    model : BodyModel
    spec : PersonSpec

    Returns
    -------
    Person
    """
    posed = pose_body(model, spec)
    garments = dress(posed.vertices, model.template, model.arm, model.groups, spec.clothing, spec.seed)
    surfaces = [Surface(mesh, "shoe" if index == 0 else "cloth") for index, mesh in enumerate(garments)]
    body = _body_mesh(model, posed, spec)
    bare = clip(body, bare_field(body.attributes["rest"], body.attributes["arm"][:, 0], spec.clothing))
    surfaces.append(Surface(bare, "skin"))
    surfaces.extend(_eyes(model, posed, spec))
    return Person(surfaces, _hair(model, posed, body, spec), posed)


def _body_mesh(model: BodyModel, posed: PosedBody, spec: PersonSpec) -> Mesh:
    names = list(model.masks)
    columns = [posed.vertices, model.template, model.arm[:, None]] + [model.masks[name][:, None] for name in names]
    faces, values = catmull_clark(model.groups["body"], np.concatenate(columns, axis=1), levels=2)
    rest = values[:, 3:6]
    masks = {name: values[:, 7 + index] for index, name in enumerate(names)}
    color = paint_skin(
        rest, masks, spec.phenotype.skin, spec.hair.color, gender=spec.phenotype.gender, beard=spec.hair.beard
    )
    attributes = {"color": color, "rest": rest, "arm": values[:, 6:7], "ears": masks["ears"][:, None]}
    return Mesh(values[:, :3], triangulate(faces), attributes)


def _eyes(model: BodyModel, posed: PosedBody, spec: PersonSpec) -> list[Surface]:
    light = spec.phenotype.skin < 0.35 and spec.phenotype.caucasian > 0.5
    iris = _IRISES[int(generator(spec.seed, 0xE7E).integers(4 if light else 2))]
    gaze = posed.head_rotation @ np.array([0.0, -1.0, 0.0])
    surfaces = []
    for helper, joint in (("helper-l-eye", "eye.L"), ("helper-r-eye", "eye.R")):
        faces, vertices = catmull_clark(model.groups[helper], posed.vertices, levels=3)
        color = paint_eyes(vertices, posed.joints[joint], gaze, iris)
        surfaces.append(Surface(Mesh(vertices, triangulate(faces), {"color": color}), "eye"))
    return surfaces


def _hair(model: BodyModel, posed: PosedBody, body: Mesh, spec: PersonSpec) -> list[Strands]:
    """Head hair in three shades, wisps, brows, lashes, and a beard if there is one."""
    normals = vertex_normals(body.vertices, body.faces)
    rest = body.attributes["rest"]
    scalp = _region(posed, body, normals, scalp_mask(rest, body.attributes["ears"][:, 0]))
    base = np.asarray(srgb_to_linear(spec.hair.color))
    dark = np.minimum(base, 0.6 * base + 0.004)
    seed = spec.seed
    out = _shades(grow_hair(scalp, spec.hair.style, seed), base, seed)
    out.append(_strands(grow_wisps(scalp, spec.hair.style, seed), base))
    out.append(_strands(grow_brows(_region(posed, body, normals, brow_mask(rest)), seed), dark))
    if spec.hair.beard:
        out.append(_strands(grow_beard(_region(posed, body, normals, beard_density(rest)), seed), dark))
    face = body.vertices[(rest[:, 2] > 0.70) & (rest[:, 2] < 0.76) & (rest[:, 1] < -0.08)]
    for name in model.groups:
        if "eyelashes" in name:
            # MakeHuman's first lash strip is the lower lid's.
            share = 0.25 if name.endswith("-1") else 1.0
            out.append(_strands(grow_lashes(posed.vertices, model.groups[name], face, seed, share), 0.3 * dark))
    return out


def _region(posed: PosedBody, body: Mesh, normals: FloatArray, density: FloatArray) -> Scalp:
    """The faces where `density` is positive, with head, neck and shoulders as obstacles."""
    rest = body.attributes["rest"]
    near = (rest[:, 2] > 0.30) & (body.attributes["arm"][:, 0] < 0.6) & (np.abs(rest[:, 0]) < 0.25)
    near &= np.arange(len(rest)) % 6 == 0
    faces = body.faces[density[body.faces].max(axis=1) > 0.02]
    used, inverse = np.unique(faces, return_inverse=True)
    return Scalp(
        vertices=body.vertices[used],
        normals=normals[used],
        rest=rest[used],
        faces=inverse.reshape(faces.shape).astype(np.int64),
        density=density[used],
        head_rotation=posed.head_rotation,
        obstacle=body.vertices[near],
        obstacle_normals=normals[near],
        # Below the neck there are clothes between hair and skin.
        clearance=np.where(rest[near, 2] > 0.58, 0.003, 0.020),
    )


def _shades(grown: tuple[FloatArray, FloatArray], base: FloatArray, seed: int) -> list[Strands]:
    points, radii = grown
    edges = np.cumsum([0.0] + [share for share, _ in _SHADES])
    draw = generator(seed, 0x5AD).random(len(points))
    out = []
    for (low, high), (_, brightness) in zip(pairwise(edges), _SHADES, strict=True):
        chosen = (draw >= low) & (draw < high)
        out.append(_strands((points[chosen], radii[chosen]), base * brightness))
    return out


def _strands(grown: tuple[FloatArray, FloatArray], color: FloatArray) -> Strands:
    red, green, blue = (float(channel) for channel in np.clip(color, 0.0, 1.0))
    return Strands(grown[0], grown[1], (red, green, blue))
