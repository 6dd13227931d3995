"""What known repositories report under the names of the four metrics, so that a published number can be translated.

Each convention is a handful of choices: which pixels count, whether the trimap's known pixels are pasted into the
prediction first, the filter of the gradient error, what counts as the largest component, and the printed scale.
Everything is computed in float64 or integers; repositories that work in float32 differ from this by their rounding.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from matting_data.errors import UsageError, nearest
from matting_data.metrics.absolute import absolute_sum, squared_sum
from matting_data.metrics.components import LargestRule
from matting_data.metrics.connectivity import ConnectivityRule, connectivity_sum
from matting_data.metrics.gradient import GradientFilter, gaussian_filter, gradient_sum, reference_filter
from matting_data.metrics.mattes import compose, pair, unknown

ACCUMULATED = tuple(np.arange(0, 1.1, 0.1).tolist()[1:])
"""Multiples of 0.1 as ``arange`` rounds them: 0.6000000000000001 is among them, which 153/255 = 0.6 does not reach."""

_BY_ROW = LargestRule(by_column=False)
_EXACT = ConnectivityRule()
_REFERENCE = reference_filter()


@dataclass(frozen=True)
class Convention:
    """How one repository scores.

    Attributes
    ----------
    name : str
        For ``--like``.
    rule : str
        What differs from the reference, in one sentence.
    metrics : tuple of str
        What is reported, of ``mse``, ``mad``, ``sad``, ``gradient`` and ``connectivity``.
    pasted : bool
        The trimap's known pixels are set to 0 and 1 in the prediction first.
    stretched : bool
        Both mattes are stretched to [0, 1] by their own minimum and maximum first, for every metric.
    pixels : {"unknown", "whole sums", "whole"}
        Which pixels count: the unknown ones; those, except that SAD and the sums behind MSE and MAD (still divided by
        the number of unknown pixels) run over the whole image; or all.
    added : float
        Added to the number of pixels against division by zero.
    filter : GradientFilter
        Of the gradient error.
    scaled : bool
        Mattes are stretched for the gradient error.
    gradient_divisor : float
        What the gradient error's sum is divided by.
    connectivity : ConnectivityRule
        Of the connectivity error, which is always divided by 1000.
    mean_factor : float
        What MSE and MAD are multiplied by.
    without_trimap : {"refuse", "whole", "zero"}
        What happens where there is no trimap: an error, every pixel counts, or no pixel counts.
    zero_if_none : bool
        Where no pixel is unknown, the repository prints 0 for what is summed over unknown pixels, instead of dividing
        by 0.
    """

    name: str
    rule: str
    metrics: tuple[str, ...] = ("mse", "sad", "gradient", "connectivity")
    pasted: bool = False
    stretched: bool = False
    pixels: Literal["unknown", "whole sums", "whole"] = "unknown"
    added: float = 0.0
    filter: GradientFilter = _REFERENCE
    scaled: bool = True
    gradient_divisor: float = 1000.0
    connectivity: ConnectivityRule = _EXACT
    mean_factor: float = 1.0
    without_trimap: Literal["refuse", "whole", "zero"] = "refuse"
    zero_if_none: bool = False

    @property
    def uses_trimap(self) -> bool:
        """Tell whether a trimap changes anything."""
        return self.pixels != "whole"

    def score(self, prediction: ArrayLike, truth: ArrayLike, trimap: ArrayLike | None = None) -> dict[str, float]:
        """Compute the scores that the repository would print for one image.

        Parameters
        ----------
        prediction, truth : array_like
            H×W mattes: uint8, uint16, or floating point in [0, 1].
        trimap : array_like, optional
            H×W uint8 of 0, 128 and 255.

        Returns
        -------
        dict
            One value for each of ``metrics``, in the repository's own scale.

        Raises
        ------
        UsageError
            As the metrics; and where the convention counts unknown pixels of which there are none, unless its
            repository then prints 0, as this does too.
        """
        pair(prediction, truth)  # refused before anything is, also where no pixel counts
        region: NDArray[np.bool_] | None = None
        if self.uses_trimap:
            if trimap is not None:
                region = unknown(trimap)
                if self.pasted:
                    prediction = compose(prediction, trimap)
            elif self.without_trimap == "refuse":
                raise UsageError(f"the convention {self.name!r} counts unknown pixels: give it a trimap")
            elif self.without_trimap == "zero":
                region = np.zeros(np.asarray(truth).shape, np.bool_)
        if self.stretched:
            prediction, truth = _stretch(prediction), _stretch(truth)
        if region is not None and not region.any():
            if not self.zero_if_none:
                raise UsageError(
                    f"the trimap has no unknown pixel, and the convention {self.name!r} counts no others: "
                    "leave this image out"
                )
            whole = absolute_sum(pair(prediction, truth)) / 1000 if self.pixels == "whole sums" else 0.0
            return {name: whole if name == "sad" else 0.0 for name in self.metrics}
        shaped = pair(prediction, truth, region)
        summed = pair(prediction, truth) if self.pixels == "whole sums" else shaped
        absolute = absolute_sum(summed)
        per_pixel = self.mean_factor / (shaped.pixels + self.added)
        values = {"mse": squared_sum(summed) * per_pixel, "mad": absolute * per_pixel, "sad": absolute / 1000}
        if "gradient" in self.metrics:
            values["gradient"] = gradient_sum(shaped, self.filter, self.scaled) / self.gradient_divisor
        if "connectivity" in self.metrics:
            values["connectivity"] = connectivity_sum(shaped, self.connectivity) / 1000
        return {name: values[name] for name in self.metrics}


_PORT = ConnectivityRule(_BY_ROW, ACCUMULATED)
_SKIPPING_PORT = ConnectivityRule(LargestRule(by_column=False, skip_empty=True), ACCUMULATED)

CONVENTIONS = {
    convention.name: convention
    for convention in (
        Convention(
            "matlab",
            "the evaluation code of Deep Image Matting: unknown pixels; thresholds that no pixel reaches are skipped",
            connectivity=ConnectivityRule(LargestRule(skip_empty=True)),
        ),
        Convention(
            "mmagic",
            "SAD and the sum of MSE over the whole image after pasting the known pixels; α = 153 misses threshold 0.6",
            pasted=True,
            pixels="whole sums",
            connectivity=_PORT,
            zero_if_none=True,
        ),
        Convention(
            "mmagic-script",
            "as mmagic with exact thresholds; without a trimap MSE, gradient and connectivity are 0",
            pasted=True,
            pixels="whole sums",
            connectivity=ConnectivityRule(_BY_ROW),
            without_trimap="zero",
            zero_if_none=True,
        ),
        Convention(
            "paddleseg",
            "the reference after pasting the known pixels, or over the whole image where there is no trimap",
            pasted=True,
            connectivity=ConnectivityRule(_BY_ROW),
            without_trimap="whole",
            zero_if_none=True,
        ),
        Convention(
            "gca",
            "no stretching; the pixels below a threshold take part as a component, so that connectivity comes out low",
            added=1e-8,
            zero_if_none=True,
            scaled=False,
            connectivity=ConnectivityRule(LargestRule(by_column=False, count_outside=True), ACCUMULATED),
        ),
        Convention(
            "gfm",
            "whole image; SciPy's Gaussian derivative, mirrored borders, divided by 10: about 1.036 of the reference",
            metrics=("mse", "mad", "sad", "gradient", "connectivity"),
            pixels="whole",
            filter=gaussian_filter(),
            scaled=False,
            gradient_divisor=10.0,
            connectivity=_SKIPPING_PORT,
        ),
        Convention(
            "p3m-trimap",
            "SAD over the whole image after pasting the known pixels, MSE and MAD the same sums per unknown pixel",
            metrics=("mse", "mad", "sad"),
            pasted=True,
            pixels="whole sums",
        ),
        Convention(
            "indexnet",
            "the Python code: known pixels pasted, both mattes stretched for every metric, SciPy's Gaussian derivative "
            "divided by 10",
            pasted=True,
            stretched=True,
            filter=gaussian_filter(),
            scaled=False,
            gradient_divisor=10.0,
            connectivity=_SKIPPING_PORT,
        ),
        Convention(
            "lsa",
            "SAD and the sum of MSE over the whole image; a 7×7 filter, which lowers the gradient error by 3 to 4 %",
            pixels="whole sums",
            filter=reference_filter(3),
            connectivity=_SKIPPING_PORT,
        ),
        Convention(
            "rvm",
            "whole image; MAD and MSE times 1000, no SAD",
            metrics=("mad", "mse", "gradient", "connectivity"),
            pixels="whole",
            connectivity=ConnectivityRule(_BY_ROW),
            mean_factor=1000.0,
        ),
    )
}

ALIASES = {"aim": "gfm", "dim": "matlab", "mam": "gca", "mgm": "gca", "p3m": "gfm", "sdmatte": "gca", "sghm": "rvm"}
"""Repositories that share another's code."""


def convention(name: str) -> Convention:
    """Look up the convention of a repository; UsageError with the nearest name for an unknown one."""
    known = ALIASES.get(name.lower(), name.lower())
    if known not in CONVENTIONS:
        names = sorted([*CONVENTIONS, *ALIASES])
        raise UsageError(f"no convention {name!r}{nearest(name, names) or '; choose one of ' + ', '.join(names)}")
    return CONVENTIONS[known]


def _stretch(matte: ArrayLike) -> NDArray[Any]:
    """Stretch to [0, 1] in float64; a constant matte becomes 0."""
    both = pair(matte, matte)
    values = both.prediction.astype(np.float64)
    low, high = values.min(), values.max()
    return np.zeros_like(values) if low == high else (values - low) / (high - low)
