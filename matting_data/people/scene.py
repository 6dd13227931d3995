"""The Mitsuba scene: shapes, materials, lights, camera, and one path-traced RGBA image.

``scalar_rgb`` needs no JIT or GPU library. The box filter with hidden emitters makes the alpha channel exactly
the share of samples that hit the person, i.e. pixel coverage in steps of 1 / samples.
"""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from matting_data.errors import MissingExtraError
from matting_data.people.mesh import Mesh, vertex_normals

FloatArray = NDArray[np.float64]


@dataclass(frozen=True)
class Surface:
    """A mesh with a ``color`` attribute and the material it is made of: ``skin``, ``cloth``, ``eye`` or ``shoe``."""

    mesh: Mesh
    material: str


@dataclass(frozen=True)
class Strands:
    """Hair strands of one colour.

    Parameters
    ----------
    points : ndarray, shape (N, K, 3), float64
        Control points of N cubic B-spline curves, root first.
    radii : ndarray, shape (N, K), float64
        Metres.
    color : tuple of float
        Linear RGB albedo of a lock of this hair.
    """

    points: FloatArray
    radii: FloatArray
    color: tuple[float, float, float]


@dataclass(frozen=True)
class Camera:
    """A camera at (x, -distance, z) looking along +y; ``fov`` is the vertical angle in degrees."""

    x: float
    z: float
    distance: float
    fov: float


# Light is traced to its first bounce only: among thousands of strands every further one doubles the time, and what
# it would add is close to an even brightening, which this factor on all lights stands for.
_DEPTH, _EXPOSURE = 2, 1.2

_MATERIALS: dict[str, dict[str, Any]] = {
    "skin": {"roughness": 0.48, "specular": 0.40},
    "cloth": {"roughness": 0.90, "specular": 0.15, "sheen": 0.5},
    "eye": {"roughness": 0.06, "specular": 0.60},
    "shoe": {"roughness": 0.55, "specular": 0.40},
}

# Sky, horizon and ground of the surroundings (linear RGB), then lamps as (direction from the person, size in
# metres, radiance).
_Lamp = tuple[tuple[float, float, float], float, tuple[float, float, float]]
_LIGHTS: dict[str, tuple[tuple[tuple[float, float, float], ...], tuple[_Lamp, ...]]] = {
    "studio": (
        ((0.42, 0.43, 0.45), (0.34, 0.34, 0.35), (0.20, 0.19, 0.18)),
        (((-1.5, -2.2, 1.3), 1.2, (5.2, 5.0, 4.7)), ((1.8, 1.9, 1.4), 1.0, (6.0, 6.0, 6.3))),
    ),
    "daylight": (
        ((0.55, 0.68, 0.90), (0.50, 0.52, 0.54), (0.26, 0.25, 0.21)),
        (((2.0, -2.0, 2.4), 0.8, (14.0, 12.6, 10.6)),),
    ),
    "overcast": (
        ((0.80, 0.83, 0.88), (0.50, 0.52, 0.54), (0.26, 0.25, 0.24)),
        (((-0.5, -2.5, 2.2), 1.6, (1.4, 1.4, 1.5)),),
    ),
    "evening": (
        ((0.34, 0.38, 0.52), (0.44, 0.38, 0.34), (0.20, 0.17, 0.15)),
        (((-2.2, -1.5, 0.9), 0.9, (11.0, 7.8, 5.0)), ((2.0, 1.6, 1.2), 0.9, (4.0, 4.6, 6.4))),
    ),
}


def load_mitsuba() -> Any:
    """Import Mitsuba with its scalar variant.

    Raises
    ------
    MissingExtraError
        If mitsuba is not installed.
    """
    try:
        import mitsuba
    except ImportError as error:
        raise MissingExtraError("people", "anny and mitsuba") from error
    if mitsuba.variant() != "scalar_rgb":
        mitsuba.set_variant("scalar_rgb")
    mitsuba.set_log_level(mitsuba.LogLevel.Error)
    return mitsuba


def render_scene(
    surfaces: list[Surface],
    strands: list[Strands],
    camera: Camera,
    lighting: str,
    *,
    width: int,
    height: int,
    samples: int,
    seed: int,
) -> NDArray[np.float32]:
    """Path-trace one picture.

    Parameters
    ----------
    surfaces, strands : list
        Everything visible.
    camera : Camera
    lighting : str
        A name from `specs.LIGHTINGS`.
    width, height, samples : int
        Pixels, and samples a pixel.
    seed : int
        Seed of the pixel sampler.

    Returns
    -------
    ndarray, shape (height, width, 4), float32
        Premultiplied linear RGB and alpha.

    Raises
    ------
    MissingExtraError
        If mitsuba is not installed.
    """
    mi = load_mitsuba()
    target = [camera.x, 0.0, camera.z]
    scene: dict[str, Any] = {
        "type": "scene",
        "integrator": {"type": "path", "max_depth": _DEPTH, "hide_emitters": True},
        "sensor": {
            "type": "perspective",
            "fov": camera.fov,
            "fov_axis": "y",
            "to_world": mi.ScalarTransform4f().look_at(
                origin=[camera.x, -camera.distance, camera.z], target=target, up=[0, 0, 1]
            ),
            "film": {
                "type": "hdrfilm",
                "width": width,
                "height": height,
                "pixel_format": "rgba",
                "component_format": "float32",
                "rfilter": {"type": "box"},
            },
            "sampler": {"type": "multijitter", "sample_count": samples, "seed": seed % 2**31},
        },
    }
    scene.update(_lights(mi, lighting, camera))
    for index, surface in enumerate(surfaces):
        scene[f"surface{index}"] = _mesh(mi, surface)
    with tempfile.TemporaryDirectory(prefix="mattingdata-") as folder:
        for index, lock in enumerate(strands):
            path = Path(folder) / f"strands{index}.txt"
            _write_curves(path, lock)
            scene[f"strands{index}"] = {
                "type": "bsplinecurve",
                "filename": str(path),
                "bsdf": _hair_material(lock.color),
            }
        loaded = mi.load_dict(scene)
    return np.array(mi.render(loaded, spp=samples, seed=seed % 2**31), dtype=np.float32)


def _hair_material(color: tuple[float, float, float]) -> dict[str, Any]:
    return {
        "type": "principled",
        "base_color": {"type": "rgb", "value": list(color)},
        "roughness": 0.38,
        "specular": 0.5,
        "spec_tint": 0.35,
    }


def _mesh(mi: Any, surface: Surface) -> Any:
    material = {
        "type": "twosided",
        "nested": {
            "type": "principled",
            "base_color": {"type": "mesh_attribute", "name": "vertex_color"},
            **_MATERIALS[surface.material],
        },
    }
    props = mi.Properties()
    props["mesh_bsdf"] = mi.load_dict(material)
    mesh = surface.mesh
    shape = mi.Mesh(
        surface.material,
        vertex_count=len(mesh.vertices),
        face_count=len(mesh.faces),
        has_vertex_normals=True,
        has_vertex_texcoords=False,
        props=props,
    )
    shape.add_attribute("vertex_color", 3, mesh.attributes["color"].astype(np.float32).ravel())
    params = mi.traverse(shape)
    params["vertex_positions"] = mesh.vertices.astype(np.float32).ravel()
    params["vertex_normals"] = vertex_normals(mesh.vertices, mesh.faces).astype(np.float32).ravel()
    params["faces"] = mesh.faces.astype(np.uint32).ravel()
    params.update()
    return shape


def _write_curves(path: Path, lock: Strands) -> None:
    """Mitsuba's curve text format: ``x y z radius`` a line, a blank line between curves.

    A cubic B-spline does not reach its first and last control points; repeating them ties root and tip down.
    Mitsuba up to 3.9.1 reads one segment too far when a ray meets the very tip of a file's last curve (mended
    after that by pull request 1928), which can crash; so the last curve is one that no ray meets.
    """
    rows = np.concatenate([lock.points, lock.radii[..., None]], axis=2)
    rows = np.concatenate([rows[:, :1], rows, rows[:, -1:]], axis=1)
    line = "%.5f %.5f %.5f %.6f\n" * rows.shape[1] + "\n"
    with path.open("w", encoding="ascii") as out:
        for strand in rows:
            out.write(line % tuple(strand.reshape(-1)))
        out.writelines(f"0 0 {-0.5 - 1e-5 * step:.5f} 1e-8\n" for step in range(6))


def _lights(mi: Any, lighting: str, camera: Camera) -> dict[str, Any]:
    (sky, horizon, ground), lamps = _LIGHTS[lighting]
    rows = np.linspace(1.0, -1.0, 64)[:, None]
    up = np.clip(rows, 0.0, 1.0) ** 0.6
    down = np.clip(-rows, 0.0, 1.0) ** 0.5
    column = np.asarray(horizon) + (np.asarray(sky) - horizon) * up + (np.asarray(ground) - horizon) * down
    image = np.repeat(_EXPOSURE * column[:, None], 128, axis=1).astype(np.float32)
    out: dict[str, Any] = {
        "surroundings": {
            "type": "envmap",
            "bitmap": mi.Bitmap(image),
            # The map's up is +y; the scene's is +z.
            "to_world": mi.ScalarTransform4f().rotate([1, 0, 0], 90),
        }
    }
    centre = np.array([camera.x, 0.0, camera.z])
    # Lamps scale with the distance, so that a portrait and a full figure are lit alike.
    reach = max(1.0, camera.distance / 3.0)
    for index, (direction, size, radiance) in enumerate(lamps):
        position = centre + np.asarray(direction) * reach
        out[f"lamp{index}"] = {
            "type": "rectangle",
            "to_world": mi.ScalarTransform4f().look_at(origin=position.tolist(), target=centre.tolist(), up=[0, 0, 1])
            @ mi.ScalarTransform4f().scale([float(size * reach / 2)] * 3),
            "emitter": {
                "type": "area",
                "radiance": {"type": "rgb", "value": [_EXPOSURE * float(channel) for channel in radiance]},
            },
        }
    return out
