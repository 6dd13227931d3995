"""What each repository computes, written plainly from ``peers.md``: whole arrays, float64, SciPy and scikit-image.

Nothing here comes from our metrics; ``tests/evaluation/test_conventions.py`` holds ``--like`` against it.
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy import ndimage
from skimage.measure import label

from tests.support import definitions

STEPS = np.arange(0, 1.1, 0.1)
"""As NumPy rounds them: STEPS[6] is 0.6000000000000001."""

TENTHS = np.array([i / 10 for i in range(11)])


def pasted(p: NDArray, trimap: NDArray) -> NDArray:
    return np.where(trimap == 0, 0.0, np.where(trimap == 255, 1.0, p))


def component(mask: NDArray, how: str) -> NDArray | None:
    """The largest component; None where there is none and the repository skips the step."""
    # MATLAB's bwconncomp numbers components column by column
    labels = label(mask.T, connectivity=1).T if how == "matlab" else label(mask, connectivity=1)
    sizes = np.bincount(labels.ravel(), minlength=1)
    if how == "gca":
        return labels == np.argmax(sizes)  # label 0, what lies below the step, takes part
    if labels.max() == 0:
        return None if how in ("matlab", "skip") else np.zeros(mask.shape, bool)
    return labels == 1 + np.argmax(sizes[1:])


def connectivity(p: NDArray, g: NDArray, counts: NDArray, how: str, steps: NDArray = STEPS) -> float:
    l_map = np.full(p.shape, -1.0)
    for i in range(1, 11):
        omega = component((p >= steps[i]) & (g >= steps[i]), how)
        if omega is not None:
            l_map[(l_map == -1) & ~omega] = steps[i - 1]
    l_map[l_map == -1] = 1
    phi = [1 - (m - l_map) * (m - l_map >= 0.15) for m in (p, g)]
    return float(np.abs(phi[0] - phi[1])[counts].sum() / 1000)


def scipy_gradient(p: NDArray, g: NDArray, counts: NDArray) -> float:
    lengths = [np.hypot(*(ndimage.gaussian_filter(m, 1.4, order=order) for order in ([1, 0], [0, 1]))) for m in (p, g)]
    return float(((lengths[0] - lengths[1]) ** 2)[counts].sum() / 10)


def filter2d_gradient(p: NDArray, g: NDArray, counts: NDArray, scaled: bool = True, half: int = 4) -> float:
    h = definitions.kernel(half)
    lengths = []
    for m in (p, g):
        values = definitions.stretched(m) if scaled else m
        x, y = (cv2.filter2D(values, -1, k[::-1, ::-1], borderType=cv2.BORDER_REPLICATE) for k in (h, h.T))
        lengths.append(np.sqrt(x**2 + y**2))
    return float(((lengths[0] - lengths[1]) ** 2)[counts].sum() / 1000)


def matlab(p: NDArray, g: NDArray, trimap: NDArray) -> dict[str, float]:
    u = trimap == 128
    return {
        "mse": ((p - g) ** 2)[u].sum() / u.sum(),
        "sad": np.abs(p - g)[u].sum() / 1000,
        "gradient": filter2d_gradient(p, g, u),
        "connectivity": connectivity(p, g, u, "matlab", TENTHS),
    }


def mmagic(p: NDArray, g: NDArray, trimap: NDArray, steps: NDArray = STEPS) -> dict[str, float]:
    u = trimap == 128
    p = pasted(p, trimap)
    return {
        "mse": ((p - g) ** 2).sum() / u.sum() if u.any() else 0.0,
        "sad": np.abs(p - g).sum() / 1000,
        "gradient": filter2d_gradient(p, g, u),
        "connectivity": connectivity(p, g, u, "port", steps),
    }


def mmagic_script(p: NDArray, g: NDArray, trimap: NDArray | None) -> dict[str, float]:
    if trimap is None:
        u = np.zeros(g.shape, bool)  # a trimap of ones holds no 128
        return mmagic(p, g, np.ones(g.shape, np.uint8), TENTHS) | {"mse": 0.0 if not u.any() else np.nan}
    return mmagic(p, g, trimap, TENTHS)


def paddleseg(p: NDArray, g: NDArray, trimap: NDArray | None) -> dict[str, float]:
    if trimap is None:
        trimap = np.full(g.shape, 128, np.uint8)
    u = trimap == 128
    p = pasted(p, trimap)
    d = (p - g) * u
    return {
        "mse": (d**2).sum() / u.sum() if u.any() else 0.0,
        "sad": np.abs(d).sum() / 1000,
        "gradient": filter2d_gradient(p, g, u),
        "connectivity": connectivity(p, g, u, "port", TENTHS),
    }


def gca(p: NDArray, g: NDArray, trimap: NDArray) -> dict[str, float]:
    u = trimap == 128
    return {
        "mse": ((p - g) ** 2 * u).sum() / (u.sum() + 1e-8),
        "sad": np.abs(p - g)[u].sum() / 1000,
        "gradient": filter2d_gradient(p, g, u, scaled=False),
        "connectivity": connectivity(p, g, u, "gca"),
    }


def gfm(p: NDArray, g: NDArray, trimap: NDArray | None) -> dict[str, float]:
    everywhere = np.ones(g.shape, bool)
    return {
        "mse": ((p - g) ** 2).mean(),
        "mad": np.abs(p - g).mean(),
        "sad": np.abs(p - g).sum() / 1000,
        "gradient": scipy_gradient(p, g, everywhere),
        "connectivity": connectivity(p, g, everywhere, "skip"),
    }


def p3m_trimap(p: NDArray, g: NDArray, trimap: NDArray) -> dict[str, float]:
    p, pixels = pasted(p, trimap), (trimap == 128).sum()
    absolute = np.abs(p - g).sum()
    return {"mse": ((p - g) ** 2).sum() / pixels, "mad": absolute / pixels, "sad": absolute / 1000}


def indexnet(p: NDArray, g: NDArray, trimap: NDArray) -> dict[str, float]:
    u = trimap == 128
    p, g = definitions.stretched(pasted(p, trimap)), definitions.stretched(g)
    return {
        "mse": ((p - g) ** 2)[u].sum() / u.sum(),
        "sad": np.abs(p - g)[u].sum() / 1000,
        "gradient": scipy_gradient(p, g, u),
        "connectivity": connectivity(p, g, u, "skip"),
    }


def lsa(p: NDArray, g: NDArray, trimap: NDArray) -> dict[str, float]:
    u = trimap == 128
    return {
        "mse": ((p - g) ** 2).sum() / u.sum(),
        "sad": np.abs(p - g).sum() / 1000,
        "gradient": filter2d_gradient(p, g, u, half=3),
        "connectivity": connectivity(p, g, u, "skip"),
    }


def rvm(p: NDArray, g: NDArray, trimap: NDArray | None) -> dict[str, float]:
    everywhere = np.ones(g.shape, bool)
    return {
        "mad": np.abs(p - g).mean() * 1e3,
        "mse": ((p - g) ** 2).mean() * 1e3,
        "gradient": filter2d_gradient(p, g, everywhere),
        "connectivity": connectivity(p, g, everywhere, "port", TENTHS),
    }


RULES = {
    "matlab": matlab,
    "mmagic": mmagic,
    "mmagic-script": mmagic_script,
    "paddleseg": paddleseg,
    "gca": gca,
    "gfm": gfm,
    "p3m-trimap": p3m_trimap,
    "indexnet": indexnet,
    "lsa": lsa,
    "rvm": rvm,
}
