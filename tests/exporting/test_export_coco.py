from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays

from matting_data.exporting.export import export
from matting_data.exporting.rle import Rle, encode_mask, runs
from matting_data.exporting.source import Source
from matting_data.imaging.decode import decode

MASKS = arrays(np.bool_, array_shapes(min_dims=2, max_dims=2, max_side=40))


def decode_mask(rle: Rle) -> np.ndarray:
    """The published description of the format, read backwards: characters → runs → columns."""
    lengths: list[int] = []
    value = shift = 0
    for character in rle["counts"]:
        code = ord(character) - 48
        value |= (code & 0x1F) << shift
        shift += 5
        if code & 0x20:
            continue
        if code & 0x10:
            value -= 1 << shift
        lengths.append(value + (lengths[-2] if len(lengths) > 2 else 0))
        value = shift = 0
    height, width = rle["size"]
    flat = np.repeat(np.arange(len(lengths)) % 2 == 1, lengths)
    return flat.reshape(width, height).T


@given(MASKS)
def test_a_mask_comes_back_from_its_runs(mask: np.ndarray) -> None:
    np.testing.assert_array_equal(decode_mask(encode_mask(mask)), mask)
    assert sum(runs(mask)) == mask.size


@given(MASKS)
def test_cocos_own_encoder_writes_the_same(mask: np.ndarray) -> None:
    coco = pytest.importorskip("pycocotools.mask")
    reference = coco.encode(np.asfortranarray(mask.astype(np.uint8)))
    assert encode_mask(mask) == {"size": list(reference["size"]), "counts": reference["counts"].decode()}


@given(st.lists(st.integers(1, 3000), min_size=1, max_size=6))
def test_long_runs_take_several_characters(lengths: list[int]) -> None:
    coco = pytest.importorskip("pycocotools.mask")
    mask = np.repeat(np.arange(len(lengths)) % 2 == 1, lengths)[:, None]
    assert encode_mask(mask)["counts"] == coco.encode(np.asfortranarray(mask.astype(np.uint8)))["counts"].decode()


def test_pycocotools_reads_the_masks_of_every_sample(built: Path, tmp_path: Path) -> None:
    api = pytest.importorskip("pycocotools.coco")
    export(built, "coco", tmp_path / "coco")
    for split, count in (("train", 12), ("test", 6)):
        source = {row.key: members for row, members in Source.open(built).samples(split)}
        coco = api.COCO(str(tmp_path / "coco" / "annotations" / f"instances_{split}.json"))
        assert [category["name"] for category in coco.loadCats(coco.getCatIds())] == ["person"]
        assert len(coco.getImgIds()) == len(coco.getAnnIds()) == count
        for image in coco.loadImgs(coco.getImgIds()):
            (annotation,) = coco.loadAnns(coco.getAnnIds(imgIds=image["id"]))
            expected = decode(source[image["key"]]["alpha"]).pixels >= 128
            np.testing.assert_array_equal(coco.annToMask(annotation), expected)
            assert annotation["area"] == expected.sum()
            ys, xs = np.nonzero(expected)
            assert annotation["bbox"] == [xs.min(), ys.min(), np.ptp(xs) + 1, np.ptp(ys) + 1]
            assert (tmp_path / "coco" / split / image["file_name"]).read_bytes() == source[image["key"]]["image"]


def test_the_masks_decode_without_pycocotools(built: Path, tmp_path: Path) -> None:
    export(built, "coco", tmp_path / "coco", ["test"])
    document = json.loads((tmp_path / "coco" / "annotations" / "instances_test.json").read_text())
    source = {row.key: members for row, members in Source.open(built).samples("test")}
    for image, annotation in zip(document["images"], document["annotations"], strict=True):
        expected = decode(source[image["key"]]["alpha"]).pixels >= 128
        np.testing.assert_array_equal(decode_mask(annotation["segmentation"]), expected)
