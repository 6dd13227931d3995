"""The paper's equations written once more, in NumPy and from the definitions: slow, plain, float64."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from scipy import ndimage

Array = np.ndarray[Any, np.dtype[np.float64]]
Weights = dict[str, Array]


def conv(x: Array, weight: Array, bias: Array | None = None, stride: int = 1, padding: int | None = None) -> Array:
    """B×I×H×W and O×I×k×k to B×O×H'×W', zeros around."""
    kernel = weight.shape[-1]
    p = kernel // 2 if padding is None else padding
    x = np.pad(x, ((0, 0), (0, 0), (p, p), (p, p)))
    windows = sliding_window_view(x, (kernel, kernel), axis=(2, 3))[:, :, ::stride, ::stride]
    result = np.einsum("bihwkl,oikl->bohw", windows, weight)
    return result if bias is None else result + bias[None, :, None, None]


def batch_norm(x: Array, w: Weights, name: str) -> Array:
    """With running statistics."""
    mean, variance, gamma, beta = (
        w[f"{name}.{part}"][None, :, None, None] for part in ("running_mean", "running_var", "weight", "bias")
    )
    return (x - mean) / np.sqrt(variance + 1e-5) * gamma + beta


def conv_bn_relu(x: Array, w: Weights, name: str) -> Array:
    return np.maximum(batch_norm(conv(x, w[f"{name}.0.weight"]), w, f"{name}.1"), 0)


def sigmoid(x: Array) -> Array:
    return 1 / (1 + np.exp(-x))


def channel_attention(e5: Array, w: Weights) -> Array:
    pooled = e5.sum((2, 3)) / (e5.shape[2] * e5.shape[3])
    middle = np.maximum(pooled @ w["squeeze.weight"][:, :, 0, 0].T + w["squeeze.bias"], 0)
    return sigmoid(middle @ w["excite.weight"][:, :, 0, 0].T + w["excite.bias"])


def sam(matte: Array, image: Array, by_channel: Array, by_place: Array, w: Weights) -> Array:
    """Equations (1) and (2); `by_channel` is B×C."""
    f_in = conv_bn_relu(np.concatenate([matte, image], 1), w, "enter")
    f_c = conv_bn_relu(by_channel[:, :, None, None] * f_in + f_in, w, "channel")
    return conv_bn_relu(by_place * f_c + f_c, w, "spatial")


def conv_lstm(x: Array, h: Array, c: Array, weight: Array, bias: Array) -> tuple[Array, Array]:
    n = x.shape[1]
    z = conv(np.concatenate([x, h], 1), weight, bias)
    i, f, o, g = (z[:, k * n : (k + 1) * n] for k in range(4))
    c = sigmoid(f) * c + sigmoid(i) * np.tanh(g)
    return sigmoid(o) * np.tanh(c), c


def conv_gru(x: Array, h: Array, w: Weights) -> Array:
    n = x.shape[1]
    rz = sigmoid(conv(np.concatenate([x, h], 1), w["gates.weight"], w["gates.bias"]))
    r, z = rz[:, :n], rz[:, n:]
    candidate = np.tanh(conv(np.concatenate([x, r * h], 1), w["candidate.weight"], w["candidate.bias"]))
    return z * h + (1 - z) * candidate


def fem(flaws: Array, e1: Array, features: Array, h: Array, c: Array, w: Weights) -> tuple[Array, Array]:
    """Equation (3) and the ConvLSTM."""
    large = enlarged(e1, features.shape[2], features.shape[3], corners=False)
    joined = np.concatenate([conv_bn_relu(flaws, w, "flaw"), large, features], 1)
    fused = conv_bn_relu(joined, w, "fuse")
    return conv_lstm(fused, h, c, w["recurrent.gates.weight"], w["recurrent.gates.bias"])


def enlarged(x: Array, height: int, width: int, corners: bool) -> Array:
    """Bilinear, as the product with one matrix a side."""
    rows, columns = _matrix(x.shape[2], height, corners), _matrix(x.shape[3], width, corners)
    return np.einsum("Hh,bchw,Ww->bcHW", rows, x, columns)


def _matrix(before: int, after: int, corners: bool) -> Array:
    matrix = np.zeros((after, before))
    for row in range(after):
        if corners:
            place = row * (before - 1) / (after - 1) if after > 1 else 0.0
        else:
            place = max(0.0, (row + 0.5) * before / after - 0.5)
        low = min(int(place), before - 1)
        matrix[row, low] += 1 - (place - low)
        matrix[row, min(low + 1, before - 1)] += place - low
    return matrix


def detector(image: Array, matte: Array, w: Weights) -> Array:
    """GCT's flaw detector, batch norms with running statistics."""
    mean = np.array([0.485, 0.456, 0.406])[None, :, None, None]
    deviation = np.array([0.229, 0.224, 0.225])[None, :, None, None]
    x = np.concatenate([(image - mean) / deviation, matte], 1)
    for number, stride in enumerate((2, 2, 1, 2, 1, 2, 1)):
        name = f"layers.{3 * number}"
        x = conv(x, w[f"{name}.weight"], w[f"{name}.bias"], stride, padding=1)
        half = int(x.shape[1] / 2 + 0.5)
        rest = x[:, half:]
        spread = rest.var((2, 3), keepdims=True)
        rest = (rest - rest.mean((2, 3), keepdims=True)) / np.sqrt(spread + 1e-5)
        x = np.concatenate([batch_norm(x[:, :half], w, f"layers.{3 * number + 1}.batch"), rest], 1)
        x = np.where(x > 0, x, 0.2 * x)
    grid = conv(x, w["classifier.weight"], w["classifier.bias"], 2, padding=1)
    return enlarged(grid, image.shape[2], image.shape[3], corners=True)


def gaussian_plane(side: int) -> Array:
    """GCT's kernel as two dimensions give it: a filtered single pixel."""
    plane = np.zeros((side, side))
    plane[side // 2, side // 2] = 1
    sigma = 0.3 * ((side - 1) / 2 - 1) + 0.8
    return np.asarray(ndimage.gaussian_filter(plane, sigma, mode="reflect"))


def flaw_map(prediction: Array, truth: Array, size: int, dilations: int = 1, mu: float = 1.0) -> Array:
    """B×1×H×W each; step by step, with two-dimensional kernels."""
    result = []
    for p, g in zip(prediction[:, 0], truth[:, 0], strict=True):
        d = _blurred(np.abs(g - p) * mu, size // 8)
        for _ in range(dilations):
            d = ndimage.maximum_filter(d, 3, mode="mirror")
            d = _blurred(d, size // 4)
        result.append((d - d.min()) / (d.max() - d.min() + 1e-9))
    return np.stack(result)[:, None]


def _blurred(plane: Array, side: int) -> Array:
    kernel = gaussian_plane(side + 1 if side % 2 == 0 else side)
    return np.asarray(ndimage.correlate(plane, kernel, mode="mirror"))


def alpha_loss(prediction: Array, truth: Array, unknown: Array, weight: float, epsilon: float) -> float:
    total = 0.0
    for p, g, u in zip(prediction.ravel(), truth.ravel(), unknown.ravel(), strict=True):
        total += (weight if u else 1.0) * ((g - p) ** 2 + epsilon**2) ** 0.5
    return total / prediction.size
