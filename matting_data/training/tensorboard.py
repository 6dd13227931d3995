"""Curves and pictures for TensorBoard, where it is installed; the logs of a run hold the numbers in any case."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from torch import Tensor


class Board:
    """Writes events, or nothing where the package ``tensorboard`` is not installed.

    Parameters
    ----------
    folder : Path
    step : int
        Where the run continues: later events are hidden by TensorBoard.
    """

    def __init__(self, folder: Path, step: int) -> None:
        self._writer: Any = None
        try:
            from torch.utils.tensorboard import SummaryWriter
        except ImportError:
            return
        self._writer = SummaryWriter(str(folder), purge_step=step)

    @property
    def writes(self) -> bool:
        """Whether anything is written."""
        return self._writer is not None

    def numbers(self, values: dict[str, float], step: int) -> None:
        """Add a point to each curve."""
        if self._writer is not None:
            for name, value in values.items():
                self._writer.add_scalar(name, value, step)

    def pictures(self, pictures: dict[str, Tensor], step: int) -> None:
        """Add rows of pictures, each N×C×H×W in [0, 1]."""
        if self._writer is not None:
            for name, batch in pictures.items():
                shown = batch.clamp(0, 1).expand(-1, 3, -1, -1)
                self._writer.add_images(name, shown, step)

    def close(self) -> None:
        """Write what is left."""
        if self._writer is not None:
            self._writer.close()
