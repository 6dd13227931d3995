"""Detectors by name or specification. What a detector needs is imported when one is asked for."""

from __future__ import annotations

from matting_data.detectors.detector import Detector, Thresholds
from matting_data.detectors.spec import DetectorSpec, Spec
from matting_data.detectors.tiling import TileableDetector, TiledDetector
from matting_data.errors import UsageError, nearest


def load(spec: Spec) -> Detector:
    """Make a detector.

    Parameters
    ----------
    spec : str, DetectorSpec or sequence of these
        ``"default"``, which works offline with the weights inside this package; a specification, whose local paths
        are those of the current folder (see :func:`matting_data.detectors.spec.resolved`); or several, of which any
        may reject (see :class:`matting_data.detectors.combined.CombinedDetector`).

    Returns
    -------
    Detector
        Its weights are opened on the first image.

    Raises
    ------
    UsageError
        If a name is unknown, an ONNX file is missing, or a sequence is empty or names a detector twice.
    """
    if isinstance(spec, str):
        if spec != "default":
            known = nearest(spec, ["default", "none"])
            raise UsageError(f"unknown human detector {spec!r}: available are default, and none{known}")
        spec = DetectorSpec("default")
    if isinstance(spec, DetectorSpec):
        return _specified(spec)
    if not spec:
        raise UsageError("the list of detectors is empty: name at least one, or none")
    if len(spec) == 1:
        return load(spec[0])
    from matting_data.detectors.combined import CombinedDetector

    repeated = next((part for place, part in enumerate(spec) if part in spec[:place]), None)
    if repeated is not None:
        name = repeated if isinstance(repeated, str) else repeated.weights or repeated.kind
        raise UsageError(f"the list of detectors names {name!r} twice: remove one")
    return CombinedDetector([load(part) for part in spec])


def _specified(spec: DetectorSpec) -> Detector:
    detector: TileableDetector
    surer = None
    if spec.kind == "default":
        from matting_data.detectors.default import THRESHOLDS, TILE_THRESHOLDS, DefaultDetector

        surer = TILE_THRESHOLDS, THRESHOLDS
        own = spec.thresholds
        detector = DefaultDetector(thresholds=Thresholds(own.reject, own.review) if own else THRESHOLDS)
    elif spec.kind == "onnx":
        from matting_data.detectors.onnx_file import OnnxDetector

        detector = OnnxDetector(spec)
    else:
        from matting_data.detectors.transformers_model import TransformersDetector

        detector = TransformersDetector(spec)
    return detector if spec.tiles == 1 else TiledDetector(detector, spec.tiles, surer)
