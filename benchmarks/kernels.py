"""Time of each compiled kernel beside the library call, or plain NumPy, that it replaces, in one thread.

    python -m benchmarks.kernels [--repeats 15] [--json]

On a foreground and a background of the sizes of ``benchmarks.composite``, real ones where the shared data is at hand.
A kernel and what it replaces take turns, and each counts with its best run, in processor time. Their results are
compared before: the same pixels, or for the cubic window at most two levels from OpenCV's.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from benchmarks.inputs import write_backgrounds, write_foregrounds
from matting_data.imaging.composite import over, over_window, premultiply
from matting_data.imaging.decode import decode, to_alpha8, to_rgb8
from matting_data.imaging.geometry import place
from matting_data.imaging.kernels import bitmask
from matting_data.imaging.kernels.resample import cubic_window
from matting_data.imaging.kernels.run_png import run_png
from matting_data.imaging.kernels.run_png_reader import read_run_png
from matting_data.imaging.kernels.trimap_png import trimap_png

SIZE = (1366, 1024)
ELLIPSE_SIDE = 25

Plane = NDArray[np.uint8]


class Pair(NamedTuple):
    """A kernel and what it replaces; `read` turns the result of either into pixels, `tolerance` is in levels."""

    kernel: str
    replaced: str
    ours: Callable[[], Any]
    theirs: Callable[[], Any]
    read: Callable[[Any], Plane] = np.asarray
    tolerance: int = 0


def main() -> None:
    """Compare all pairs, time them and print milliseconds."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--repeats", type=int, default=15, help="the best of this many runs counts")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    cv2.setNumThreads(1)
    image, alpha, photo = pictures()
    rows = []
    for pair in [*compositing(image, alpha, photo), *masks(alpha), *files(alpha)]:
        ours, theirs = (pair.read(function()).astype(int) for function in (pair.ours, pair.theirs))
        if np.abs(ours - theirs).max() > pair.tolerance:
            raise SystemExit(f"{pair.kernel}: its pixels are not those of {pair.replaced}")
        rows.append((pair.kernel, best_times(pair, options.repeats), pair.replaced))
    if options.json:
        table = [{"kernel": k, "ms": t[0], "replaced": r, "replaced_ms": t[1]} for k, t, r in rows]
        print(json.dumps({"size": SIZE, "kernels": table}, indent=1))
        return
    print(f"{SIZE[0]}×{SIZE[1]}, one thread, milliseconds of the processor")
    for kernel, (own, other), replaced in rows:
        print(f"{kernel:30}{own:8.2f}   {replaced:34}{other:8.2f}{other / own:8.1f} ×")


def pictures() -> tuple[Plane, Plane, Plane]:
    """Make a foreground, its alpha, and a background whose longer side is 1024 pixels."""
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        write_foregrounds(root / "people", SIZE, 1)
        write_backgrounds(root / "photos", 1)
        image, alpha, photo = (
            decode(next((root / name).iterdir()).read_bytes()) for name in ("people/image", "people/alpha", "photos")
        )
    return to_rgb8(image), to_alpha8(alpha), to_rgb8(photo)


def compositing(image: Plane, alpha: Plane, photo: Plane) -> list[Pair]:
    """Pair what enlarges and mixes."""
    placement = place(SIZE, (photo.shape[1], photo.shape[0]))
    enlarged = (placement.width, placement.height)

    def window() -> Plane:
        return cubic_window(photo, enlarged, (placement.x, placement.y), SIZE)

    def by_opencv(ipp: bool) -> Plane:
        cv2.ipp.setUseIPP(ipp)
        whole = cv2.resize(photo, enlarged, interpolation=cv2.INTER_CUBIC)
        return np.asarray(whole[placement.y :, placement.x :][: SIZE[1], : SIZE[0]], np.uint8)

    def by_numpy(behind: Plane) -> Plane:
        weight = alpha.astype(np.uint16)[..., None]
        mixed = weight * image + (255 - weight) * behind + np.uint16(128)
        return ((mixed + (mixed >> 8)) >> 8).astype(np.uint8)

    ready, behind = premultiply(image, alpha), window()
    return [
        Pair("cubic window", "cv2.resize without IPP", window, lambda: by_opencv(False), tolerance=2),
        Pair("cubic window", "cv2.resize with IPP", window, lambda: by_opencv(True), tolerance=2),
        Pair("composite", "NumPy", lambda: over(ready, behind.copy()), lambda: by_numpy(behind)),
        Pair(
            "composite on cubic window",
            "cubic window, then NumPy",
            lambda: over_window(ready, photo, placement),
            lambda: by_numpy(window()),
        ),
    ]


def masks(alpha: Plane) -> list[Pair]:
    """Pair what draws a trimap from an ellipse."""
    width = alpha.shape[1]
    ellipse = np.asarray(cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (ELLIPSE_SIDE, ELLIPSE_SIDE)), np.uint8)
    spans = bitmask.kernel_spans(ellipse)
    touched, solid = (alpha > 0).view(np.uint8), (alpha == 255).view(np.uint8)
    packed, clear = bitmask.pack(touched), bitmask.inverted(bitmask.pack(solid), width)
    outer, inner = bitmask.dilate(packed, spans), ~bitmask.dilate(clear, spans)

    def by_opencv() -> Plane:
        trimap = cv2.dilate(touched, ellipse) * np.uint8(128)
        trimap[cv2.erode(solid, ellipse) > 0] = 255
        return np.asarray(trimap, np.uint8)

    def ours() -> Plane:
        return bitmask.paint(bitmask.dilate(packed, spans), ~bitmask.dilate(clear, spans), width)

    def painted() -> bytes:
        return run_png(bitmask.paint(outer, inner, width))

    return [
        Pair(f"trimap, ellipse of {ELLIPSE_SIDE}", "cv2.dilate, cv2.erode", ours, by_opencv),
        Pair(
            "PNG of packed masks", "paint, then run_png", lambda: trimap_png(outer, inner, width), painted, by_imdecode
        ),
    ]


def files(alpha: Plane) -> list[Pair]:
    """Pair what writes and reads PNG, of a matte and of a trimap."""
    trimap = np.select([alpha == 255, alpha > 0], [255, 128], 0).astype(np.uint8)
    result = []
    for name, plane in (("matte", alpha), ("trimap", trimap)):
        data = run_png(plane)
        write, imencode = (lambda p=plane: run_png(p)), (lambda p=plane: by_imencode(p))
        read, imdecode = (lambda d=data: read_run_png(d)), (lambda d=data: by_imdecode(d))
        result.append(Pair(f"write a {name}", "cv2.imencode, RLE", write, imencode, by_imdecode))
        result.append(Pair(f"read a {name}", "cv2.imdecode", read, imdecode))
    return result


def by_imencode(plane: Plane) -> bytes:
    """Encode a plane with the strategy of OpenCV's that is the fastest for flat planes."""
    settings = [cv2.IMWRITE_PNG_STRATEGY, cv2.IMWRITE_PNG_STRATEGY_RLE, cv2.IMWRITE_PNG_FILTER]
    return cv2.imencode(".png", plane, [*settings, cv2.IMWRITE_PNG_FILTER_UP])[1].tobytes()


def by_imdecode(data: bytes) -> Plane:
    """Decode a file with OpenCV."""
    return np.asarray(cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED), np.uint8)


def best_times(pair: Pair, repeats: int) -> tuple[float, float]:
    """Run both in turns; return the fewest milliseconds of processor time of each."""
    runs = []
    for _ in range(repeats):
        spent = []
        for function in (pair.ours, pair.theirs):
            started = time.process_time()
            function()
            spent.append((time.process_time() - started) * 1e3)
        runs.append(spent)
    return min(run[0] for run in runs), min(run[1] for run in runs)


if __name__ == "__main__":
    main()
