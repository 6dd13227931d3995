"""What a continued run believes: checkpoints, documents and logs that were damaged, or are of an earlier version."""

# ruff: noqa: E402 - without torch there is nothing to import
from __future__ import annotations

import json
import logging
import shutil
from pathlib import Path
from typing import Any

import pytest

torch = pytest.importorskip("torch")

from matting_data.errors import DamageError, MattingDataError, UsageError
from matting_data.networks.safenet.initial_weights import build_network
from matting_data.networks.tensor_files import document_sha256
from matting_data.predicting.trained_network import open_trained
from matting_data.training.checkpoint import AVERAGE, NETWORK, STATE, checkpoints, load_checkpoint
from matting_data.training.ema import Average
from matting_data.training.parallel import World
from matting_data.training.run_folder import read_json, read_rows
from matting_data.training.steps import Stepper
from tests.support.mutations import mutated
from tests.support.older_networks import without_hash
from tests.support.training_runs import run_here, tiny

OPTIONS = ("steps=2", "saving.every=1", "ema=0.9", "validation.share=0.3")


@pytest.fixture(scope="module")
def finished(dataset: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run with an average and people held out; not to be changed."""
    folder = tmp_path_factory.mktemp("damaged") / "run"
    run_here(dataset, folder, *OPTIONS)
    return folder


@pytest.fixture
def run(finished: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(finished, tmp_path / "run"))


@pytest.fixture(scope="module")
def stepper() -> Stepper:
    config = tiny(*OPTIONS)
    return Stepper(build_network(config.network, 1), config, 2, World(0, 1, torch.device("cpu")))


def standing(path: Path, stepper: Stepper) -> str:
    """Return all that a checkpoint restores, as a hash."""
    average = Average(stepper.network, 0.9)
    progress = load_checkpoint(path, stepper, average)
    optimisers = {name: each.state_dict() for name, each in stepper.optimisers.items()}
    states = dict(stepper.network.state_dict()), dict(average.network.state_dict())
    return document_sha256([vars(progress), optimisers, states, average.count, torch.get_rng_state()])


@pytest.mark.parametrize("name", [NETWORK, AVERAGE, STATE])
def test_a_checkpoint_restores_what_was_saved_or_nothing(run: Path, stepper: Stepper, name: str) -> None:
    last = checkpoints(run)[-1]
    expected, whole = standing(last, stepper), (last / name).read_bytes()
    refused = 0
    for seed in range(24):
        region = (range(8192), range(len(whole) - 8192, len(whole)), range(len(whole)))[seed % 3]
        (last / name).write_bytes(mutated(whole, region, seed))
        try:
            found = standing(last, stepper)
        except MattingDataError as error:
            refused += 1
            assert "\n" not in str(error) and str(last / name) in str(error)
        else:
            assert found == expected, seed
    assert refused > 14


def test_damage_names_what_to_delete(run: Path, dataset: Path) -> None:
    last = checkpoints(run)[-1]
    content = bytearray((last / NETWORK).read_bytes())
    content[-50] ^= 1
    (last / NETWORK).write_bytes(content)
    with pytest.raises(DamageError, match=r"network.safetensors is damaged .*: delete its folder to continue from the"):
        run_here(dataset, run, *OPTIONS, resume=True)
    shutil.rmtree(last)
    assert run_here(dataset, run, *OPTIONS, resume=True).steps == 2


def test_parts_of_two_checkpoints_do_not_go_together(run: Path, stepper: Stepper) -> None:
    first, last = checkpoints(run)
    for name in (NETWORK, AVERAGE):
        kept = (last / name).read_bytes()
        shutil.copy(first / name, last / name)
        with pytest.raises(DamageError, match=rf"{name} holds the weights of another step than state.pt beside it"):
            standing(last, stepper)
        (last / name).write_bytes(kept)
    standing(last, stepper)


def test_a_changed_config_beside_the_checkpoints_is_not_believed(run: Path, dataset: Path) -> None:
    config = run / "config.yaml"
    config.write_text(config.read_text().replace("ema: 0.9\n", "ema: 0.8\n"))
    with pytest.raises(UsageError, match=r"was trained with another config \(ema was 0.9 and is now 0.8\)"):
        run_here(dataset, run, *OPTIONS, "ema=0.8", resume=True)


def without_hashes(last: Path) -> None:
    for name in (NETWORK, AVERAGE):
        without_hash(last / name, last / name)
    state = torch.load(last / STATE, weights_only=True)
    torch.save({key: value for key, value in state.items() if key not in ("sha256", "weights", "config")}, last / STATE)


def test_a_checkpoint_from_before_hashes_continues_with_notes(
    run: Path, stepper: Stepper, caplog: pytest.LogCaptureFixture
) -> None:
    last = checkpoints(run)[-1]
    expected = standing(last, stepper)
    without_hashes(last)
    with caplog.at_level(logging.WARNING):
        assert standing(last, stepper) == standing(last, stepper) == expected
    notes = [record.getMessage() for record in caplog.records]
    assert len(notes) == 3 and all("of an earlier version and holds no hash" in note for note in notes)


@pytest.mark.parametrize("key", ["loader", "optimisers", "step"])
def test_an_older_state_that_lacks_a_key_is_damaged(run: Path, stepper: Stepper, key: str) -> None:
    last = checkpoints(run)[-1]
    without_hashes(last)
    state = torch.load(last / STATE, weights_only=True)
    del state[key]
    torch.save(state, last / STATE)
    with pytest.raises(DamageError, match=rf"state.pt is damaged \(it lacks {key}\): delete its folder"):
        standing(last, stepper)


@pytest.mark.parametrize("name", ["run.json", "result.json"])
def test_documents_of_a_run_are_what_was_written_or_refused(run: Path, name: str) -> None:
    path = run / name
    whole, expected = path.read_bytes(), read_json(path)
    for seed in range(200):
        path.write_bytes(mutated(whole, range(len(whole)), seed))
        try:
            found: Any = read_json(path)
        except DamageError as error:
            assert "\n" not in str(error) and str(path) in str(error)
        else:
            assert found == expected, seed


def test_other_refinements_than_were_chosen_are_not_taken(run: Path) -> None:
    path = run / "result.json"
    document = json.loads(path.read_bytes())
    assert open_trained(run, "cpu").refinements == document["refinements"]
    path.write_text(json.dumps({**document, "refinements": document["refinements"] + 1}))
    with pytest.raises(DamageError, match=r"result.json is damaged .*: run 'mattingdata train' with --resume"):
        open_trained(run, "cpu")
    del document["file_sha256"]
    path.write_text(json.dumps(document))  # as 0.1.0 wrote it
    assert open_trained(run, "cpu").refinements == document["refinements"]


def test_a_run_without_its_dataset_is_no_traceback(run: Path, dataset: Path) -> None:
    for content in ("[]", "{}", '{"dataset": 3}', "[" * 100_000, "\udcff"):
        (run / "run.json").write_bytes(content.encode("utf-8", "surrogateescape"))
        with pytest.raises(MattingDataError):
            run_here(dataset, run, *OPTIONS, resume=True)


def test_damaged_lines_of_a_log_cost_no_others(run: Path, caplog: pytest.LogCaptureFixture) -> None:
    path = run / "metrics.jsonl"
    lines = path.read_bytes().splitlines(keepends=True)
    rows = read_rows(path)
    assert len(lines) == len(rows) == 2
    odd = (b"[1]\n", b'{"step": "x"}\n', b"\xff\xfe\n", b"[" * 100_000 + b"\n", b"{}\n")
    path.write_bytes(b"".join([lines[0], *odd, lines[1], b'{"step": 3, "lo']))
    assert read_rows(path) == rows
    assert [record.getMessage() for record in caplog.records] == [f"note: 6 damaged lines of {path} are left out"]
