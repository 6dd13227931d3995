"""A hash at the end of ONNX files that are written here, so that damage is found before onnxruntime runs them.

A flipped bit in a weight is a valid ONNX file. The hash is the file's last field, an entry of ``metadata_props`` as any
reader of ONNX shows it: since fields of a protobuf message may follow each other, it can be appended to a whole file,
and is the SHA-256 of all bytes before it.
"""

from __future__ import annotations

import hashlib

from matting_data.errors import DamageError

PRODUCER = "mattingdata"
"""``producer_name`` of files that end with their hash."""

_KEY = b"mattingdata_sha256"
_DIGITS = 64


def _entry(key: bytes, value: bytes) -> bytes:
    """Encode an entry of ``metadata_props`` (field 14 of a model); both texts have fewer than 128 bytes."""
    inner = b"\x0a" + bytes([len(key)]) + key + b"\x12" + bytes([len(value)]) + value
    return b"\x72" + bytes([len(inner)]) + inner


_START = _entry(_KEY, bytes(_DIGITS))[:-_DIGITS]
_LENGTH = len(_START) + _DIGITS
_HEAD = 64  # the producer follows the version of the format, which takes two bytes


def with_hash(model: bytes) -> bytes:
    """Append the hash to an ONNX file whose ``producer_name`` is :data:`PRODUCER`."""
    return model + _entry(_KEY, hashlib.sha256(model).hexdigest().encode())


def require_whole(content: bytes, name: str) -> None:
    """Check an ONNX file that was written here; others pass.

    Raises
    ------
    DamageError
        Its content does not have the hash at its end, or the hash is missing.
    """
    model, seal = content[:-_LENGTH], content[-_LENGTH:]
    if seal.startswith(_START):
        whole = seal[len(_START) :] == hashlib.sha256(model).hexdigest().encode()
    else:
        whole = PRODUCER.encode() not in content[:_HEAD] and _KEY not in content
    if not whole:
        raise DamageError(f"{name} is damaged (its content does not have the SHA-256 at its end): export it again")
