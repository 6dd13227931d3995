"""Errors on their way from a worker to the process that started it."""

from __future__ import annotations

import pickle
import traceback


class WorkerTraceback(Exception):
    """The traceback of an error in its worker, as text: the cause of the same error where it is raised again."""

    def __str__(self) -> str:
        return f"\n{self.args[0]}"


def portable(error: Exception) -> tuple[Exception, str]:
    """Pair an error, as far as it can be pickled, with its traceback as text.

    One that cannot be sent becomes a RuntimeError with its name, message and notes.
    """
    text = "".join(traceback.format_exception(error))
    try:
        pickle.loads(pickle.dumps(error))
    except Exception:  # a class's own methods run here, and may raise anything
        stand_in = RuntimeError(f"{type(error).__name__}: {error}")
        for note in getattr(error, "__notes__", ()):
            stand_in.add_note(note)
        return stand_in, text
    return error, text
