"""Inputs made of numbers: soft-edged mattes, photographs, files of odd formats; equal arguments, equal bytes."""

from __future__ import annotations

import io
import struct
import zlib
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

Pixels = NDArray[np.uint8]
PNG_SIGNATURE = b"\x89PNG\r\n\x1a\n"

RECIPE = """name: x
foregrounds:
  sources:
    - {layout: rgba, root: people}
backgrounds:
  sources:
    - {layout: folder, root: photos}
"""
"""The least that a recipe must say."""


def photo(width: int, height: int, seed: int = 0) -> Pixels:
    """H×W×3 uint8: smooth patches of colour with a little grain; two seeds are never near-duplicates."""
    rng = np.random.default_rng([seed, 1])
    coarse = rng.integers(0, 256, (9, 9, 3), dtype=np.uint8)
    smooth = cv2.resize(coarse, (width, height), interpolation=cv2.INTER_LINEAR).astype(np.int16)
    return np.clip(smooth + rng.integers(-6, 7, smooth.shape), 0, 255).astype(np.uint8)


def soft_matte(width: int, height: int, seed: int = 0) -> Pixels:
    """H×W uint8: an opaque body with a soft outline, single hairs, and a clear margin on every side."""
    rng = np.random.default_rng([seed, 2])
    scale = 4
    canvas = np.zeros((height * scale, width * scale), np.uint8)
    centre = (width * scale // 2, height * scale // 2)
    axes = (int(width * scale * rng.uniform(0.2, 0.3)), int(height * scale * rng.uniform(0.25, 0.35)))
    cv2.ellipse(canvas, centre, axes, float(rng.uniform(0, 20)), 0, 360, 255, -1, cv2.LINE_AA)
    for _ in range(12):
        end = rng.uniform(0.12, 0.88, 2) * (width * scale, height * scale)
        cv2.line(canvas, centre, (int(end[0]), int(end[1])), int(rng.integers(80, 256)), 2, cv2.LINE_AA)
    return np.asarray(cv2.resize(canvas, (width, height), interpolation=cv2.INTER_AREA), np.uint8)


def person(width: int = 64, height: int = 80, seed: int = 0) -> tuple[Pixels, Pixels]:
    """A photograph and the matte of the person in it."""
    return photo(width, height, seed + 1000), soft_matte(width, height, seed)


def encoded(pixels: Pixels, form: str, **options: Any) -> bytes:
    """Encode with Pillow; `form` is its name of the format."""
    stream = io.BytesIO()
    Image.fromarray(pixels).save(stream, form, **options)
    return stream.getvalue()


def png_file(pixels: NDArray[np.uint8] | NDArray[np.uint16], extra: bytes = b"") -> bytes:
    """Write a PNG of 8 or 16 bits and 1 to 4 channels from the specification, with `extra` chunks before the data."""
    height, width = pixels.shape[:2]
    channels = pixels.shape[2] if pixels.ndim == 3 else 1
    depth = pixels.dtype.itemsize * 8
    big_endian = pixels.astype(pixels.dtype.newbyteorder(">")).reshape(height, -1)
    rows = b"".join(b"\0" + row.tobytes() for row in big_endian)
    header = png_header(width, height, depth, {1: 0, 2: 4, 3: 2, 4: 6}[channels])
    return header + extra + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")


def png_header(width: int, height: int, depth: int, colour_type: int) -> bytes:
    """Return the signature and the first chunk of a PNG."""
    return PNG_SIGNATURE + chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, depth, colour_type, 0, 0, 0))


def chunk(name: bytes, content: bytes) -> bytes:
    """Return one PNG chunk with its checksum."""
    return struct.pack(">I", len(content)) + name + content + struct.pack(">I", zlib.crc32(name + content))


def exif(orientation: int) -> bytes:
    """Return an EXIF block (TIFF header on) that holds the orientation only."""
    return b"II*\0\x08\0\0\0\x01\0" + struct.pack("<HHIHH", 0x0112, 3, 1, orientation, 0) + b"\0\0\0\0"


def jpeg_with_exif(jpeg: bytes, block: bytes) -> bytes:
    """Insert an EXIF block into a JPEG, directly after its start marker."""
    content = b"Exif\0\0" + block
    return jpeg[:2] + b"\xff\xe1" + struct.pack(">H", len(content) + 2) + content + jpeg[2:]


def save_pairs(root: Path, count: int, width: int = 64, height: int = 80) -> None:
    """Write `count` people as root/image/p0.png … and root/alpha/p0.png …"""
    for number in range(count):
        image, alpha = person(width, height, number)
        write(root / "image" / f"p{number}.png", png_file(image))
        write(root / "alpha" / f"p{number}.png", png_file(alpha))


def save_cutouts(root: Path, count: int, width: int = 64, height: int = 80) -> None:
    """Write `count` people as RGBA cut-outs root/p0.png …"""
    for number in range(count):
        image, alpha = person(width, height, number)
        write(root / f"p{number}.png", png_file(np.dstack([image, alpha])))


def save_photos(root: Path, count: int, width: int = 90, height: int = 70) -> None:
    """Write `count` photographs root/b0.png …"""
    for number in range(count):
        write(root / f"b{number}.png", png_file(photo(width, height, number)))


def write(path: Path, data: bytes) -> Path:
    """Write a file and the folders above it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
    return path
