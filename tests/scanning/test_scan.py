"""Checking all inputs, each once."""

from __future__ import annotations

import os
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest
from numpy.typing import NDArray

from matting_data.detectors.detector import Detection, Thresholds
from matting_data.errors import OutOfMemoryError, StorageError, UsageError
from matting_data.imaging.fingerprint import fingerprint
from matting_data.recipes.recipe_file import LoadedRecipe, validate
from matting_data.records.checked import CheckedBackground, CheckedForeground
from matting_data.scanning.scan import load_detector, scan_backgrounds, scan_foregrounds
from matting_data.sources.decoded import load_background
from matting_data.sources.opened import open_backgrounds, open_foregrounds
from tests.support.projects import Project
from tests.support.synthetic import person, photo, png_file, save_cutouts, save_pairs, save_photos, write


class ScanResult(NamedTuple):
    foregrounds: list[CheckedForeground]
    backgrounds: list[CheckedBackground]
    thresholds: Thresholds | None


def scan(loaded: LoadedRecipe, cache: Path, workers: int) -> ScanResult:
    scanned = scan_backgrounds(loaded, open_backgrounds(loaded), cache, workers)
    return ScanResult(people_of(loaded, cache, workers), scanned.records, scanned.thresholds)


def people_of(loaded: LoadedRecipe, cache: Path, workers: int) -> list[CheckedForeground]:
    return scan_foregrounds(loaded.recipe.foregrounds, open_foregrounds(loaded), cache, workers).records


def recipe(base: Path, **changes: Any) -> LoadedRecipe:
    document: dict[str, Any] = {
        "name": "r",
        "foregrounds": {"sources": [{"layout": "rgba", "root": "people"}]},
        "backgrounds": {
            "sources": [{"layout": "folder", "root": "photos"}],
            "humans": {"detector": "none"},
            "min_side": 40,
        },
    }
    document["foregrounds"] |= changes.get("foregrounds", {})
    document["backgrounds"] |= changes.get("backgrounds", {})
    return LoadedRecipe(validate(document), base)


@pytest.fixture
def base(tmp_path: Path) -> Path:
    save_cutouts(tmp_path / "people", 4)
    save_photos(tmp_path / "photos", 5)
    write(tmp_path / "people" / "broken.png", b"no image")
    write(tmp_path / "photos" / "small.png", png_file(photo(30, 90)))
    return tmp_path


def cache_files(cache: Path) -> dict[str, tuple[int, int]]:
    """Every file of the cache with what changes when it is written again."""
    return {
        path.relative_to(cache).as_posix(): (path.stat().st_mtime_ns, path.stat().st_ino)
        for path in cache.rglob("*")
        if path.is_file()
    }


def states(result: ScanResult) -> list[tuple[str, str, str]]:
    records: list[Any] = [*result.foregrounds, *result.backgrounds]
    return [(r.id, r.state, r.reason) for r in records]


def test_every_input_has_one_row_in_the_order_it_was_found(base: Path) -> None:
    result = scan(recipe(base), base / "cache", 1)
    assert states(result) == [
        ("people-broken", "rejected", "unreadable"),
        *((f"people-p{i}", "ok", None) for i in range(4)),
        *((f"photos-b{i}", "ok", None) for i in range(5)),
        ("photos-small", "rejected", "too_small"),
    ]
    assert result.thresholds is None
    assert load_detector(recipe(base)) is None


def test_a_second_scan_reads_results_and_writes_nothing(base: Path) -> None:
    first = scan(recipe(base), base / "cache", 1)
    files = cache_files(base / "cache")
    assert files
    assert scan(recipe(base), base / "cache", 1) == first
    assert cache_files(base / "cache") == files


def same_stamp(path: Path, data: bytes) -> None:
    """Put other content of the same length in place, with the same time: only opening the file can tell."""
    status = path.stat()
    path.write_bytes(data.ljust(status.st_size, b"\0"))
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))
    assert (path.stat().st_size, path.stat().st_mtime_ns) == (status.st_size, status.st_mtime_ns)


def test_an_unchanged_file_is_not_opened_again(base: Path) -> None:
    first = scan(recipe(base), base / "cache", 1)
    same_stamp(base / "photos" / "b0.png", b"no image any more")
    same_stamp(base / "people" / "p1.png", b"no image any more")
    assert scan(recipe(base), base / "cache", 1) == first
    assert scan(recipe(base), base / "elsewhere", 1) != first


@pytest.mark.parametrize("name", ["photos/b1.png", "people/p2.png"])
def test_a_changed_file_is_checked_again_and_no_other(base: Path, name: str) -> None:
    before = scan(recipe(base), base / "cache", 1)
    unopened = base / "photos" / "b0.png"
    same_stamp(unopened, b"no image any more")
    write(base / name, b"changed to something else")
    after = scan(recipe(base), base / "cache", 1)
    old: list[Any] = [*before.foregrounds, *before.backgrounds]
    new: list[Any] = [*after.foregrounds, *after.backgrounds]
    changed = [a.id for a, b in zip(old, new, strict=True) if a != b]
    assert changed == [name.replace("/", "-").removesuffix(".png")]
    assert scan(recipe(base), base / "cache", 1) == after


def test_a_file_touched_without_a_change_is_checked_again_with_the_same_result(base: Path) -> None:
    first = scan(recipe(base), base / "cache", 1)
    files = cache_files(base / "cache")
    os.utime(base / "photos" / "b0.png", ns=(1, 1))
    assert scan(recipe(base), base / "cache", 1) == first
    assert len(cache_files(base / "cache")) == len(files) + 1


def test_new_files_join_and_gone_ones_leave(base: Path) -> None:
    scan(recipe(base), base / "cache", 1)
    (base / "photos" / "b0.png").unlink()
    write(base / "photos" / "new.png", png_file(photo(90, 70, 50)))
    ids = [r.id for r in scan(recipe(base), base / "cache", 1).backgrounds]
    assert ids == ["photos-b1", "photos-b2", "photos-b3", "photos-b4", "photos-new", "photos-small"]


def test_another_limit_checks_again_and_another_licence_does_not(base: Path) -> None:
    scan(recipe(base), base / "cache", 1)
    files = cache_files(base / "cache")
    licensed = [{"layout": "folder", "root": "photos", "license": "CC0"}]
    result = scan(recipe(base, backgrounds={"sources": licensed}), base / "cache", 1)
    assert {r.license for r in result.backgrounds} == {"CC0"}
    assert cache_files(base / "cache") == files
    strict = scan(recipe(base, backgrounds={"min_side": 80}), base / "cache", 1)
    assert {r.reason for r in strict.backgrounds} == {"too_small"}
    assert cache_files(base / "cache") != files


def test_metadata_that_changed_counts_without_a_check(base: Path) -> None:
    sources = [{"layout": "rgba", "root": "people", "metadata": "m.csv"}]
    write(base / "m.csv", b"file,person\np0.png,ann\n")
    people_of(recipe(base, foregrounds={"sources": sources}), base / "cache", 1)
    files = cache_files(base / "cache")
    write(base / "m.csv", b"file,person\np0.png,bob\n")
    records = people_of(recipe(base, foregrounds={"sources": sources}), base / "cache", 1)
    assert [r.person for r in records] == [None, "bob", None, None, None]
    assert cache_files(base / "cache") == files


def test_a_matte_that_arrives_later_is_noticed(tmp_path: Path) -> None:
    save_pairs(tmp_path, 2)
    save_photos(tmp_path / "photos", 1)
    matte = (tmp_path / "alpha" / "p1.png").read_bytes()
    (tmp_path / "alpha" / "p1.png").unlink()
    sources = [{"layout": "pairs", "image": "image", "alpha": "alpha", "name": "p", "colour": "as_is"}]
    pairs = recipe(tmp_path, foregrounds={"sources": sources})
    assert [r.reason for r in people_of(pairs, tmp_path / "cache", 1)] == [None, "no_matte"]
    write(tmp_path / "alpha" / "p1.png", matte)
    assert [r.reason for r in people_of(pairs, tmp_path / "cache", 1)] == [None, None]
    write(tmp_path / "alpha" / "p0.png", png_file(np.zeros((80, 64), np.uint8)))
    assert [r.reason for r in people_of(pairs, tmp_path / "cache", 1)] == ["alpha_empty", None]


def test_results_that_cannot_be_read_are_made_again(base: Path) -> None:
    first = scan(recipe(base), base / "cache", 1)
    for path in (base / "cache").rglob("*.parquet"):
        path.write_bytes(path.read_bytes()[:100])
    assert scan(recipe(base), base / "cache", 1) == first
    shutil.rmtree(base / "cache")
    assert scan(recipe(base), base / "cache", 1) == first


def test_an_input_that_cannot_be_opened_is_rejected_and_taken_when_it_can(base: Path) -> None:
    link = base / "photos" / "a-link.png"
    link.symlink_to(base / "not yet.png")
    before = scan(recipe(base), base / "cache", 1).backgrounds[0]
    assert (before.id, before.state, before.reason) == ("photos-a-link", "rejected", "unreadable")
    write(base / "not yet.png", png_file(photo(90, 70, 60)))
    assert scan(recipe(base), base / "cache", 1).backgrounds[0].state == "ok"


def test_an_error_of_our_own_ends_the_scan_at_its_input_and_the_next_run_continues(
    base: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(base / "photos" / "m-odd.png", png_file(photo(91, 73, 60)))

    def fail_on_odd(image: np.ndarray) -> str:
        if image.shape == (73, 91, 3):
            raise ArithmeticError("unforeseen")
        return fingerprint(image)

    with monkeypatch.context() as patched:
        patched.setattr("matting_data.scanning.checks.fingerprint", fail_on_odd)
        with pytest.raises(ArithmeticError, match="unforeseen") as caught:
            scan(recipe(base), base / "fresh", 1)
    assert caught.value.__notes__ == ["mattingdata was at photos-m-odd"]
    assert scan(recipe(base), base / "fresh", 1) == scan(recipe(base), base / "cache", 1)


def test_too_little_memory_is_a_sentence_with_the_input_it_was_at(base: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def greedy(image: np.ndarray) -> str:
        return str(np.empty(1 << 60, np.uint8))

    monkeypatch.setattr("matting_data.scanning.checks.fingerprint", greedy)
    with pytest.raises(OutOfMemoryError, match=r"^not enough memory for photos-.*fewer --workers$"):
        scan(recipe(base), base / "cache", 1)


def test_two_workers_find_what_one_finds(base: Path) -> None:
    one, two = scan(recipe(base), base / "one", 1), scan(recipe(base), base / "two", 2)
    assert one == two
    assert scan(recipe(base), base / "two", 1) == one


def test_a_cache_that_cannot_be_written_is_a_sentence(base: Path) -> None:
    blocked = write(base / "cache", b"a file")
    with pytest.raises(StorageError, match=f"^cannot write {blocked}"):
        scan(recipe(base), blocked / "sub", 1)


def test_an_unknown_detector_is_a_sentence(base: Path) -> None:
    with pytest.raises(UsageError, match="unknown human detector 'defalt'"):
        scan(recipe(base, backgrounds={"humans": {"detector": "defalt"}}), base / "cache", 1)


@pytest.mark.slow
def test_estimated_colours_are_kept_for_the_build(tmp_path: Path) -> None:
    image, alpha = person()
    write(tmp_path / "people" / "p.png", png_file(np.dstack([image, alpha])))
    save_photos(tmp_path / "photos", 1)
    sources = [{"layout": "rgba", "root": "people", "colour": "estimate"}]
    records = people_of(recipe(tmp_path, foregrounds={"sources": sources}), tmp_path / "cache", 1)
    assert [(r.state, r.colour) for r in records] == [("ok", "estimated")]
    assert len(list((tmp_path / "cache" / "colours").rglob("*.rgb"))) == 1


def test_a_detector_gets_its_batches_and_an_error_of_it_names_the_photographs(
    project: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sizes: list[int] = []
    bad: list[NDArray[np.uint8]] = []

    class Batching:
        name, version, thresholds, batch_size = "batching", "1", Thresholds(0.5, 0.4), 5

        def detect(self, image: NDArray[np.uint8]) -> Detection:
            if any(np.array_equal(image, other) for other in bad):
                raise RuntimeError("no such luck")
            return Detection(float(image.mean() / 255))

        def detect_batch(self, images: Sequence[NDArray[np.uint8]]) -> list[Detection]:
            sizes.append(len(images))
            return [self.detect(image) for image in images]

    loaded = project.load("backgrounds.humans.detector=batching")
    monkeypatch.setattr("matting_data.detectors.registry.load", lambda _: Batching())
    bad.append(load_background((project.root / "photos" / "b06.jpg").read_bytes()))
    with pytest.raises(RuntimeError, match="no such luck") as caught:
        scan_backgrounds(loaded, open_backgrounds(loaded), tmp_path / "cache", 1)
    assert "photos-b06 or photos-b07" in caught.value.__notes__[0] and "photos-b01" not in caught.value.__notes__[0]
    bad.clear()
    records = scan_backgrounds(loaded, open_backgrounds(loaded), tmp_path / "cache", 1).records
    assert sizes == [5, 5, 5, 2]  # what was scored before the error is kept
    batched = {record.id: record.score for record in records}
    assert (
        len(batched) == 12
        and None not in batched.values()
        and all(0 < score < 1 for score in batched.values() if score is not None)
    )
    monkeypatch.setattr(Batching, "batch_size", 1)
    again = scan_backgrounds(loaded, open_backgrounds(loaded), tmp_path / "other", 1).records
    assert {record.id: record.score for record in again} == batched


def test_a_recipe_may_name_a_detector_by_keys_or_several(project: Project) -> None:
    tiled = load_detector(project.load("backgrounds.humans.detector={kind: default, tiles: 2}"))
    assert tiled is not None and "default" in tiled.name
    several = load_detector(project.load("backgrounds.humans.detector=[default, {kind: default, tiles: 2}]"))
    assert several is not None and several.version != tiled.version
    with pytest.raises(UsageError, match=r"weights 'gone.onnx' of the detector is not a file"):
        load_detector(project.load("backgrounds.humans.detector={kind: onnx, weights: gone.onnx}"))
    with pytest.raises(UsageError, match=r"unknown key 'backgrounds.humans.detector.wieghts'; did you mean 'weights'"):
        project.load("backgrounds.humans.detector={kind: onnx, wieghts: x}")
