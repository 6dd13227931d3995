"""``mattingdata train``."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

import click

from .main import echo_json
from .options import PATH, device_option, json_option, override_option
from .terminal import say


@click.command()
@click.argument("config", metavar="PRESET|CONFIG.yaml")
@click.option("--data", required=True, help="Built dataset: a folder, or a URL.")
@click.option("--out", required=True, type=PATH, help="Folder of the run.")
@click.option("--resume", is_flag=True, help="Continue the run in --out from its last checkpoint.")
@device_option()
@override_option("config", "data.crop=256")
@json_option
def train(
    config: str, data: str, out: Path, resume: bool, device: str, overrides: tuple[str, ...], as_json: bool
) -> int:
    """Train SAFE-Net, or one of its ablations, on a built dataset.

    \b
    presets        unrolled (recommended), paper, tiny, and those of the networks
    several GPUs   torchrun --nproc-per-node 4 --no-python mattingdata train unrolled --data ... --out ...

    The test split is never touched. People are held out of the training split to choose the best weights and, at the
    end, the number of refinements. The run folder keeps config, environment, logs and checkpoints; a run that was
    killed or interrupted continues with --resume and ends with the weights it would have had.
    """  # noqa: D301 - click reads the backspace
    import matting_data
    from matting_data.training.config_file import load_config
    from matting_data.training.parallel import world
    from matting_data.training.train import train as run

    settings, dataset = load_config(config, overrides), matting_data.open(data)
    with world(device) as here:
        result = run(settings, dataset, out, here, resume, lambda text: say(text, err=True))
        if not here.leads:
            return 0
    if as_json:
        echo_json(asdict(result) | {"run": str(result.run), "network": str(result.network)})
        return 0
    say(f"{result.network}: weights after step {result.network_step} of {result.steps}")
    for refinements, look in enumerate(result.watched):
        say(f"watched crops, refinements {refinements}: MAD {_number(look['mad'])}  MSE {_number(look['mse'])}")
    if result.refinements is not None:
        errors = ", ".join(map(_number, result.held_out_mad))
        say(f"people held out: MAD {errors} after 0, 1, ... refinements: take {result.refinements}")
    return 0


def _number(error: float | None) -> str:
    return "not finite" if error is None else f"{error:.4f}"
