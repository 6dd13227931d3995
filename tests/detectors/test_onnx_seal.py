"""The hash at the end of ONNX files that are written here."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from matting_data.detectors.onnx_seal import PRODUCER, require_whole, with_hash
from matting_data.detectors.sessions import open_session
from matting_data.errors import DamageError, UsageError
from tests.support.mutations import mutated

onnx = pytest.importorskip("onnx")
onnxruntime = pytest.importorskip("onnxruntime")


def model(producer: str) -> bytes:
    """Return a network of one layer: ``y = x @ w``."""
    helper = onnx.helper
    weights = onnx.numpy_helper.from_array(np.random.default_rng(1).random((16, 16), np.float32), "w")
    ends = [helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, ["n", 16]) for name in "xy"]
    graph = helper.make_graph([helper.make_node("MatMul", ["x", "w"], ["y"])], "g", ends[:1], ends[1:], [weights])
    opset = [helper.make_opsetid("", 18)]
    proto = helper.make_model(graph, producer_name=producer, producer_version="1", ir_version=10, opset_imports=opset)
    return bytes(proto.SerializeToString())


def answer(path: Path) -> bytes | None:
    """Return what a file computes; None where it is refused in one sentence."""
    try:
        session = open_session(path)
    except (DamageError, UsageError) as error:
        assert "\n" not in str(error)
        return None
    inputs = {each.name: np.arange(32, dtype=np.float32).reshape(2, 16) for each in session.get_inputs()}
    return bytes(session.run(None, inputs)[0].tobytes())


def test_any_reader_sees_the_hash_and_the_network(tmp_path: Path) -> None:
    plain = model(PRODUCER)
    content = with_hash(plain)
    proto = onnx.load_from_string(content)
    onnx.checker.check_model(proto)
    (entry,) = proto.metadata_props
    assert entry.key == "mattingdata_sha256" and len(entry.value) == 64
    (tmp_path / "network.onnx").write_bytes(content)
    seen = onnxruntime.InferenceSession(content, providers=["CPUExecutionProvider"]).get_modelmeta()
    assert seen.custom_metadata_map == {entry.key: entry.value}
    assert answer(tmp_path / "network.onnx") is not None


def test_whatever_is_changed_is_refused_or_computes_the_same(tmp_path: Path) -> None:
    content, path = with_hash(model(PRODUCER)), tmp_path / "network.onnx"
    path.write_bytes(content)
    expected = answer(path)
    refused = 0
    for seed in range(300):
        region = (range(64), range(len(content)), range(len(content) - 100, len(content)))[seed % 3]
        path.write_bytes(mutated(content, region, seed))
        found = answer(path)
        assert found in (None, expected), seed
        refused += found is None
    assert refused > 250


def test_a_file_without_its_end_and_one_of_another_program(tmp_path: Path) -> None:
    with pytest.raises(DamageError, match=r"network.onnx is damaged \(.*\): export it again"):
        require_whole(model(PRODUCER), "network.onnx")
    path = tmp_path / "other.onnx"
    path.write_bytes(model("pytorch"))
    assert answer(path) is not None


def test_a_folder_or_nothing_in_its_place_is_a_sentence(tmp_path: Path) -> None:
    for path in (tmp_path, tmp_path / "missing.onnx"):
        with pytest.raises(UsageError, match="cannot be read"):
            open_session(path)
