"""Comparing a file of a dataset with the length and hash that its index gives."""

from __future__ import annotations

from dataclasses import dataclass

from matting_data.errors import RefusedError, StorageError
from matting_data.storage import MissingFileError, NotAFileError, Storage


@dataclass(frozen=True)
class Problem:
    """One thing that is wrong: the file (below the dataset) and what."""

    file: str
    what: str


def check_hash(out: Storage, name: str, sha256: str | None, size: int | None = None) -> list[Problem]:
    """Compare a file's length and hash, as far as they are given.

    RefusedError where the system does not let it be read, or the store cannot be reached: that is no damage.
    """
    try:
        if size is not None and (found := out.info(name).size) != size:
            return [Problem(name, f"has {found} bytes instead of {size}")]
        return (
            []
            if sha256 is None or out.sha256(name) == sha256
            else [Problem(name, "its bytes are not those that were written")]
        )
    except MissingFileError:
        return [Problem(name, "is missing")]
    except NotAFileError as error:
        return [Problem(name, error.what)]
    except StorageError as error:
        if not out.local or isinstance(error, RefusedError):
            raise
        return [Problem(name, str(error))]
