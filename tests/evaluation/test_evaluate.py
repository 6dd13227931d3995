from __future__ import annotations

import shutil
import unicodedata
from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from matting_data.errors import DamageError, UsageError
from matting_data.evaluation.conventions import CONVENTIONS
from matting_data.evaluation.evaluate import Evaluation, evaluate
from matting_data.evaluation.scoring import ScoringOptions
from matting_data.evaluation.test_sets import EvaluationSet, matte_of, open_test_set
from matting_data.imaging.encode import jpeg, matte_png, png
from matting_data.imaging.trimap import Trimapper, fixed_radii
from matting_data.metrics import compose, connectivity, gradient, mad, mse, sad, unknown
from tests.support.commands import RunCommand
from tests.support.projects import draw_person


class Folders:
    """Three people as folders image, alpha and trimap, and slightly wrong predictions."""

    def __init__(self, root: Path) -> None:
        self.root, self.predictions = root / "data", root / "predictions"
        for folder in (self.root / "image", self.root / "alpha", self.root / "trimap", self.predictions):
            folder.mkdir(parents=True)
        self.truth: dict[str, NDArray[np.uint8]] = {}
        self.trimap: dict[str, NDArray[np.uint8]] = {}
        self.prediction: dict[str, NDArray[np.uint8]] = {}
        for number, key in enumerate(("anna", "bert", "cleo")):
            person = draw_person(number)
            alpha = np.ascontiguousarray(person[..., 3])
            self.truth[key], self.trimap[key] = alpha, Trimapper(alpha).draw(fixed_radii(9))
            self.prediction[key] = np.asarray(cv2.GaussianBlur(alpha, (0, 0), 1 + number), np.uint8)
            (self.root / "image" / f"{key}.jpg").write_bytes(jpeg(np.ascontiguousarray(person[..., :3])))
            (self.root / "alpha" / f"{key}.png").write_bytes(matte_png(alpha))
            (self.root / "trimap" / f"{key}.png").write_bytes(matte_png(self.trimap[key]))
            self.predict(key, self.prediction[key])

    def predict(self, key: str, matte: NDArray[np.generic]) -> None:
        (self.predictions / f"{key}.png").write_bytes(cv2.imencode(".png", matte)[1].tobytes())

    def open(self) -> EvaluationSet:
        return open_test_set(self.root)

    def score(self, **options: object) -> Evaluation:
        return evaluate(self.predictions, self.open(), ScoringOptions(**options))


@pytest.fixture
def folders(tmp_path: Path) -> Folders:
    return Folders(tmp_path)


def test_scores_of_folders_are_those_of_the_functions(folders: Folders) -> None:
    result = folders.score()
    assert result.failed == 0 and [score.key for score in result.scores] == ["anna", "bert", "cleo"]
    for score in result.scores:
        p, g = folders.prediction[score.key], folders.truth[score.key]
        assert score.values == {
            "mse": mse(p, g), "mad": mad(p, g), "sad": sad(p, g),
            "gradient": gradient(p, g), "connectivity": connectivity(p, g),
        }  # fmt: skip
        assert (score.width, score.height, score.pixels) == (96, 128, 96 * 128)
    means = result.table.groups[0].cells[0]
    assert means[2].mean == pytest.approx(np.mean([score.values["sad"] for score in result.scores]) / 1000, rel=1e-12)


@pytest.mark.parametrize(("one", "other"), [("NFC", "NFD"), ("NFD", "NFC")])
def test_predictions_are_found_whatever_the_unicode_normalisation_of_their_names(
    folders: Folders, one: str, other: str
) -> None:
    expected = [score.values for score in folders.score().scores]
    truth, predicted = (unicodedata.normalize(form, "bértil/José") for form in (one, other))
    for folder, key in ((folders.root / "image", truth), (folders.root / "trimap", predicted)):
        (file,) = folder.glob("cleo.*")
        (folder / key).parent.mkdir()
        file.rename(folder / f"{key}{file.suffix}")
    for folder, key in ((folders.root / "alpha", truth), (folders.predictions, predicted)):
        (folder / key).parent.mkdir()
        (folder / "cleo.png").rename(folder / f"{key}.png")
    result = folders.score(region="unknown")
    assert result.failed == 0 and result.extra == []
    assert [score.values for score in folders.score().scores] == expected
    (folders.predictions / f"{truth}.png").parent.mkdir(exist_ok=True)
    shutil.copy(folders.predictions / f"{predicted}.png", folders.predictions / f"{truth}.png")
    with pytest.raises(UsageError, match=r"holds both 'Jos.*' and 'Jos.*': remove one"):
        folders.score()


def test_the_unknown_region_and_pasting(folders: Folders) -> None:
    for score in folders.score(region="unknown").scores:
        region = unknown(folders.trimap[score.key])
        assert score.pixels == region.sum()
        assert score.values["sad"] == sad(folders.prediction[score.key], folders.truth[score.key], region)
    pasted = folders.score(paste=True)
    for score in pasted.scores:
        composed = compose(folders.prediction[score.key], folders.trimap[score.key])
        assert score.values["connectivity"] == connectivity(composed, folders.truth[score.key])
    assert pasted.table.groups[0].cells[0][0].mean < folders.score().table.groups[0].cells[0][0].mean


def test_a_convention_decides_everything(folders: Folders) -> None:
    result = folders.score(like="gca")
    assert [view.name for view in result.table.views] == ["like gca"]
    for score in result.scores:
        key = score.key
        assert score.values == CONVENTIONS["gca"].score(
            folders.prediction[key], folders.truth[key], folders.trimap[key]
        )
    with pytest.raises(UsageError, match="--like gca decides the region"):
        folders.score(like="gca", region="unknown")
    with pytest.raises(UsageError, match="no convention 'gac'; did you mean 'gca'"):
        folders.score(like="gac")


def test_without_trimaps_some_conventions_fail_and_one_prints_zeros(folders: Folders) -> None:
    shutil.rmtree(folders.root / "trimap")
    with pytest.raises(UsageError, match=r"no image could be scored \(3 no_trimap\)"):
        folders.score(like="gca")
    with pytest.raises(UsageError, match=r"3 no_trimap"):
        folders.score(region="unknown")
    assert all(score.values["mse"] == 0 for score in folders.score(like="mmagic-script").scores)
    assert all(score.values["mse"] > 0 for score in folders.score(like="gfm").scores)


def reason_of(result: Evaluation, key: str) -> tuple[str, str]:
    score = next(score for score in result.scores if score.key == key)
    assert bool(score.values) == (not score.reason)
    return score.reason, score.note


def test_another_size(folders: Folders) -> None:
    small = np.asarray(cv2.resize(folders.prediction["bert"], (48, 64)), np.uint8)
    folders.predict("bert", small)
    result = folders.score()
    assert reason_of(result, "bert") == ("size", "") and result.table.failed == {"size": 1}
    assert "the prediction is 48×64 and the truth 96×128" in result.scores[1].detail
    assert result.table.groups[0].images == 2
    resized = folders.score(resize=True)
    assert reason_of(resized, "bert") == ("", "resized") and resized.table.noted == {"resized": 1}
    expected = cv2.resize(small, (96, 128), interpolation=cv2.INTER_LINEAR)
    assert resized.scores[1].values["sad"] == sad(expected, folders.truth["bert"])
    folders.predict("bert", np.repeat(np.repeat(folders.prediction["bert"], 2, 0), 2, 1))
    assert folders.score(resize=True).scores[1].values["sad"] == sad(folders.prediction["bert"], folders.truth["bert"])


def test_missing_and_extra(folders: Folders) -> None:
    (folders.predictions / "anna.png").rename(folders.predictions / "zoe.png")
    result = folders.score()
    assert reason_of(result, "anna") == ("missing", "") and result.extra == ["zoe"]
    text = "\n".join(result.lines())
    assert "2 of 3 images scored" in text and "not scored: 1 missing" in text
    assert "1 predictions belong to no image and were left alone: zoe" in text
    black = folders.score(missing="black")
    assert black.failed == 0 and black.table.noted == {"black": 1}
    assert black.scores[0].values["sad"] == pytest.approx(folders.truth["anna"].sum() / 255, rel=1e-12)


def test_16_bits_are_used_in_full(folders: Folders) -> None:
    fine = folders.prediction["cleo"].astype(np.uint16) * np.uint16(257) + np.uint16(60)
    fine = np.minimum(fine, 65535 - 60)
    folders.predict("cleo", fine)
    score = folders.score().scores[2]
    assert (
        score.values["sad"]
        == sad(fine, folders.truth["cleo"])
        != sad(folders.prediction["cleo"], folders.truth["cleo"])
    )


def test_kinds_of_files(folders: Folders) -> None:
    matte = folders.prediction["anna"]
    expected = sad(matte, folders.truth["anna"])
    (folders.predictions / "anna.png").write_bytes(png(np.dstack([matte] * 3)))
    assert folders.score().scores[0].values["sad"] == expected
    (folders.predictions / "anna.png").write_bytes(png(np.dstack([draw_person(7)[..., :3], matte])))
    assert folders.score().scores[0].values["sad"] == expected
    for channels in (np.dstack([matte] * 3), np.dstack([matte[..., None] // 2] * 3 + [matte])):
        wide = channels.astype(np.uint16) * np.uint16(257)
        assert (matte_of(cv2.imencode(".png", wide)[1].tobytes()) == matte.astype(np.uint16) * np.uint16(257)).all()
    (folders.predictions / "anna.png").write_bytes(png(draw_person(7)[..., :3]))
    assert reason_of(folders.score(), "anna")[0] == "wrong_mode"
    (folders.predictions / "anna.png").write_bytes(b"nothing of the kind")
    assert reason_of(folders.score(), "anna")[0] == "unreadable"


def test_trimaps_that_cannot_be_used(folders: Folders) -> None:
    odd = folders.trimap["anna"].copy()
    odd[0, 0] = 127
    (folders.root / "trimap" / "anna.png").write_bytes(matte_png(odd))
    (folders.root / "trimap" / "bert.png").write_bytes(matte_png(folders.trimap["bert"][1:]))
    (folders.root / "trimap" / "cleo.png").write_bytes(matte_png(np.zeros_like(folders.trimap["cleo"])))
    with pytest.raises(UsageError, match="1 trimap_values, 1 size, 1 unknown_region"):
        folders.score(region="unknown")
    assert folders.score().failed == 0  # nobody asked for them
    with pytest.raises(UsageError, match="1 unknown_region"):
        folders.score(like="matlab")


def test_an_all_background_truth_is_scored(folders: Folders) -> None:
    (folders.root / "alpha" / "anna.png").write_bytes(matte_png(np.zeros_like(folders.truth["anna"])))
    values = folders.score().scores[0].values
    assert min(values.values()) > 0 and values["connectivity"] <= values["sad"]


def test_nested_folders_are_subsets(folders: Folders) -> None:
    for folder in (folders.root / "alpha", folders.predictions):
        (folder / "wild").mkdir()
        (folder / "anna.png").rename(folder / "wild" / "anna.png")
    labels = [group.label for group in folders.score().table.groups]
    assert labels == ["all", "subset: wild"]


def test_folders_that_are_no_test_set(folders: Folders, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="there is no folder"):
        open_test_set(tmp_path / "nowhere")
    with pytest.raises(UsageError, match="has no folder alpha or image"):
        open_test_set(folders.predictions)
    (tmp_path / "empty" / "alpha").mkdir(parents=True)
    with pytest.raises(UsageError, match="alpha holds no images"):
        open_test_set(tmp_path / "empty")
    with pytest.raises(UsageError, match=r"there is no folder .*: name the one that holds the predictions"):
        evaluate(tmp_path / "nowhere", folders.open())
    shutil.copy(folders.predictions / "anna.png", folders.predictions / "anna.jpg")
    with pytest.raises(UsageError, match=r"holds both anna\.(jpg|png) and anna\.(jpg|png)"):
        folders.score()


@pytest.fixture
def predicted(built: Path, tmp_path: Path) -> tuple[Path, Path]:
    """A built dataset and predictions of its test split: the truth, 10 levels darker."""
    for item in open_test_set(built).items:
        alpha = item.read("alpha")["alpha"]
        target = tmp_path / "predictions" / f"{item.key}.png"
        target.parent.mkdir(exist_ok=True)
        target.write_bytes(matte_png(np.where(alpha > 10, alpha - 10, 0).astype(np.uint8)))
    return built, tmp_path / "predictions"


def test_a_built_split(predicted: tuple[Path, Path]) -> None:
    dataset, predictions = predicted
    data = open_test_set(dataset)
    assert len(data.items) == 6 and {item.source for item in data.items} == {"photos"}
    result = evaluate(predictions, data)
    assert result.failed == 0 and result.table.groups[0].people == 2
    for score in result.scores:
        assert 0 < score.values["mad"] <= 10 / 255 and score.foreground and score.background
    assert "background source: photos" in [group.label for group in result.table.groups]


def test_the_result_does_not_depend_on_the_number_of_workers(predicted: tuple[Path, Path]) -> None:
    dataset, predictions = predicted
    one, two = (evaluate(predictions, open_test_set(dataset), workers=workers) for workers in (1, 2))
    assert one == two and one.json() == two.json()


def test_splits_and_damage(built: Path) -> None:
    assert len(open_test_set(built, "train").items) == 12
    with pytest.raises(UsageError, match="has no split 'tset'; did you mean 'test'"):
        open_test_set(built, "tset")
    (built / "backgrounds.parquet").unlink()
    assert {item.source for item in open_test_set(built).items} == {""}
    (built / "dataset.json").unlink()
    with pytest.raises(DamageError, match="unfinished"):
        open_test_set(built)


def test_what_is_written(folders: Folders, tmp_path: Path) -> None:
    written = folders.score().write(tmp_path / "report")
    assert [path.name for path in written] == [
        "images.csv", "summary.csv", "evaluation.json", "table.md", "table.tex"
    ]  # fmt: skip
    again = folders.score().write(tmp_path / "again")
    assert [path.read_bytes() for path in written] == [path.read_bytes() for path in again]


def test_the_command(folders: Folders, tmp_path: Path, command: RunCommand) -> None:
    arguments = ["eval", "--predictions", folders.predictions, "--data", folders.root, "--workers", 1]
    code, out, err = command(*arguments, "--out", tmp_path / "report")
    assert code == 0 and err == ""
    for words in ("3 of 3 images scored", "field:", "paper-literal:", "paper-likely:", "SAD/1e3", "written: "):
        assert words in out
    code, out, _ = command(*arguments, "--like", "RVM", "--json")
    assert code == 0 and '"like rvm"' in out
    (folders.predictions / "anna.png").unlink()
    assert command(*arguments)[0] == 1
    assert command(*arguments, "--missing", "black")[0] == 0
    code, _, err = command(*arguments, "--like", "nobody")
    assert code == 2 and err.startswith("mattingdata: no convention 'nobody'") and err.count("\n") == 1
    (folders.predictions / "bert.png").unlink()
    (folders.predictions / "cleo.png").unlink()
    assert command(*arguments)[0] == 2


def test_the_help_states_how_odd_predictions_are_handled(command: RunCommand) -> None:
    out = command("eval", "--help")[1]
    lines = [line.split() for line in out.splitlines()]
    for words in ("another size", "missing not", "extra left", "colours not", "no unknown"):
        assert any(line[:2] == words.split() for line in lines), words  # each on a line of its own
    assert "16 are used in full" in " ".join(out.split())
    for name in CONVENTIONS:
        assert name in out
