from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("torch")

from matting_data.errors import UsageError
from matting_data.networks.safenet.options import LossWeights, SafeNetConfig
from matting_data.networks.safenet.presets import as_mapping, config_from, load_config, preset_names


def test_the_presets() -> None:
    assert preset_names() == [
        "backbone", "control_end_to_end", "control_untrained", "paper", "paper_carry", "sam", "sam_fem", "sam_fem_zero",
        "unrolled",
    ]  # fmt: skip
    assert load_config("unrolled") == SafeNetConfig()
    assert load_config("paper") == SafeNetConfig(iterations=1, state="reset")


@pytest.mark.parametrize("name", preset_names())
def test_a_config_survives_as_a_mapping(name: str) -> None:
    config = load_config(name)
    assert config_from(as_mapping(config)) == config


def test_a_file_of_ones_own(tmp_path: Path) -> None:
    path = tmp_path / "wide.yaml"
    path.write_text("width: 64\nstride: 2\nloss: {unknown: 2}\n")
    assert load_config(path) == SafeNetConfig(width=64, stride=2, loss=LossWeights(unknown=2))
    path.write_text("{}")
    assert load_config(path) == SafeNetConfig()
    path.write_text("")
    with pytest.raises(UsageError, match="is not a network: it holds no keys; start from the preset 'unrolled'"):
        load_config(path)


@pytest.mark.parametrize(
    ("document", "message"),
    [
        ({"widht": 3}, "unknown key 'widht'; did you mean 'width'?"),
        ({"loss": {"gamma": 3}}, "unknown key 'loss.gamma'"),
        ({"loss": {"unknwon": 3}}, "unknown key 'loss.unknwon'; did you mean 'unknown'?"),
        ({"width": 0}, "width is 0: input should be greater than or equal to 1"),
        ({"stride": 3}, "stride is 3: input should be 1 or 2"),
        ({"refinement": "none"}, "0 goes with 'none' and only with it"),
        ({"iterations": 0}, "0 goes with 'none' and only with it"),
        ({"refinement": "sam"}, "flaw_map 'detector' has no use with refinement 'sam': set it to 'zeros'"),
        ({"iterations": 1}, "recurrent weights that never get a gradient: set state to 'reset'"),
        ({"spatial_attention": "shared", "spatial_source": "lowest"}, "leave spatial_source at 'D5'"),
        ([1], "a network is a mapping of keys to values, not list"),
    ],
)
def test_mistakes_are_said_in_one_sentence(document: Any, message: str) -> None:
    with pytest.raises(UsageError) as caught:
        config_from(document, "mine.yaml")
    assert str(caught.value).startswith("mine.yaml: ")
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_network_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"no network 'papr' .* did you mean 'paper'\?"):
        load_config("papr")
    broken = tmp_path / "broken.yaml"
    broken.write_text("width: [")
    with pytest.raises(UsageError, match=r"is not a network: .* at line 1"):
        load_config(broken)


def test_without_torch_the_extra_is_named() -> None:
    program = (
        "import sys; sys.modules['torch'] = None\n"
        "from matting_data.errors import MissingExtraError\n"
        "try:\n    import matting_data.networks.safenet.presets\n"
        "except MissingExtraError as error:\n    print(error)"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "torch is not installed: run pip install 'mattingdata[torch]'"
