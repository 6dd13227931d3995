from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from matting_data.errors import RejectedInput, UsageError
from matting_data.evaluation.evaluate import evaluate
from matting_data.evaluation.test_sets import EvaluationSet, open_test_set
from matting_data.imaging.decode import decode
from matting_data.imaging.encode import matte_png
from matting_data.imaging.trimap import Trimapper, fixed_radii
from matting_data.metrics import mad
from matting_data.predicting import classical
from matting_data.predicting.classical import METHODS, estimate, predict
from tests.support.commands import RunCommand
from tests.support.projects import draw_person


def scene(seed: int = 0) -> tuple[NDArray[np.uint8], NDArray[np.uint8], NDArray[np.uint8]]:
    """A person of one colour before a wall of another, with its alpha and trimap: what every method must solve."""
    alpha = np.ascontiguousarray(draw_person(seed, (48, 64))[..., 3])
    a = alpha[..., None] / 255
    image = a * np.array([200, 60, 40]) + (1 - a) * np.array([30, 90, 160])
    return np.rint(image).astype(np.uint8), alpha, Trimapper(alpha).draw(fixed_radii(7))


@pytest.mark.parametrize("method", METHODS)
def test_methods_solve_what_can_be_solved_and_keep_the_trimap(method: str) -> None:
    image, alpha, trimap = scene()
    found = estimate(method, image, trimap)
    assert found.dtype == np.uint8 and found.shape == alpha.shape
    assert (found[trimap == 255] == 255).all() and (found[trimap == 0] == 0).all()
    unknown = trimap == 128
    assert mad(found, alpha, unknown) < 0.15 < mad(np.full_like(alpha, 128), alpha, unknown)


def test_closed_form_is_nearly_exact_on_two_colours() -> None:
    image, alpha, trimap = scene(1)
    assert mad(estimate("closed-form", image, trimap), alpha, trimap == 128) < 0.01


def test_trimaps_that_leave_nothing_to_start_from() -> None:
    image, _, trimap = scene()
    for known, side in ((0, "foreground"), (255, "background")):
        with pytest.raises(RejectedInput, match=f"the trimap has no known {side}"):
            estimate("closed-form", image, np.where(trimap == 255 - known, 128, trimap).astype(np.uint8))
    done = np.where(trimap == 128, 0, trimap).astype(np.uint8)
    assert (estimate("knn", image, done) == done).all()
    with pytest.raises(RejectedInput, match="the image is 48×64 and the trimap 48×63"):
        estimate("lbdm", image, trimap[1:])


@pytest.fixture
def data(tmp_path: Path) -> EvaluationSet:
    root = tmp_path / "data"
    for seed, key in enumerate(("one", "two", "deep/three")):
        image, alpha, trimap = scene(seed)
        for folder, plane in (("image", cv2.cvtColor(image, cv2.COLOR_RGB2BGR)), ("alpha", alpha), ("trimap", trimap)):
            path = root / folder / f"{key}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(cv2.imencode(".png", plane)[1].tobytes())
    return open_test_set(root)


def outcomes(results: list[classical.Prediction]) -> dict[str, str]:
    return {result.key: result.outcome for result in results}


def test_a_run_is_continued(data: EvaluationSet, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    out = tmp_path / "out"
    assert set(outcomes(predict("closed-form", data, out)).values()) == {"written"}
    before = {path: path.read_bytes() for path in out.rglob("*.png")}
    assert len(before) == 3 and decode(before[out / "one.png"]).pixels.dtype == np.uint8
    (out / "two.png").unlink()
    (out / "deep" / "three.png").write_bytes(b"not a PNG")
    asked, real = [], classical.estimate

    def noting(*inputs: Any) -> Any:
        asked.append(inputs[0])
        return real(*inputs)

    monkeypatch.setattr(classical, "estimate", noting)
    again = predict("closed-form", data, out)
    assert outcomes(again) == {"deep/three": "written", "one": "kept", "two": "written"} and len(asked) == 2
    assert {path: path.read_bytes() for path in out.rglob("*.png")} == before


def test_a_prediction_of_another_size_is_made_again(data: EvaluationSet, tmp_path: Path) -> None:
    predict("closed-form", data, tmp_path / "out")
    (tmp_path / "out" / "one.png").write_bytes(matte_png(np.zeros((3, 3), np.uint8)))
    assert outcomes(predict("closed-form", data, tmp_path / "out"))["one"] == "written"


def test_folders_of_something_else_are_refused(data: EvaluationSet, tmp_path: Path) -> None:
    out = tmp_path / "out"
    predict("closed-form", data, out)
    with pytest.raises(UsageError, match=r"holds predictions with another method \('closed-form', not 'knn'\)"):
        predict("knn", data, out)
    other = EvaluationSet(data.name, "other", data.items)
    with pytest.raises(UsageError, match="holds predictions with another identity"):
        predict("closed-form", other, out)
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "thesis.tex").write_text("")
    with pytest.raises(UsageError, match="holds something else"):
        predict("closed-form", data, tmp_path / "full")
    (out / "predictions.json").write_text("{")
    with pytest.raises(UsageError, match="cannot be read"):
        predict("closed-form", data, out)
    with pytest.raises(UsageError, match="no method 'closedform'; did you mean 'closed-form'"):
        predict("closedform", data, tmp_path / "new")


def test_inputs_that_lack_something_fail_alone(data: EvaluationSet, tmp_path: Path) -> None:
    root = tmp_path / "data"
    (root / "trimap" / "one.png").unlink()
    (root / "image" / "two.png").write_bytes(b"?")
    results = {result.key: result for result in predict("closed-form", open_test_set(root), tmp_path / "out")}
    assert (results["one"].outcome, results["one"].reason) == ("failed", "no_trimap")
    assert (results["two"].outcome, results["two"].reason) == ("failed", "unreadable")
    assert results["deep/three"].outcome == "written"


@pytest.mark.slow
def test_the_result_does_not_depend_on_the_number_of_workers(built: Path, tmp_path: Path) -> None:
    data = open_test_set(built)
    for workers in (1, 2):
        assert set(outcomes(predict("closed-form", data, tmp_path / str(workers), workers)).values()) == {"written"}
    one, two = ({path.name: path.read_bytes() for path in (tmp_path / workers).glob("*.png")} for workers in ("1", "2"))
    assert one == two and len(one) == 6


def test_a_built_split_end_to_end(built: Path, tmp_path: Path, command: RunCommand) -> None:
    arguments = ["predict", "--method", "closed-form", "--data", built, "--out", tmp_path / "cf", "--workers", 1]
    code, out, err = command(*arguments)
    assert (code, err) == (0, "") and out == f"{tmp_path / 'cf'}: closed-form on project test: 6 written\n"
    code, out, _ = command(*arguments, "--json")
    assert code == 0 and json.loads(out)["outcomes"] == {"kept": 6}
    closed_form = evaluate(tmp_path / "cf", open_test_set(built))
    gray = tmp_path / "gray"
    shutil.copytree(tmp_path / "cf", gray)
    for item in open_test_set(built).items:
        trimap = item.read("trimap")["trimap"]
        (gray / f"{item.key}.png").write_bytes(matte_png(trimap))  # what one has without any method
    means = [result.table.groups[0].cells[0][0].mean for result in (closed_form, evaluate(gray, open_test_set(built)))]
    assert closed_form.failed == 0 and closed_form.extra == [] and means[0] < means[1] / 2
    code, _, err = command(*arguments[:2], "knn", *arguments[3:])
    assert code == 2 and "another method" in err and err.count("\n") == 1
