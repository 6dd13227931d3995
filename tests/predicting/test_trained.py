from __future__ import annotations

import copy
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner

torch = pytest.importorskip("torch")

from matting_data.cli.main import cli  # noqa: E402

from matting_data.errors import UsageError  # noqa: E402
from matting_data.evaluation.stop_rule import choose_refinements, held_out_errors  # noqa: E402
from matting_data.evaluation.test_sets import open_test_set  # noqa: E402
from matting_data.imaging.decode import decode  # noqa: E402
from matting_data.imaging.encode import jpeg, png  # noqa: E402
from matting_data.metrics import mad, mse  # noqa: E402
from matting_data.networks.safenet.any_size import predict, predict_batch  # noqa: E402
from matting_data.predicting.predict_trained import Wanted, predict_images, read_background  # noqa: E402
from matting_data.predicting.refinements import score_refinements  # noqa: E402
from matting_data.predicting.trained_network import Trained, open_trained  # noqa: E402
from matting_data.training.run_folder import read_json  # noqa: E402
from tests.support.projects import draw_photo  # noqa: E402
from tests.support.training_runs import run_here  # noqa: E402


@pytest.fixture(scope="session")
def run(dataset: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of a few steps; not to be changed."""
    folder = tmp_path_factory.mktemp("trained") / "run"
    run_here(dataset, folder, "validation.share=0.3", "validation.samples=4", "steps=4")
    return folder


@pytest.fixture
def trained(run: Path) -> Trained:
    return open_trained(run, "cpu")


def test_the_stop_rule_comes_from_people_held_out(run: Path, trained: Trained, dataset: Path) -> None:
    result, record = read_json(run / "result.json"), read_json(run / "run.json")
    assert len(record["held_out"]) == 2  # 0.3 of 8
    assert result["refinements"] == trained.refinements == choose_refinements(result["held_out_mad"]) and trained.chosen
    items = [item for item in open_test_set(dataset, "train").items if item.foreground in record["held_out"]]
    test = {item.foreground for item in open_test_set(dataset).items}
    assert test.isdisjoint(record["held_out"])
    errors = np.array([held_out_errors(trained.network, [item], 2, 64) for item in items])
    # 4 of the 6 samples were watched
    assert errors.min(axis=0).max() <= max(result["held_out_mad"]) and errors.max() >= min(result["held_out_mad"])


def test_refinements_are_as_few_as_do() -> None:
    assert choose_refinements([0.2, 0.1, 0.0996, 0.12]) == 1
    assert choose_refinements([0.2, 0.1, 0.09, 0.12]) == 2
    assert choose_refinements([0.1]) == 0


def test_scores_after_every_refinement_are_those_of_the_metrics(
    trained: Trained, dataset: Path, tmp_path: Path
) -> None:
    data = open_test_set(dataset)
    found = score_refinements(trained, data, 3, shown=2)
    item = data.items[0]
    planes = item.read("image", "alpha")
    for size in ("short_side", "native"):
        mattes = predict(trained.network, planes["image"], iterations=3, size=size, short_side=64).mattes
        scores = [next(each for each in of if each.key == item.key) for of in found.scores[size]]
        assert [score.values["mad"] for score in scores] == pytest.approx([mad(m, planes["alpha"]) for m in mattes])
        assert [score.values["mse"] for score in scores] == pytest.approx([mse(m, planes["alpha"]) for m in mattes])
    found.write(tmp_path)
    document = read_json(tmp_path / "results.json")
    cell = document["sizes"]["native"]["2"]["groups"][0]["field"]["mad"]["mean"]
    assert cell == pytest.approx(np.mean([score.values["mad"] for score in found.scores["native"][2]]))
    text = (tmp_path / "results.md").read_text()
    assert f"| **{trained.refinements}** | 6 |" in text and "## Native size, all" in text
    sheet = decode((tmp_path / "sheet.png").read_bytes()).pixels
    assert sheet.shape[1] > 8 * 200 and sheet.shape[0] > 2 * 240  # image, trimap, truth, 4 mattes, error; 2 people


def test_a_batch_gives_what_single_images_give(trained: Trained, dataset: Path) -> None:
    images = [item.read("image")["image"] for item in open_test_set(dataset).items[:3]]
    together = predict_batch(trained.network, images, iterations=2, short_side=64)
    for image, found in zip(images, together, strict=True):
        alone = predict(trained.network, image, iterations=2, short_side=64)
        for one, other in zip(found.mattes, alone.mattes, strict=True):
            np.testing.assert_allclose(one, other, atol=1e-5)
    with pytest.raises(UsageError, match="images of a batch come to one size"):
        predict_batch(trained.network, [images[0], np.zeros((64, 320, 3), np.uint8)], short_side=64)


def test_photographs_become_mattes_cutouts_and_composites(trained: Trained, tmp_path: Path) -> None:
    photos = tmp_path / "photos"
    (photos / "more").mkdir(parents=True)
    sizes = {"a": (100, 80), "more/b": (61, 150), "c": (700, 90)}
    pixels = {name: draw_photo(place, size) for place, (name, size) in enumerate(sizes.items())}
    for name, each in pixels.items():
        (photos / f"{name}.jpg").write_bytes(jpeg(each))
    (photos / "d.jpg").write_bytes(b"no image")
    results = predict_images(trained, [photos], tmp_path / "alpha", Wanted(batch=2))
    assert {result.key: result.outcome for result in results} == {
        "a": "written", "more/b": "written", "c": "written", "d": "failed"
    }  # fmt: skip
    beach = tmp_path / "beach.jpg"
    beach.write_bytes(jpeg(np.full((40, 300, 3), (10, 200, 30), np.uint8)))
    predict_images(trained, [photos], tmp_path / "cutout", Wanted("cutout"))
    predict_images(trained, [photos], tmp_path / "beach", Wanted("background", read_background(beach)))
    for name, (width, height) in sizes.items():
        alpha = decode((tmp_path / "alpha" / f"{name}.png").read_bytes()).pixels
        assert alpha.shape == (height, width) and alpha.dtype == np.uint8
        cutout = decode((tmp_path / "cutout" / f"{name}.png").read_bytes()).pixels
        assert cutout.shape == (height, width, 4)
        # sums of floats differ in the 7th digit, as with threads and batches, and rounding to levels may tip over
        assert np.abs(cutout[..., 3].astype(int) - alpha).max() <= 1
        composite = decode((tmp_path / "beach" / f"{name}.png").read_bytes()).pixels
        a = alpha[..., None] / 255
        expected = cutout[..., :3] * a + np.array([10, 200, 30]) * (1 - a)
        assert np.abs(composite - expected).max() <= 5  # JPEG's green, and that level


def test_bad_paths_are_sentences(trained: Trained, run: Path, dataset: Path, tmp_path: Path) -> None:
    photo = tmp_path / "a.png"
    photo.write_bytes(jpeg(draw_photo(1, (80, 80))))
    with pytest.raises(UsageError, match="the result would replace"):
        predict_images(trained, [photo], tmp_path, Wanted())
    with pytest.raises(UsageError, match=r"would become a\.png: rename one"):
        predict_images(trained, [photo, tmp_path], tmp_path / "out", Wanted())
    with pytest.raises(UsageError, match="there is no image"):
        predict_images(trained, [tmp_path / "absent.jpg"], tmp_path / "out", Wanted())
    with pytest.raises(UsageError, match="there is no checkpoint"):
        open_trained(tmp_path / "absent", "cpu")
    with pytest.raises(UsageError, match="is no run"):
        open_trained(dataset, "cpu")
    with pytest.raises(UsageError, match="the device 'cuda:77' is not here"):
        open_trained(run, "cuda:77")


def test_predictions_of_a_test_set_are_those_that_eval_scores(run: Path, dataset: Path, tmp_path: Path) -> None:
    out = tmp_path / "mattes"
    arguments = ["predict", "--data", str(dataset), "--checkpoint", str(run), "--out", str(out), "--device", "cpu"]
    first = CliRunner().invoke(cli, [*arguments, "--json"], standalone_mode=False)
    assert json.loads(first.stdout)["outcomes"] == {"written": 6}
    next(out.glob("*.png")).unlink()
    again = CliRunner().invoke(cli, arguments, standalone_mode=False)
    assert "1 written, 5 kept" in again.stdout and again.return_value == 0
    refused = CliRunner().invoke(cli, [*arguments, "--refinements", "1", "--cutout"], standalone_mode=False)
    assert isinstance(refused.exception, UsageError) and "choose another --out" in str(refused.exception)

    files = ["eval", "--data", str(dataset), "--predictions", str(out), "--json", "--workers", "1"]
    scored = json.loads(CliRunner().invoke(cli, files, standalone_mode=False).stdout)
    network = ["eval", "--data", str(dataset), "--checkpoint", str(run), "--json", "--size", "short_side",
               "--refinements", "2", "--device", "cpu"]  # fmt: skip
    direct = json.loads(CliRunner().invoke(cli, network, standalone_mode=False).stdout)
    taken = direct["sizes"]["short_side"][str(direct["refinements"])]
    ours, theirs = (each["groups"][0]["field"]["mad"]["mean"] for each in (taken, scored))
    assert ours == pytest.approx(theirs, abs=0.5 / 255)


def test_a_short_side_of_ones_own(run: Path, dataset: Path, trained: Trained) -> None:
    arguments = ["eval", "--data", str(dataset), "--checkpoint", str(run), "--json", "--size", "short_side",
                 "--refinements", "0", "--device", "cpu", "--short-side"]  # fmt: skip
    means = []
    for side in (64, 96):
        done = CliRunner().invoke(cli, [*arguments, str(side)], standalone_mode=False)
        document = json.loads(done.stdout)
        assert document["network"]["short_side"] == side
        means.append(document["sizes"]["short_side"]["0"]["groups"][0]["field"]["mad"]["mean"])
    items = open_test_set(dataset).items
    expected = [held_out_errors(trained.network, items, 0, side)[0] for side in (64, 96)]
    assert means == pytest.approx(expected) and means[0] != means[1]


@pytest.mark.slow
def test_a_run_becomes_an_onnx_file(run: Path, trained: Trained, tmp_path: Path) -> None:
    pytest.importorskip("onnxscript")
    onnxruntime = pytest.importorskip("onnxruntime")
    path = tmp_path / "network.onnx"
    arguments = ["export", str(run), "--to", "onnx", "--out", str(path), "--refinements", "1", "--json"]
    done = CliRunner().invoke(cli, arguments, standalone_mode=False)
    assert json.loads(done.stdout)["iterations"] == 1
    session = onnxruntime.InferenceSession(path.read_bytes(), providers=["CPUExecutionProvider"])
    image = np.random.default_rng(3).random((1, 3, 96, 64), dtype=np.float32)
    with torch.no_grad():
        expected = trained.network(torch.from_numpy(image), 1).final.numpy()
    np.testing.assert_allclose(session.run(["alpha"], {"image": image})[0], expected, atol=1e-4)


def test_options_of_datasets_do_not_go_with_onnx(run: Path, dataset: Path, tmp_path: Path) -> None:
    out = ["--out", str(tmp_path / "out")]
    for arguments, sentence in (
        ([str(run), "--to", "onnx", "--link"], "go with the layouts of datasets, not with onnx"),
        ([str(dataset), "--to", "coco", "--refinements", "1"], "--refinements goes with --to onnx, not with coco"),
        ([str(dataset), "--to", "onnx"], "is no run: name the --out folder of 'mattingdata train'"),
    ):
        result = CliRunner().invoke(cli, ["export", *arguments, *out], standalone_mode=False)
        assert isinstance(result.exception, UsageError) and sentence in str(result.exception)
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ([], "name a network with --checkpoint, or a classic method with --method"),
        (["--method", "knn"], "name images, or a test set with --data"),
        (["a.jpg", "--method", "knn"], "--method knn needs trimaps: name a test set with --data"),
        (["--method", "knn", "--data", "x", "--cutout"], "--cutout and --background need --checkpoint"),
    ],
)
def test_predict_says_what_goes_together(arguments: list[str], sentence: str) -> None:
    result = CliRunner().invoke(cli, ["predict", "--out", "o", *arguments], standalone_mode=False)
    assert isinstance(result.exception, UsageError) and str(result.exception) == sentence


@pytest.mark.parametrize("kind", ["alpha", "cutout", "background"])
@pytest.mark.parametrize("size", ["short_side", "native"])
def test_images_of_any_size_are_predicted(trained: Trained, tmp_path: Path, kind: Any, size: Any) -> None:
    sizes = [(1, 1), (1, 2), (2, 1), (1, 63), (3, 3), (63, 1)]
    for width, height in sizes:
        (tmp_path / f"{width}x{height}.png").write_bytes(png(np.full((height, width, 3), 90, np.uint8)))
    wanted = Wanted(kind, np.full((5, 4, 3), 7, np.uint8) if kind == "background" else None, size)
    results = predict_images(trained, [tmp_path], tmp_path / "out", wanted)
    assert [result.outcome for result in results] == ["written"] * len(sizes)
    for width, height in sizes:
        assert decode((tmp_path / "out" / f"{width}x{height}.png").read_bytes()).size == (width, height)


def test_a_matte_that_is_not_finite_is_neither_written_nor_scored(
    trained: Trained, dataset: Path, tmp_path: Path
) -> None:
    photo = tmp_path / "a.png"
    photo.write_bytes(png(draw_photo(1, (80, 80))))
    for value in (float("nan"), float("inf")):
        network = copy.deepcopy(trained.network)
        with torch.no_grad():
            network.refined_head.conv.weight.fill_(value)
            network.head.conv.weight.fill_(value)
        broken = replace(trained, network=network)
        (result,) = predict_images(broken, [photo], tmp_path / "out", Wanted())
        assert (result.outcome, result.reason) == ("failed", "not_finite") and not (tmp_path / "out").exists()
        with pytest.raises(UsageError, match=r"no image could be scored \(6 not_finite\)"):
            score_refinements(broken, open_test_set(dataset), 1)
        assert held_out_errors(network, open_test_set(dataset).items[:1], 1, 64) == [np.inf, np.inf]


def test_an_image_that_memory_is_too_small_for_fails_alone(
    trained: Trained, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for place, side in enumerate((64, 64, 96)):
        (tmp_path / f"{place}.png").write_bytes(png(draw_photo(place, (side, 64))))
    forward = type(trained.network).forward

    def small(network: Any, image: Any, *args: Any) -> Any:
        if image.numel() > 3 * 64 * 64:
            raise MemoryError
        return forward(network, image, *args)

    monkeypatch.setattr(type(trained.network), "forward", small)
    results = predict_images(trained, [tmp_path], tmp_path / "out", Wanted(size="native", batch=2))
    assert [(result.key, result.outcome, result.reason) for result in results] == [
        ("0", "written", ""), ("1", "written", ""), ("2", "failed", "memory")
    ]  # fmt: skip
