"""Colours of what no cloth covers: skin, lips, cheeks, nails, eyes, and the scalp under the hair.

Colours are painted on vertices of a twice subdivided mesh, in linear RGB. Where something lies is decided in the
coordinates of the neutral template, so that it follows every phenotype and pose.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from matting_data.people.specs import Color

FloatArray = NDArray[np.float64]

# sRGB skin tones from lightest to darkest.
_TONES = np.array(
    [[236, 200, 180], [226, 181, 152], [205, 153, 119], [158, 106, 76], [106, 68, 48], [74, 47, 35]], dtype=np.float64
)

# The hairline: lowest scalp height in the template, by azimuth in degrees from straight ahead to straight back.
_HAIRLINE_AZIMUTH = (0.0, 25.0, 45.0, 58.0, 70.0, 84.0, 100.0, 116.0, 135.0, 180.0)
_HAIRLINE_HEIGHT = (0.806, 0.803, 0.796, 0.765, 0.735, 0.742, 0.745, 0.700, 0.668, 0.655)
HEAD_CENTRE = np.array([0.0, -0.045, 0.755])


def srgb_to_linear(color: Color | FloatArray) -> FloatArray:
    """Decode sRGB in [0, 1] to linear light; any shape, float64. Source: IEC 61966-2-1."""
    value = np.asarray(color, dtype=np.float64)
    return np.where(value <= 0.04045, value / 12.92, ((value + 0.055) / 1.055) ** 2.4)


def smoothstep(value: FloatArray, low: float, high: float) -> FloatArray:
    """0 below `low`, 1 above `high`, a smooth cubic in between."""
    t = np.clip((value - low) / (high - low), 0.0, 1.0)
    return np.asarray(t * t * (3.0 - 2.0 * t))


def skin_tone(skin: float) -> FloatArray:
    """Linear RGB of a tone between 0 (lightest) and 1 (darkest), shape (3,), float64."""
    at = np.linspace(0.0, 1.0, len(_TONES))
    return srgb_to_linear(np.array([np.interp(skin, at, channel) for channel in _TONES.T]) / 255.0)


def scalp_mask(template: FloatArray, ears: FloatArray, soft: float = 0.006) -> FloatArray:
    """Where hair grows, 0 to 1, shape (V,).

    Parameters
    ----------
    template : ndarray, shape (V, 3), float64
        Positions in the neutral template.
    ears : ndarray, shape (V,), float64
        Ear mask, 0 to 1: ears are never scalp.
    soft : float
        Half width of the hairline in metres.
    """
    relative = template - HEAD_CENTRE
    azimuth = np.degrees(np.arctan2(np.abs(relative[:, 0]), -relative[:, 1]))
    line = np.interp(azimuth, _HAIRLINE_AZIMUTH, _HAIRLINE_HEIGHT)
    above = smoothstep(template[:, 2] - line, -soft, soft)
    return np.asarray(above * (1.0 - smoothstep(ears, 0.1, 0.4)) * (template[:, 2] > 0.63))


def _blob(template: FloatArray, centre: tuple[float, float, float], radius: float) -> FloatArray:
    """A soft spot of given radius, mirrored in x."""
    mirrored = np.abs(template[:, :1])
    gap = np.concatenate([mirrored, template[:, 1:]], axis=1) - np.asarray(centre)
    return np.asarray(np.exp(-(gap**2).sum(axis=1) / (2 * (radius / 2) ** 2)))


def paint_skin(
    template: FloatArray, masks: dict[str, FloatArray], skin: float, hair: Color, *, gender: float, beard: bool
) -> FloatArray:
    """Linear RGB of every body vertex, shape (V, 3), float64 in [0, 1].

    Parameters
    ----------
    template : ndarray, shape (V, 3), float64
    masks : dict of str to ndarray, shape (V,)
        The painted regions of `body.MASKS`.
    skin : float
        Tone, 0 to 1.
    hair : tuple of float
        sRGB hair colour: the scalp takes it on, darkened, so that no skin shines between strands.
    gender : float
        0 male to 1 female; lips get redder with it.
    beard : bool
        Darken the jaw under a beard.
    """
    base = skin_tone(skin)
    color = np.repeat(base[None], len(template), axis=0)
    depth = 1.0 - 0.55 * skin

    def blend(target: FloatArray, amount: FloatArray) -> None:
        color[:] = color + (target - color) * np.clip(amount, 0.0, 1.0)[:, None]

    blush = base * np.array([1.06, 0.74, 0.70])
    blend(blush, 0.55 * depth * _blob(template, (0.045, -0.125, 0.692), 0.040))
    blend(blush, 0.45 * depth * _blob(template, (0.0, -0.168, 0.703), 0.022))
    blend(blush, 0.50 * depth * masks["ears"])
    blend(base * np.array([0.86, 0.74, 0.72]), 0.55 * _blob(template, (0.031, -0.140, 0.715), 0.018))
    lip = base * np.array([0.88, 0.50, 0.50]) + gender * 0.06 * depth * np.array([1.0, 0.12, 0.18])
    blend(lip, 0.85 * masks["lips"])
    blend(base * np.array([0.35, 0.15, 0.14]), masks["inside-mouth"])
    blend(base * np.array([0.9, 0.72, 0.70]) + 0.05, 0.5 * masks["fingernails"])
    blend(base * 0.62, 0.8 * masks["eyelids"])
    under = srgb_to_linear(hair)
    if beard:
        blend(0.55 * under + 0.2 * base, 0.75 * beard_mask(template))
    blend(0.45 * under + 0.05 * base, scalp_mask(template, masks["ears"]))
    return np.clip(color, 0.0, 1.0)


def beard_mask(template: FloatArray) -> FloatArray:
    """Where a beard grows: jaw, chin and upper lip, 0 to 1, shape (V,)."""
    x, y, z = np.abs(template[:, 0]), template[:, 1], template[:, 2]
    top = np.interp(x, (0.0, 0.022, 0.035, 0.055, 0.075), (0.692, 0.686, 0.668, 0.675, 0.725))
    jaw = smoothstep(top - z, -0.003, 0.004) * smoothstep(z, 0.622, 0.634) * smoothstep(-y, 0.055, 0.07)
    mouth = ((x / 0.027) ** 2 + ((z - 0.6655) / 0.0125) ** 2) < 1.0
    return np.asarray(jaw * ~mouth)


def paint_eyes(vertices: FloatArray, centre: FloatArray, gaze: FloatArray, iris: Color) -> FloatArray:
    """Linear RGB of an eyeball: white, iris with a dark rim, pupil; shape (V, 3).

    Parameters
    ----------
    vertices : ndarray, shape (V, 3), float64
        Posed eyeball.
    centre, gaze : ndarray, shape (3,), float64
        Its middle and the unit direction it looks along.
    iris : tuple of float
        sRGB colour.
    """
    away = vertices - centre
    away = away / np.maximum(np.linalg.norm(away, axis=1, keepdims=True), 1e-9)
    angle = np.degrees(np.arccos(np.clip(away @ gaze, -1.0, 1.0)))[:, None]
    white = np.array([0.72, 0.69, 0.66])
    ring = srgb_to_linear(iris)
    color = np.where(angle < 29.0, ring * 0.25, white)
    color = np.where(angle < 26.0, ring * np.interp(angle, (12.0, 24.0), (0.7, 1.3)), color)
    return np.where(angle < 12.5, 0.004, color)
