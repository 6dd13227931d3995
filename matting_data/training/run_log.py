"""What a run writes while it trains: rows of numbers and, where TensorBoard is installed, curves and pictures."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from torch import Tensor

from matting_data.storage.atomic import storage_errors, write_bytes
from matting_data.training.run_folder import METRICS, WATCHED, read_rows


class RunLog:
    """Appends to the logs of a run, each row a line that survives the process.

    Parameters
    ----------
    run : Path
        Folder of the run.
    step : int
        Where the run continues: later rows, of steps that are taken again, are dropped; TensorBoard hides later events.

    Attributes
    ----------
    board : SummaryWriter or None
        None without the package ``tensorboard``.
    """

    def __init__(self, run: Path, step: int) -> None:
        self._run = run
        for path in (run / METRICS, run / WATCHED):
            rows = [row for row in read_rows(path) if row["step"] <= step]
            write_bytes(path, "".join(json.dumps(row) + "\n" for row in rows).encode())
        try:
            from torch.utils.tensorboard import SummaryWriter
        except ImportError:
            self.board: Any = None
        else:
            self.board = SummaryWriter(str(run / "tensorboard"), purge_step=step)

    def add(
        self, name: str, step: int, curves: Mapping[str, float | None], more: Mapping[str, float] | None = None
    ) -> None:
        """Append a row to ``METRICS`` or ``WATCHED``; each of `curves` with a value gets a point on the board."""
        path = self._run / name
        with storage_errors(path), open(path, "a", encoding="utf-8") as stream:
            stream.write(json.dumps({"step": step, **curves, **(more or {})}, allow_nan=False) + "\n")
        if self.board is not None:
            group = "train" if name == METRICS else "watched"
            for curve, value in curves.items():
                if value is not None:
                    self.board.add_scalar(f"{group}/{curve}", value, step)

    def show(self, pictures: dict[str, Tensor], step: int) -> None:
        """Add rows of pictures to the board, each N×C×H×W in [0, 1]; those that are not finite are left out."""
        for name, batch in pictures.items():
            if not batch.isfinite().all():
                continue
            self.board.add_images(name, batch.clamp(0, 1).expand(-1, 3, -1, -1), step)

    def close(self) -> None:
        """Write what is left."""
        if self.board is not None:
            self.board.close()
