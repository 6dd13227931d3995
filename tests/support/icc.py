"""ICC profiles written from the specification (ICC.1:2010), and what their colours are in sRGB by its formulas."""

from __future__ import annotations

import struct

import numpy as np
from numpy.typing import NDArray

D50 = (0.96420, 1.0, 0.82491)

SRGB = ((0.43607, 0.22249, 0.01392), (0.38515, 0.71687, 0.09708), (0.14307, 0.06061, 0.71410))
DISPLAY_P3 = ((0.51512, 0.24120, -0.00105), (0.29198, 0.69225, 0.04189), (0.15710, 0.06657, 0.78407))
ADOBE_RGB = ((0.60974, 0.31111, 0.01947), (0.20528, 0.62567, 0.06087), (0.14919, 0.06322, 0.74457))
"""XYZ of red, green and blue, adapted to D50."""

SRGB_CURVE = 2.4
"""Stands for sRGB's curve with its linear beginning; other numbers are plain gammas."""


def rgb_profile(name: str, primaries: tuple[tuple[float, float, float], ...], gamma: float) -> bytes:
    """Return a display profile of three primaries and one curve."""
    columns = {b"rXYZ": _xyz(primaries[0]), b"gXYZ": _xyz(primaries[1]), b"bXYZ": _xyz(primaries[2])}
    curves = dict.fromkeys((b"rTRC", b"gTRC", b"bTRC"), _curve(gamma))
    return _profile(b"RGB ", {b"desc": _description(name), b"wtpt": _xyz(D50), **columns, **curves})


def gray_profile(name: str, gamma: float) -> bytes:
    """Return a gray profile of one curve."""
    return _profile(b"GRAY", {b"desc": _description(name), b"wtpt": _xyz(D50), b"kTRC": _curve(gamma)})


def in_srgb(
    colours: NDArray[np.uint8], primaries: tuple[tuple[float, float, float], ...], gamma: float
) -> NDArray[np.float64]:
    """Return colours (… × 3) of a profile as sRGB levels, 0 to 255, not rounded."""
    value = colours / 255.0
    linear = np.where(value <= 0.04045, value / 12.92, ((value + 0.055) / 1.055) ** 2.4) if gamma == SRGB_CURVE else (
        value**gamma
    )  # fmt: skip
    light = np.clip(linear @ np.array(primaries) @ np.linalg.inv(np.array(SRGB)), 0, 1)
    return 255 * np.where(light <= 0.0031308, 12.92 * light, 1.055 * light ** (1 / 2.4) - 0.055)


def _profile(space: bytes, tags: dict[bytes, bytes]) -> bytes:
    place, table, content = 128 + 4 + 12 * len(tags), b"", b""
    for name, tag in tags.items():
        padded = tag + bytes(-len(tag) % 4)
        table += name + struct.pack(">II", place + len(content), len(tag))
        content += padded
    size = place + len(content)
    header = struct.pack(">I4sI4s4s4s12s4s", size, b"lcms", 0x02400000, b"mntr", space, b"XYZ ", bytes(12), b"acsp")
    header += bytes(28) + b"".join(struct.pack(">i", round(v * 65536)) for v in D50)
    return header.ljust(128, b"\0") + struct.pack(">I", len(tags)) + table + content


def _xyz(values: tuple[float, float, float]) -> bytes:
    return b"XYZ \0\0\0\0" + b"".join(struct.pack(">i", round(value * 65536)) for value in values)


def _curve(gamma: float) -> bytes:
    if gamma != SRGB_CURVE:
        return b"curv\0\0\0\0" + struct.pack(">IH", 1, round(gamma * 256)) + b"\0\0"
    value = np.linspace(0, 1, 4096)
    linear = np.where(value <= 0.04045, value / 12.92, ((value + 0.055) / 1.055) ** 2.4)
    return b"curv\0\0\0\0" + struct.pack(">I", 4096) + np.rint(linear * 65535).astype(">u2").tobytes()


def _description(name: str) -> bytes:
    text = name.encode() + b"\0"
    return b"desc\0\0\0\0" + struct.pack(">I", len(text)) + text + bytes(4 + 4 + 2 + 1 + 67)
