"""Metrics for training loops, in the manner of torchmetrics: ``update`` with batches, ``compute`` at the end.

The numbers are those of :mod:`matting_data.metrics`, computed on the processor; torch is needed only here. States are
sums in float64, so that processes of a distributed run are joined by adding them up.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from matting_data.errors import UsageError, nearest
from matting_data.evaluation.scoring import METRICS, raw_values
from matting_data.readers.tensors import import_torch


class MattingMetrics:
    """Means over images of any of the five metrics; can be copied and pickled with what it has taken so far.

    Parameters
    ----------
    metrics : sequence of str
        Of ``mse``, ``mad``, ``sad``, ``gradient`` and ``connectivity``; unscaled (sums for the last three).
    prefix : str
        Put before each name in what ``compute`` returns, for instance ``"val/"``.

    Raises
    ------
    MissingExtraError
        torch is not installed.
    UsageError
        An unknown metric.

    Examples
    --------
    >>> metrics = MattingMetrics(("sad", "mse"), prefix="val/")  # doctest: +SKIP
    >>> for image, alpha in loader:  # doctest: +SKIP
    ...     metrics.update(network(image), alpha)
    >>> logger.log(metrics.compute())  # doctest: +SKIP
    >>> metrics.reset()  # doctest: +SKIP
    """

    def __init__(self, metrics: Sequence[str] = METRICS, prefix: str = "") -> None:
        import_torch()
        for name in metrics:
            if name not in METRICS:
                raise UsageError(f"no metric {name!r}{nearest(name, METRICS) or '; choose of ' + ', '.join(METRICS)}")
        self._names = tuple(metrics)
        self._prefix = prefix
        self.reset()

    def reset(self) -> None:
        """Forget everything, at the start of an epoch."""
        self._sums = np.zeros(len(self._names))
        self._images = 0

    def update(self, prediction: Any, truth: Any, region: Any = None) -> None:
        """Take a batch.

        Parameters
        ----------
        prediction, truth : Tensor
            N×1×H×W, N×H×W or H×W, on any device; uint8, or floating point in [0, 1] (bfloat16 included).
        region : Tensor of bool, optional
            Of the same shape; the pixels that count. An image without any is refused, not skipped.
        """
        self._take(self._scores(prediction, truth, region))

    def __call__(self, prediction: Any, truth: Any, region: Any = None) -> dict[str, Any]:
        """Take a batch and return the means over it alone; each image is scored once."""
        scores = self._scores(prediction, truth, region)
        self._take(scores)
        return self._result(scores.sum(axis=0), len(scores))

    def compute(self) -> dict[str, Any]:
        """Compute the means over all images since the last reset, as float64 tensors without dimensions.

        In a distributed run the images of all processes count, and every process must call it.

        Raises
        ------
        UsageError
            No image was taken.
        """
        torch = import_torch()
        state = torch.tensor([*self._sums, self._images], dtype=torch.float64)
        distributed = torch.distributed
        if distributed.is_available() and distributed.is_initialized():
            if distributed.get_backend() == "nccl":
                state = state.cuda()
            distributed.all_reduce(state)
            state = state.cpu()
        sums, images = state[:-1].numpy(), int(state[-1])
        if not images:
            raise UsageError("no image was taken since the last reset: call update before compute")
        return self._result(sums, images)

    def _result(self, sums: NDArray[np.float64], images: int) -> dict[str, Any]:
        torch = import_torch()
        return {
            f"{self._prefix}{name}": torch.tensor(total / images, dtype=torch.float64)
            for name, total in zip(self._names, sums.tolist(), strict=True)
        }

    def _take(self, scores: NDArray[np.float64]) -> None:
        self._sums += scores.sum(axis=0)
        self._images += len(scores)

    def _scores(self, prediction: Any, truth: Any, region: Any) -> NDArray[np.float64]:
        predictions, truths = self._planes(prediction, "prediction"), self._planes(truth, "truth")
        if len(predictions) != len(truths):
            raise UsageError(f"there are {len(predictions)} predictions for {len(truths)} truths: give one of each")
        regions: Any = [None] * len(truths) if region is None else self._planes(region, "region")
        if len(regions) != len(truths):
            raise UsageError(f"there are {len(regions)} regions for {len(truths)} truths: give one of each")
        rows = []
        for p, g, r in zip(predictions, truths, regions, strict=True):
            values, _ = raw_values(p, g, r, self._names)
            rows.append([values[name] for name in self._names])
        return np.array(rows, np.float64).reshape(len(rows), len(self._names))

    def _planes(self, batch: Any, name: str) -> NDArray[Any]:
        """Convert a batch to an N×H×W array."""
        torch = import_torch()
        if isinstance(batch, torch.Tensor):
            batch = batch.detach().cpu()
            batch = (batch.float() if batch.dtype == torch.bfloat16 else batch).numpy()
        array = np.asarray(batch)
        if array.ndim == 4 and array.shape[1] == 1:
            return array[:, 0]
        if array.ndim in (2, 3):
            return array.reshape(-1, *array.shape[-2:])
        raise UsageError(f"the {name} has shape {array.shape}: pass N×1×H×W, N×H×W or H×W")
