from __future__ import annotations

import io
import json
import random
import tarfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from matting_data.errors import DamageError
from matting_data.upkeep.dataset_checks import check_planes
from matting_data.upkeep.verify import Verification, verify
from tests.support.commands import RunCommand
from tests.support.projects import Project


def check(out: Path, deep: bool = True, recompose: int = 4, base: Path | None = None) -> Verification:
    return verify(out, deep, recompose, base, 1)


def test_a_fresh_dataset_is_sound_and_recomposes_from_its_sources(project: Project) -> None:
    project.build()
    result = check(project.out, recompose=18)
    assert (result.samples, result.recomposed, result.problems, result.skipped) == (18, 18, [], "")


@pytest.mark.slow
def test_every_flipped_byte_is_found(built: Path) -> None:
    files = [path for path in sorted(built.rglob("*")) if path.is_file() and ".work" not in path.parts]
    rng = random.Random(0)
    weights = [path.stat().st_size for path in files]
    for trial in range(120):
        path = files[trial] if trial < len(files) else rng.choices(files, weights)[0]
        before = path.read_bytes()
        place = rng.randrange(len(before))
        path.write_bytes(before[:place] + bytes([before[place] ^ (1 << rng.randrange(8))]) + before[place + 1 :])
        try:
            assert verify(built, False, 0, None, 1).problems, f"{path} at {place}"
        except DamageError:
            assert path.name == "dataset.json"
        path.write_bytes(before)
    assert not check(built).problems


DAMAGE: dict[str, tuple[Callable[[Path], object], str]] = {
    "a missing tar": (lambda out: (out / "train/000000.tar").unlink(), "is missing"),
    "a missing manifest": (lambda out: (out / "train/000000.parquet").unlink(), "is missing"),
    "a cut tar": (lambda out: (out / "test/000000.tar").write_bytes(b"x"), "has 1 bytes instead of"),
    "a stray file": (lambda out: (out / "train/notes.txt").write_text("hi"), "is not part of the dataset"),
    "a leftover": (lambda out: (out / "train/000000.tar.tmp-77").write_text(""), "unfinished file of a killed build"),
    "an altered recipe": (lambda out: (out / "recipe.yaml").write_text("name: x"), "not those that were written"),
}


@pytest.mark.parametrize("kind", DAMAGE)
def test_damage_is_named_with_its_file(built: Path, kind: str) -> None:
    damage, words = DAMAGE[kind]
    damage(built)
    assert any(words in problem.what for problem in check(built).problems)


def test_an_unfinished_dataset_says_how_to_complete_it(built: Path) -> None:
    (built / "dataset.json").unlink()
    with pytest.raises(DamageError, match="is unfinished: run 'mattingdata build' again"):
        check(built)


def test_a_newer_format_says_what_to_do(built: Path) -> None:
    index = json.loads((built / "dataset.json").read_text())
    (built / "dataset.json").write_text(json.dumps(index | {"format": "mattingdata/9"}))
    with pytest.raises(DamageError, match=r"has format 'mattingdata/9'.*upgrade mattingdata"):
        check(built)


def test_a_dataset_that_lies_consistently_is_found_by_making_it_again(project: Project) -> None:
    """Hashes agree with the files, but the pixels are not what the recipe makes."""
    project.build()
    before = json.loads((project.out / "dataset.json").read_text())
    other = project.root / "other"
    project.build("trimap.train={kind: dim, kernel: [3, 9]}", out=other)
    for name in ("000000", "000001"):
        for suffix in ("tar", "parquet"):
            (project.out / f"train/{name}.{suffix}").write_bytes((other / f"train/{name}.{suffix}").read_bytes())
    from matting_data.shards.index import write_index
    from matting_data.shards.index_model import content_sha256

    lied = json.loads((other / "dataset.json").read_text())
    index = before | {"splits": {**before["splits"], "train": lied["splits"]["train"]}}
    index["content_sha256"] = content_sha256({s: e["shards"] for s, e in index["splits"].items()})
    write_index(project.out, index)
    result = check(project.out, recompose=18)
    assert result.problems and all("made again from the sources" in problem.what for problem in result.problems)


def test_absent_sources_are_said_and_are_no_damage(built: Path, tmp_path: Path) -> None:
    import shutil

    shutil.rmtree(built / ".work")
    result = check(built)
    assert result.recomposed == 0 and not result.problems
    assert "the sources are not at hand" in result.skipped


@pytest.mark.parametrize("side", ["people", "photos"])
def test_an_altered_source_is_said_and_decides_the_exit_code(project: Project, command: RunCommand, side: str) -> None:
    project.build()
    path = project.add_person(0) if side == "people" else project.add_photo(0)
    content = path.read_bytes()
    path.write_bytes(content + b"\0")
    code, out, _ = command("verify", project.out, "--recompose", 18, "--workers", 1)
    assert code == 1
    assert out.count(f": {path.name} is no longer the file that was checked") >= 1 and "a source was altered: " in out
    result = check(project.out, recompose=18)
    assert result.altered and not result.problems and result.recomposed + len(result.altered) == 18
    path.write_bytes(content)
    assert command("verify", project.out, "--recompose", 18, "--workers", 1)[0] == 0
    path.unlink()
    assert command("verify", project.out, "--recompose", 18, "--workers", 1)[0] == 0  # not at hand is no alteration


class Reads:
    """Counts the bytes that are hashed or fetched of tars."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        from matting_data.storage import LocalStorage

        self.names: list[str] = []
        for method in ("sha256", "fetched", "read"):
            real = getattr(LocalStorage, method)
            monkeypatch.setattr(LocalStorage, method, self.noting(real))

    def noting(self, real: Callable[..., object]) -> Callable[..., object]:
        def note(storage: object, name: str, *others: object) -> object:
            self.names.append(name)
            return real(storage, name, *others)

        return note


def test_a_quick_look_reads_no_tar_and_finds_what_lengths_and_tables_tell(
    built: Path, command: RunCommand, monkeypatch: pytest.MonkeyPatch
) -> None:
    reads = Reads(monkeypatch)
    quick = ("verify", built, "--quick", "--workers", 1)
    code, out, _ = command(*quick)
    assert (code, "18 samples, sound; 0 recomposed" in out) == (0, True), out
    assert not [name for name in reads.names if name.endswith(".tar")]
    tar, table = built / "train/000000.tar", built / "train/000000.parquet"
    content = tar.read_bytes()
    tar.write_bytes(bytes([content[0] ^ 1]) + content[1:])
    assert command(*quick)[0] == 0  # a flipped bit takes a reading of the tar
    assert command("verify", built, "--hash-only", "--workers", 1)[0] == 1
    tar.write_bytes(content[:-1])
    assert command(*quick)[0] == 1
    tar.unlink()
    assert command(*quick)[0] == 1
    tar.write_bytes(content)
    table.write_bytes(table.read_bytes()[:-1] + b"x")
    assert command(*quick)[0] == 1


def test_a_dataset_without_its_work_folder_recomposes_from_a_given_base(project: Project) -> None:
    import shutil

    project.build()
    shutil.rmtree(project.out / ".work")
    assert check(project.out, base=project.root).recomposed == 4


def test_a_tar_with_reordered_members_differs_from_its_manifest(built: Path) -> None:
    from matting_data.records.stored import Sample
    from matting_data.records.tables import read_table
    from matting_data.shards.names import MEMBERS
    from matting_data.upkeep.dataset_checks import check_tar

    tar = built / "train/000000.tar"
    with tarfile.open(tar) as archive:
        contents = [(member, archive.extractfile(member).read()) for member in archive]
    with tarfile.open(tar, "w") as archive:
        for member, data in reversed(contents):
            archive.addfile(member, io.BytesIO(data))
    rows = read_table(built / "train/000000.parquet", Sample)
    found = check_tar(built / "train/000000.tar", rows, MEMBERS, lambda tar, row: [])
    assert [what for what in found if "differ from the manifest's" in what] == found != []


@pytest.mark.parametrize(
    ("alpha", "trimap", "words"),
    [
        (255, 200, "only 0, 128 and 255"),
        (254, 255, "foreground that are not opaque"),
        (1, 0, "background that show some person"),
    ],
)
def test_contradictions_of_alpha_and_trimap_are_named(alpha: int, trimap: int, words: str) -> None:
    planes = np.full((4, 4), 255, np.uint8), np.full((4, 4), 128, np.uint8)
    assert check_planes(*planes) == []
    planes[0][1, 1], planes[1][1, 1] = alpha, trimap
    assert [what for what in check_planes(*planes) if words in what]
