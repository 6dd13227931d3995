from __future__ import annotations

import json
import math
import signal
import time
from pathlib import Path
from typing import Any

import pytest

torch = pytest.importorskip("torch")

import matting_data  # noqa: E402
from matting_data.errors import DamageError, UsageError  # noqa: E402
from matting_data.networks.weights import load_network, read_checkpoint, state_sha256  # noqa: E402
from matting_data.training.checkpoint import checkpoints  # noqa: E402
from matting_data.training.run_folder import read_rows  # noqa: E402
from matting_data.training.steps import NotFinite, Stepper  # noqa: E402
from tests.support.training_runs import run_here, start, tiny  # noqa: E402


def test_loss_falls_on_samples_seen_again_and_again(dataset: Path, tmp_path: Path) -> None:
    run_here(
        dataset, tmp_path / "run", "steps=30", "data.limit=4", "data.augmentation=fixed", "validation.share=0",
        "validation.every=20", "matting.rate=0.01",
    )  # fmt: skip
    losses = [row["loss"] for row in read_rows(tmp_path / "run" / "metrics.jsonl")]
    assert len(losses) == 30
    assert sum(losses[-5:]) < 0.7 * sum(losses[:5])
    detector = [row["loss_detector"] for row in read_rows(tmp_path / "run" / "metrics.jsonl")]
    assert sum(detector[-5:]) < sum(detector[:5])


@pytest.mark.slow
def test_a_killed_run_ends_with_the_weights_of_one_that_was_not(dataset: Path, tmp_path: Path) -> None:
    options = ("steps=12", "saving.every=3", "ema=0.9", "matting.kind=sgd", "matting.momentum=0.5", "matting.rate=0.05")
    whole = run_here(dataset, tmp_path / "whole", *options)

    process = start(dataset, tmp_path / "killed", *options)
    deadline = time.monotonic() + 120
    while len(read_rows(tmp_path / "killed" / "metrics.jsonl")) < 4 and time.monotonic() < deadline:
        assert process.poll() is None, process.stderr.read()
        time.sleep(0.02)
    process.send_signal(signal.SIGKILL)
    process.communicate()
    saved = [int(path.name) for path in checkpoints(tmp_path / "killed")]
    record = json.loads((tmp_path / "killed" / "run.json").read_text())
    assert record["dataset"]["samples"] // 4 == 5  # steps in an epoch
    assert saved and saved[-1] % 5 != 0 and saved[-1] < 12

    rest = run_here(dataset, tmp_path / "killed", *options, "data.workers=1", resume=True)
    assert rest.sha256 == whole.sha256
    for name in ("network.safetensors", "average.safetensors"):
        ends = [read_checkpoint(checkpoints(tmp_path / run)[-1] / name)[0] for run in ("whole", "killed")]
        assert state_sha256(ends[0]) == state_sha256(ends[1])
    rows = [read_rows(tmp_path / run / "metrics.jsonl") for run in ("whole", "killed")]
    assert [row["step"] for row in rows[1]] == list(range(1, 13))
    assert [row["loss"] for row in rows[0]] == [row["loss"] for row in rows[1]]
    looks = [read_rows(tmp_path / run / "watched.jsonl") for run in ("whole", "killed")]
    assert looks[0] == looks[1]


def test_an_interrupted_run_saves_the_step_it_was_at(dataset: Path, tmp_path: Path) -> None:
    process = start(dataset, tmp_path / "run", "steps=1000", "saving.every=1000")
    deadline = time.monotonic() + 120
    while len(read_rows(tmp_path / "run" / "metrics.jsonl")) < 2 and time.monotonic() < deadline:
        assert process.poll() is None, process.stderr.read()
        time.sleep(0.02)
    process.send_signal(signal.SIGTERM)
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 130
    (path,) = checkpoints(tmp_path / "run")
    assert f"step {int(path.name)} is saved" in errors and "Traceback" not in errors


@pytest.mark.slow
def test_two_processes_take_the_steps_of_one(dataset: Path, tmp_path: Path) -> None:
    options = ("steps=3", "matting.kind=sgd", "matting.rate=0.02", "detector.kind=sgd", "detector.rate=0.02",
               "matting.clip=1")  # fmt: skip
    process = start(dataset, tmp_path / "two", *options, processes=2)
    run_here(dataset, tmp_path / "one", *options, "accumulate=2")
    _, errors = process.communicate(timeout=200)
    assert process.returncode == 0, errors
    one, two = (read_checkpoint(checkpoints(tmp_path / run)[-1] / "network.safetensors")[0] for run in ("one", "two"))
    start_state = matting_state(dataset)
    for name, tensor in one.items():
        if tensor.is_floating_point():
            torch.testing.assert_close(two[name], tensor, rtol=1e-4, atol=1e-5, msg=name)
    moved = max(float((one[name] - start_state[name]).abs().max()) for name in one if name.endswith("conv.weight"))
    assert moved > 1e-3
    losses = [[row["loss"] for row in read_rows(tmp_path / run / "metrics.jsonl")] for run in ("one", "two")]
    assert losses[0] == pytest.approx(losses[1], rel=1e-4)


def matting_state(dataset: Path) -> dict[str, Any]:
    from matting_data.networks.safenet.initial_weights import build_network

    config = tiny()
    return dict(build_network(config.network, config.seed).state_dict())


def test_not_a_number_stops_the_run_before_it_reaches_the_weights(
    dataset: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    take = Stepper._on_device

    def poisoned(self: Stepper, batch: dict, part: int, number: int) -> dict:
        given = take(self, batch, part, number)
        return {**given, "image": given["image"] * math.nan} if number == 3 else given

    monkeypatch.setattr(Stepper, "_on_device", poisoned)
    with pytest.raises(NotFinite, match=r"of step 3 are not finite \(samples .*the last checkpoint is .*00000002"):
        run_here(dataset, tmp_path / "run")
    monkeypatch.undo()
    result = run_here(dataset, tmp_path / "run", resume=True)
    assert all(bool(torch.isfinite(each).all()) for each in load_network(result.network).state_dict().values())


def test_a_network_whose_mattes_are_no_numbers_is_never_the_best(dataset: Path) -> None:
    from matting_data.networks.safenet.initial_weights import build_network
    from matting_data.training.parallel import World
    from matting_data.training.watch import Watch

    config = tiny()
    network = build_network(config.network, 1)
    watch = Watch(matting_data.open(dataset)["train"], config, World(0, 1, torch.device("cpu")))
    assert 0 < watch.look(network).best < 1
    with torch.no_grad():
        network.refined_head.conv.bias.fill_(math.nan)
    errors = watch.look(network).errors
    assert errors[0]["mad"] is not None and errors[1] == errors[2] == {"mad": None, "mse": None}
    with torch.no_grad():
        network.head.conv.bias.fill_(math.nan)
    assert watch.look(network).best == math.inf


@pytest.mark.parametrize("share", ["0", "0.3"])
@pytest.mark.parametrize("every_matte", [False, True])
def test_what_is_not_finite_is_no_score_of_a_run(
    dataset: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, share: str, every_matte: bool
) -> None:
    from matting_data.networks.safenet.network import SafeNet

    forward = SafeNet.forward

    def broken(self: Any, *args: Any) -> Any:
        output = forward(self, *args)
        if not self.training:
            for matte in (output.initial, *output.mattes) if every_matte else output.mattes[1:]:
                matte.fill_(math.nan)
        return output

    monkeypatch.setattr(SafeNet, "forward", broken)
    run, settings = tmp_path / "run", ("steps=3", f"validation.share={share}")
    if every_matte:
        with pytest.raises(NotFinite, match=r"^the weights of step 3 give no finite matte of the watched crops: lower"):
            run_here(dataset, run, *settings)
        assert not (run / "result.json").exists() and not (run / "network.safetensors").exists()
    else:
        result = run_here(dataset, run, *settings)
        assert result.watched[2] == {"mad": None, "mse": None} and result.watched[1]["mad"] < 1
        assert result.held_out_mad[2:] == ((None,) if share != "0" else ())
        assert result.refinements in ((0, 1) if share != "0" else (None,))
    written = "".join(path.read_text() for path in (*run.glob("*.jsonl"), *run.glob("*.json")))
    assert "null" in written and "NaN" not in written and "Infinity" not in written


def test_an_encoder_that_is_not_there_leaves_no_run(dataset: Path, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"no checkpoint .*absent"):
        run_here(dataset, tmp_path / "run", f"encoder={tmp_path / 'absent.pth'}")
    assert not (tmp_path / "run").exists()


def test_out_of_memory_says_which_setting_to_lower(
    dataset: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise torch.OutOfMemoryError("CUDA out of memory")

    monkeypatch.setattr(Stepper, "_part", full)
    with pytest.raises(UsageError) as caught:
        run_here(dataset, tmp_path / "run")
    assert str(caught.value) == (
        "cpu ran out of memory at step 0 with 4 samples of 64×64 at a time: raise accumulate from 1 (up to 4; the "
        "batch stays 4), or set checkpoint_steps to true, or lower data.crop from 64"
    )


@pytest.mark.parametrize("workers", [0, 1])
def test_a_damaged_shard_in_mid_epoch_saves_what_was_trained(damaged_copy: Path, tmp_path: Path, workers: int) -> None:
    split = matting_data.open(damaged_copy)["train"]
    row = split.row(split.keys[11])
    shard = damaged_copy / "train" / f"{row.shard:06d}.tar"
    content = bytearray(shard.read_bytes())
    content[row.alpha_offset : row.alpha_offset + 40] = bytes(40)
    shard.write_bytes(content)
    with pytest.raises(DamageError, match=rf"{row.key}.*\(step \d+ is saved in .*continue with --resume\)") as caught:
        run_here(
            damaged_copy,
            tmp_path / "run",
            "validation.share=0",
            "saving.every=100",
            "validation.every=100",
            f"data.workers={workers}",
        )
    assert "\n" not in str(caught.value)
    steps = [int(path.name) for path in checkpoints(tmp_path / "run")]
    assert steps == [row["step"] for row in read_rows(tmp_path / "run" / "metrics.jsonl")][-1:]


def test_a_run_is_continued_only_as_what_it_is(dataset: Path, built: Path, tmp_path: Path) -> None:
    run = tmp_path / "run"
    run_here(dataset, run)
    with pytest.raises(UsageError, match="holds a run: continue it with --resume"):
        run_here(dataset, run)
    with pytest.raises(UsageError, match=r"another config: network.width was 4 and is now 8"):
        run_here(dataset, run, "network.width=8", resume=True)
    with pytest.raises(UsageError, match="was trained on another dataset"):
        run_here(built, run, resume=True)
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "file").touch()
    with pytest.raises(UsageError, match="holds something else"):
        run_here(dataset, tmp_path / "other", resume=True)
    state = checkpoints(run)[-1] / "state.pt"
    state.write_bytes(state.read_bytes()[:100])
    with pytest.raises(DamageError, match="delete its folder to continue from the one before"):
        run_here(dataset, run, resume=True)


def test_a_finished_run_says_the_same_again(dataset: Path, tmp_path: Path) -> None:
    first = run_here(dataset, tmp_path / "run")
    assert run_here(dataset, tmp_path / "run", resume=True).sha256 == first.sha256
    record = json.loads((tmp_path / "run" / "run.json").read_text())
    assert record["dataset"]["content_sha256"] == matting_data.open(dataset).index["content_sha256"]
    assert record["environment"]["torch"] == torch.__version__


def test_every_switch_of_speed_and_memory_trains(dataset: Path, tmp_path: Path) -> None:
    switches = ("precision=bfloat16", "channels_last=true", "checkpoint_steps=true", "ema=0.99", "accumulate=2")
    options = ("data.stream=true", "data.unknown=area", "data.augmentation=photographic", "deterministic=false")
    run_here(dataset, tmp_path / "plain", "steps=3", *options, "ema=0.99", "accumulate=2")
    run_here(dataset, tmp_path / "fast", "steps=3", *options, *switches)
    plain, fast = ([row["loss"] for row in read_rows(tmp_path / run / "metrics.jsonl")] for run in ("plain", "fast"))
    assert plain == pytest.approx(fast, rel=0.03)
    assert plain != fast


@pytest.mark.parametrize(
    "preset", ["backbone", "sam", "sam_fem_zero", "paper", "control_untrained", "control_end_to_end"]
)
def test_every_row_of_the_ablation_trains(dataset: Path, tmp_path: Path, preset: str) -> None:
    from matting_data.networks.safenet.presets import as_mapping, load_config

    network = {
        **{key: value for key, value in as_mapping(load_config(preset)).items() if key != "flaw_target"},
        "width": 4, "detector_width": 4, "reduced_width": 8, "decoder_widths": [8, 8, 8, 4, 4], "flaw_width": 2,
    }  # fmt: skip
    overrides = [f"network={json.dumps(network)}", "steps=2", "network.iterations=" + str(network["iterations"])]
    run_here(dataset, tmp_path / "run", *overrides, "accumulate=2", "batch_norm=freeze_encoder")
    rows = read_rows(tmp_path / "run" / "metrics.jsonl")
    assert len(rows) == 2 and all(math.isfinite(row["loss"]) for row in rows)
    assert ("loss_detector" in rows[0]) == (preset == "paper")
    trained = read_checkpoint(checkpoints(tmp_path / "run")[-1] / "network.safetensors")[0]
    from matting_data.networks.safenet.initial_weights import build_network

    fresh = build_network(load_network(tmp_path / "run" / "network.safetensors").config, 2022).state_dict()
    changed = {name for name in trained if name.startswith("detector.layers") and name.endswith("0.weight")
               and not torch.equal(trained[name], fresh[name])}  # fmt: skip
    assert bool(changed) == (preset in ("paper", "control_end_to_end"))
