"""Sessions of onnxruntime, and models that are opened on first use: once in each process, since none can be pickled."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from matting_data.detectors.onnx_seal import require_whole
from matting_data.errors import UsageError
from matting_data.storage.regular_files import read_regular

if TYPE_CHECKING:
    import onnxruntime

Opened = TypeVar("Opened")


class PerProcess(Generic[Opened]):
    """Call `opens` when its value is first asked for, and again after pickling or ``fork``.

    Parameters
    ----------
    opens : callable
        Picklable when this is to be.
    """

    def __init__(self, opens: Callable[[], Opened]) -> None:
        self._opens = opens
        self._opened: Opened | None = None
        self._owner = -1

    def __call__(self) -> Opened:
        """Give the opened value; what opening raises is passed on."""
        if self._opened is None or self._owner != os.getpid():
            self._opened = self._opens()
            self._owner = os.getpid()
        return self._opened

    def __getstate__(self) -> dict[str, Any]:
        return {"_opens": self._opens, "_opened": None, "_owner": -1}


def open_session(
    model: Path | bytes, providers: Sequence[str] = ("CPUExecutionProvider",), sizes_vary: bool = False
) -> onnxruntime.InferenceSession:
    """Open an ONNX file, or the content of one, for inference on one thread.

    Workers are processes: a pool of threads in each would fight over the same cores.

    Parameters
    ----------
    model : Path or bytes
    providers : sequence of str
        In order of preference.
    sizes_vary : bool
        Whether pictures of many sizes will come: onnxruntime would cache a memory plan for each.

    Raises
    ------
    UsageError
        onnxruntime cannot open it, or lacks a provider.
    DamageError
        It was exported by this package, and is not what was written.
    """
    import onnxruntime

    known = onnxruntime.get_available_providers()
    missing = [name for name in providers if name not in known]
    if missing:
        raise UsageError(
            f"this onnxruntime has no provider {missing[0]!r} (it has {', '.join(known)}): name one of these, or "
            "install the onnxruntime package that brings it"
        )
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.enable_mem_pattern = not sizes_vary
    options.log_severity_level = 4
    if isinstance(model, Path):
        try:
            require_whole(read_regular(model), str(model))
        except OSError as error:
            raise UsageError(f"the ONNX file {model} cannot be read ({error.strerror}): name another") from None
    try:
        source = str(model) if isinstance(model, Path) else model
        return onnxruntime.InferenceSession(source, sess_options=options, providers=list(providers))
    except Exception as error:
        name = model if isinstance(model, Path) else "the network"
        raise UsageError(
            f"{name} is not an ONNX file that onnxruntime can open ({first_line(error)}): export or download it again"
        ) from error


def first_line(error: Exception) -> str:
    """Shorten an error of a library to what fits into a sentence."""
    return (str(error).strip().splitlines() or [type(error).__name__])[0][:200]
