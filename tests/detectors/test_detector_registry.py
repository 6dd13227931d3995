"""Detectors by name, and nothing loaded before it is needed."""

import subprocess
import sys

import pytest

from matting_data.detectors import registry
from matting_data.detectors.detector import Detector
from matting_data.errors import UsageError


def test_the_default_follows_the_protocol() -> None:
    detector = registry.load("default")
    assert isinstance(detector, Detector)
    assert detector.name == "default" and detector.version


def test_an_unknown_name_suggests_the_nearest() -> None:
    with pytest.raises(UsageError, match=r"'defualt'.*did you mean 'default'"):
        registry.load("defualt")


def test_loading_opens_no_runtime() -> None:
    code = (
        "import sys; from matting_data.detectors import registry; registry.load('default').version; "
        "sys.exit('onnxruntime' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
