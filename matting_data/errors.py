"""The errors a user can meet, each one sentence naming the offending value and the remedy.

The command line prints the sentence and leaves with the class's ``exit_code``; a traceback means a bug in
mattingdata, never a mistake of its user.
"""

from __future__ import annotations

import difflib
import errno
import reprlib
from collections.abc import Iterable, Iterator
from contextlib import contextmanager


class MattingDataError(Exception):
    """Base of all errors raised on purpose; ``str(error)`` is one sentence for the user."""

    exit_code = 2


class UsageError(MattingDataError):
    """A recipe, argument or input that cannot be used as given."""


class MissingExtraError(UsageError):
    """A feature whose optional packages are not installed.

    Parameters
    ----------
    extra : str
        Name of the extra in ``setup.cfg`` that brings the packages.
    what : str
        What is missing, for instance ``"anny and mitsuba"``.
    """

    def __init__(self, extra: str, what: str) -> None:
        super().__init__(f"{what} not installed: run pip install 'mattingdata[{extra}]'")
        self._arguments = extra, what

    def __reduce__(self) -> tuple[type[MissingExtraError], tuple[str, str]]:
        return type(self), self._arguments


class StorageError(MattingDataError):
    """The output cannot be written (read-only, full, in use); what was finished before stays valid."""


class RefusedError(StorageError):
    """The system would not let something be read just now: a failing disk, a server, a missing permission, a limit.

    It tells nothing of the content: neither that an input is damaged, nor that a dataset is.

    Parameters
    ----------
    sentence : str
        What could not be read, why, and the remedy.
    why : str
        The name of the file and the system's words alone, for tables.
    """

    exit_code = 1

    def __init__(self, sentence: str, why: str = "") -> None:
        super().__init__(sentence)
        self.why = why or sentence

    def __reduce__(self) -> tuple[type[RefusedError], tuple[str, str]]:
        return type(self), (str(self), self.why)


class DamageError(MattingDataError):
    """A dataset on disk is not what its index says."""

    exit_code = 1


class RejectedInput(Exception):
    """One input that does not qualify; becomes a ledger row and never reaches the user as an error.

    Parameters
    ----------
    reason : str
        Code in snake_case, the same for all inputs that fail the same check.
    detail : str
        What was found in this input.
    """

    def __init__(self, reason: str, detail: str) -> None:
        super().__init__(detail)
        self.reason = reason
        self.detail = detail

    def __reduce__(self) -> tuple[type[RejectedInput], tuple[str, str]]:
        return type(self), (self.reason, self.detail)


class OutOfMemoryError(MattingDataError):
    """There is not enough memory, or a worker was killed, as for want of it; what was finished before stays valid."""

    exit_code = 1


def wants_memory(error: BaseException) -> bool:
    """Tell whether an error, of whatever library, means that there was not enough memory."""
    text = str(error)
    return (
        isinstance(error, MemoryError)
        or (isinstance(error, OSError) and (error.errno == errno.ENOMEM or text.startswith(_PILLOW_NO_MEMORY)))
        or (isinstance(error, ValueError) and text.endswith(_LIBJPEG_NO_MEMORY))
        or (isinstance(error, ImportError) and ("failed to map segment" in text or "annot allocate memory" in text))
        or (isinstance(error, RuntimeError) and "can't start new thread" in text)
        or (type(error).__module__ == "cv2" and "Insufficient memory" in text)
    )


_PILLOW_NO_MEMORY = "out of memory error"
"""What Pillow says for its decoders' code -9."""

_LIBJPEG_NO_MEMORY = ("Insufficient memory (case 2)", "Insufficient memory (case 4)")
"""What libjpeg says where malloc refused; its other cases are sizes that no image has."""


@contextmanager
def at(key: str) -> Iterator[None]:
    """Name what the block works on in errors of our own: a note with the key that their traceback ends with.

    Blocks within each other add a note each. Errors raised on purpose pass as they are. For want of memory,
    OutOfMemoryError names the key in a sentence.
    """
    try:
        yield
    except (MattingDataError, RejectedInput):
        raise
    except Exception as error:
        if wants_memory(error):
            raise OutOfMemoryError(
                f"not enough memory for {key}: run the same command again with fewer --workers"
            ) from None
        error.add_note(f"mattingdata was at {key}")
        raise


def shown(value: object) -> str:
    """Format a value as ``repr`` does, cutting large ones short: a few aliases of YAML can stand for gigabytes."""
    text = _SHORT.repr(value)
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}..."


_LONGEST = 160
_SHORT = reprlib.Repr()
_SHORT.maxlevel, _SHORT.maxstring, _SHORT.maxother = 3, _LONGEST, _LONGEST


def nearest(word: str, known: Iterable[str]) -> str:
    """Suggest the known word nearest to `word`, case aside: ``"; did you mean 'x'?"``; nothing where none is near."""
    words = {name.casefold(): name for name in known}
    matches = difflib.get_close_matches(word.casefold(), words, n=1, cutoff=0.6)
    return f"; did you mean {words[matches[0]]!r}?" if matches else ""
