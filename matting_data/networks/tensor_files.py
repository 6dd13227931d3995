"""Files of tensors that carry a hash of all they hold: safetensors, or torch's own format without any code in it.

Neither format notices a flipped bit in its tensors, so that damaged weights would load and give worse mattes. What is
written here holds the SHA-256 of its content under :data:`HASH`, and :func:`require_hash` compares the two on loading.
"""

from __future__ import annotations

import functools
import hashlib
import io
import json
import logging
import struct
import zipfile
from collections.abc import Collection, Mapping
from pickle import UnpicklingError
from typing import Any

import torch
from torch import Tensor

from matting_data.errors import DamageError, MissingExtraError

HASH = "sha256"
"""Key of the hash in a document, and in the metadata of safetensors."""

_DEPTH = 50
_SHARED = 8
"""How often, on average, the numbers of a file may occur in what it holds: parts of a network can share weights."""

_LENGTH = struct.Struct("<Q")

_LOG = logging.getLogger(__package__)


class Unreadable(Exception):
    """The bytes are no file of tensors, for the reason given; `code` where they hold code, which is never run."""

    def __init__(self, reason: str, code: bool = False) -> None:
        super().__init__(reason)
        self.code = code


def document_sha256(document: object) -> str:
    """Hash mappings, sequences, tensors and plain values: equal exactly when two documents are.

    Tensors count by type, shape and bytes, mappings in the order of their keys.
    """
    digest = hashlib.sha256()
    _feed(digest, document)
    return digest.hexdigest()


def torch_bytes(document: Mapping[str, Any]) -> bytes:
    """Encode a document in torch's format, with its hash."""
    stream = io.BytesIO()
    torch.save({**document, HASH: document_sha256(document)}, stream)
    return stream.getvalue()


def safetensors_bytes(state: Mapping[str, Tensor], metadata: Mapping[str, str]) -> bytes:
    """Encode tensors as safetensors; the hash in their metadata covers the rest of it, too."""
    digest = document_sha256({**metadata, "tensors": dict(state)})
    return bytes(safetensors_torch().save(dict(state), {**metadata, HASH: digest}))


def parse_torch(data: bytes) -> Any:
    """Decode torch's format, without running code; tensors lie on the CPU.

    Raises
    ------
    Unreadable
        Something else, code, or tensors that would take more memory than the file has bytes.
    """
    _require_uncompressed(data)
    try:
        document = torch.load(io.BytesIO(data), map_location="cpu", weights_only=True)
    except Exception as error:  # torch reports damage and refused code by a dozen types
        code = "Unsupported global" in str(error)
        raise Unreadable("no weights" if isinstance(error, UnpicklingError) else _first_line(error), code) from None
    _require_plain_tensors(document, len(data))
    return document


def parse_safetensors(data: bytes) -> tuple[dict[str, Tensor], dict[str, str]]:
    """Decode the tensors, and the metadata, of safetensors; Unreadable where it is something else."""
    safetensors = safetensors_torch()
    from safetensors import SafetensorError

    try:
        state = dict(safetensors.load(data))
        (length,) = _LENGTH.unpack_from(data)
        metadata = json.loads(data[_LENGTH.size : _LENGTH.size + length]).get("__metadata__") or {}
    except (SafetensorError, ValueError, KeyError, struct.error, RecursionError) as error:
        raise Unreadable(_first_line(error)) from None
    return state, metadata


def require_hash(document: Mapping[str, Any], name: str, remedy: str, before: Collection[str]) -> dict[str, Any]:
    """Check a document against the hash in it.

    Parameters
    ----------
    document : mapping
    name : str
        Of the file, for sentences.
    remedy : str
        What to do where it is damaged.
    before : collection of str
        The keys of documents from before there were hashes: one of these without a hash passes, and the log says so.

    Returns
    -------
    dict
        The document without its hash.

    Raises
    ------
    DamageError
        It is not what was written.
    """
    rest = {key: value for key, value in document.items() if key != HASH}
    if HASH not in document and set(rest) <= set(before):
        _say_unchecked(name)
    elif document.get(HASH) != document_sha256(rest):
        raise DamageError(f"{name} is damaged (its content does not have the SHA-256 that it names): {remedy}")
    return rest


def safetensors_torch() -> Any:
    """Import the module ``safetensors.torch``, or raise the MissingExtraError that names its extra."""
    try:
        import safetensors.torch
    except ImportError:
        raise MissingExtraError("torch", "safetensors is") from None
    return safetensors.torch


def _first_line(error: Exception) -> str:
    """Shorten an error of a library to what fits into a sentence."""
    return (str(error).splitlines() or [type(error).__name__])[0].partition(". ")[0][:200]


@functools.cache
def _say_unchecked(name: str) -> None:
    _LOG.warning("note: %s is of an earlier version and holds no hash: whether it is damaged cannot be told", name)


def _feed(digest: Any, value: object) -> None:
    if isinstance(value, Tensor):
        tensor = value.detach().cpu().contiguous()
        digest.update(f"tensor {tensor.dtype} {tuple(tensor.shape)}\n".encode())
        digest.update(tensor.reshape(-1).view(torch.uint8).numpy().data)
    elif isinstance(value, Mapping):
        digest.update(f"mapping {len(value)}\n".encode())
        for key in sorted(value, key=lambda key: (type(key).__name__, repr(key))):
            _feed(digest, key)
            _feed(digest, value[key])
    elif isinstance(value, (list, tuple)):
        digest.update(f"sequence {len(value)}\n".encode())
        for each in value:
            _feed(digest, each)
    else:
        digest.update(f"{type(value).__name__} {value!r}\n".encode())


def _require_uncompressed(data: bytes) -> None:
    """Refuse archives that torch does not write: compressed or overlapping records can stand for any size."""
    if not data.startswith(b"PK"):
        return
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            records = archive.infolist()
    except (zipfile.BadZipFile, ValueError, NotImplementedError, struct.error) as error:
        raise Unreadable(_first_line(error)) from None
    if any(each.compress_type != zipfile.ZIP_STORED for each in records) or (
        sum(each.file_size for each in records) > len(data)
    ):
        raise Unreadable("its records are compressed, or overlap")


def _require_plain_tensors(document: object, size: int) -> None:
    """Refuse what no file of this size can hold: views that repeat numbers, lists that hold themselves, deep nests."""
    waiting, visits, total = [(document, 0)], 0, 0
    while waiting:
        value, depth = waiting.pop()
        visits += 1
        if isinstance(value, Tensor):
            plain = value.layout == torch.strided and value.device.type == "cpu" and not value.is_quantized
            if not plain or value.is_complex():
                raise Unreadable("it holds tensors that are not dense real numbers")
            total += value.numel() * value.element_size()
        elif isinstance(value, Mapping):
            waiting.extend((each, depth + 1) for each in value.values())
        elif isinstance(value, (list, tuple)):
            waiting.extend((each, depth + 1) for each in value)
        if depth > _DEPTH or len(waiting) + visits > size or total > _SHARED * size:
            raise Unreadable("it is nested in itself, or stands for more numbers than the file has bytes")
