from __future__ import annotations

import pytest

pytest.importorskip("torch")

from matting_data.errors import UsageError
from matting_data.training.config_file import load_config


@pytest.mark.parametrize("crop", [32, 5000, 100, "wide"])
def test_a_wrong_crop_is_named_as_it_was_set(crop: object) -> None:
    with pytest.raises(UsageError) as caught:
        load_config("tiny", [f"data.crop={crop}"])
    assert "data" in str(caught.value) and "crop" in str(caught.value) and "flaw_target" not in str(caught.value)


def test_the_flaw_target_follows_the_crop_unless_it_is_given() -> None:
    assert load_config("tiny", ["data.crop=160"]).network.flaw_target.size == 160
    assert load_config("tiny", ["data.crop=160", "network.flaw_target.size=96"]).network.flaw_target.size == 96
