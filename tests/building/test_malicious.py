"""Inputs made to do harm: nothing runs, nothing is written outside the output, and the ledger or a sentence says so."""

from __future__ import annotations

import io
import json
import pickle
import struct
import subprocess
import sys
import tarfile
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import polars as pl
import pytest

import matting_data
from matting_data.building.build import build
from matting_data.building.materialize import materialize
from matting_data.errors import DamageError, MattingDataError, RejectedInput, UsageError
from matting_data.recipes.recipe_file import load
from matting_data.records.checked import CheckedForeground
from matting_data.records.judged import JudgedBackground
from matting_data.records.ledger_row import LedgerRow
from matting_data.records.self_hashed import checked_metadata, hashed_parquet
from matting_data.records.tables import parquet_bytes, read_table
from matting_data.rendering.source_inputs import SourceInputs
from matting_data.shards.index import read_index, write_index
from matting_data.sources.opened import open_sources
from matting_data.storage.atomic import sha256_file
from matting_data.upkeep.repair import repair
from matting_data.upkeep.verify import verify
from matting_data.workspace.colour_cache import ColourCache
from matting_data.workspace.plan_tables import saved_plan
from tests.support.projects import Project
from tests.support.synthetic import chunk, encoded, photo, png_header


class Planted:
    """Touches a file when it is unpickled."""

    def __init__(self, mark: Path) -> None:
        self.mark = mark

    def __reduce__(self) -> tuple[Callable[[Path], None], tuple[Path]]:
        return Path.touch, (self.mark,)


def reasons(out: Path, name: str) -> dict[str, str]:
    return {row.path: row.reason for row in read_table(out / "ledger" / f"{name}.parquet", LedgerRow)}


def everything(root: Path) -> dict[str, tuple[int, int]]:
    found = (path for path in root.rglob("*") if path.is_file())
    return {str(path): (path.stat().st_size, path.stat().st_mtime_ns) for path in found}


def test_a_pickle_never_runs_wherever_it_lies(project: Project) -> None:
    mark = project.root / "ran"
    planted = pickle.dumps(Planted(mark))
    (project.root / "people" / "evil.png").write_bytes(planted)
    (project.root / "photos" / "evil.jpg").write_bytes(planted)
    for name in ("foregrounds/000000.parquet", "backgrounds/000000.parquet", "base.json"):
        path = project.out / ".work" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(planted)
    (project.out / ".work" / "CACHEDIR.TAG").touch()
    project.build()
    assert reasons(project.out, "foregrounds")["evil.png"] == "unreadable"
    assert reasons(project.out, "backgrounds")["evil.jpg"] == "unreadable"
    sound = {path: path.read_bytes() for path in project.out.rglob("*") if path.is_file() and ".work" not in path.parts}
    for path, content in sound.items():
        path.write_bytes(planted)
        with pytest.raises(DamageError) if path.name == "dataset.json" else _found(project.out):
            verify(project.out, True, 0, None, 1)
        repair(project.out, None, 1)
        assert path.read_bytes() == content
    assert not mark.exists()
    pickle.loads(planted)
    assert mark.exists()  # it would have


class _found:  # noqa: N801 - reads as pytest.raises beside it
    def __init__(self, out: Path) -> None:
        self.out = out

    def __enter__(self) -> None:
        assert verify(self.out, True, 0, None, 1).problems

    def __exit__(self, *_: object) -> None: ...


def png_bomb(name: bytes, head: bytes) -> bytes:
    """A PNG of one pixel with a chunk that inflates to 200 MB."""
    squeeze = zlib.compressobj(9)
    parts = [squeeze.compress(bytes(1 << 20)) for _ in range(200)]
    content = head + b"".join([*parts, squeeze.flush()])
    pixels = chunk(b"IDAT", zlib.compress(b"\0\0\0\0"))
    return png_header(1, 1, 8, 2) + chunk(name, content) + pixels + chunk(b"IEND", b"")


@pytest.mark.parametrize(
    ("name", "head"), [(b"iCCP", b"p\0\0"), (b"zTXt", b"Comment\0\0"), (b"iTXt", b"Comment\0\1\0\0\0")]
)
def test_a_chunk_that_inflates_without_end_is_not_inflated(tmp_path: Path, name: bytes, head: bytes) -> None:
    path = tmp_path / "bomb.png"
    path.write_bytes(png_bomb(name, head))
    code = (
        "import resource, sys\n"
        "from matting_data.errors import RejectedInput\n"
        "from matting_data.imaging.decode import decode\n"
        "data = open(sys.argv[1], 'rb').read()\n"
        "peak = lambda: resource.getrusage(resource.RUSAGE_SELF).ru_maxrss\n"
        "before = peak()\n"
        "try: found = str(decode(data).size)\n"
        "except RejectedInput as refused: found = refused.reason\n"
        "print(found, (peak() - before) // 1024)"
    )  # a process of its own, whose peak no other test has raised
    done = subprocess.run([sys.executable, "-c", code, path], capture_output=True, text=True, check=True)
    found, mebibytes = done.stdout.rsplit(" ", 1)
    assert found in ("(1, 1)", "unreadable")
    assert int(mebibytes) < 100  # of 200


def bombs() -> dict[str, bytes]:
    jpeg = bytearray(encoded(photo(16, 16), "JPEG"))
    start = jpeg.index(b"\xff\xc0")
    jpeg[start + 5 : start + 9] = struct.pack(">HH", 65_000, 65_000)
    gif = bytearray(encoded(photo(16, 16)[..., 0], "GIF"))
    gif[6:10] = struct.pack("<HH", 65_000, 65_000)
    pixels = chunk(b"IDAT", zlib.compress(bytes(1000)))
    return {
        "huge.jpg": bytes(jpeg),
        "huge.gif": bytes(gif),
        "huge.png": png_header(60_000, 60_000, 8, 6) + pixels + chunk(b"IEND", b""),
    }


def test_image_bombs_end_in_the_ledger(project: Project) -> None:
    for name, data in bombs().items():
        (project.root / "photos" / name).write_bytes(data)
        (project.root / "people" / name).write_bytes(data)
    assert project.build().failed == 0
    for kind in ("foregrounds", "backgrounds"):
        found = reasons(project.out, kind)
        assert {name: found[name] for name in bombs()} == dict.fromkeys(bombs(), "too_large")


def sun_tar(path: Path, photos: list[bytes], odd: list[tarfile.TarInfo]) -> None:
    with tarfile.open(path, "w") as tar:
        for number, data in enumerate(photos):
            info = tarfile.TarInfo(f"SUN397/a/abbey/sun_{chr(97 + number) * 16}.jpg")
            info.size = len(data)
            tar.addfile(info, io.BytesIO(data))
        for info in odd:
            tar.addfile(info, io.BytesIO(b"x" * info.size))


def entry(name: str, kind: bytes = tarfile.REGTYPE, size: int = 0, target: str = "") -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    info.type, info.size, info.linkname = kind, size, target
    return info


def test_nothing_leaves_a_tar_of_backgrounds(project: Project, tmp_path: Path) -> None:
    sun_tar(
        project.root / "sun.tar",
        [(project.root / "photos" / f"b{n:02d}.jpg").read_bytes() for n in range(12)],
        [
            entry("../../outside.jpg", size=9),
            entry("SUN397/../../../outside.jpg"),
            entry(f"{tmp_path}/absolute.jpg", size=9),
            entry("SUN397/a/abbey/link.jpg", tarfile.SYMTYPE, target="/etc/passwd"),
            entry("SUN397/a/abbey/hard.jpg", tarfile.LNKTYPE, target="../../../etc/passwd"),
            entry("SUN397/a/abbey/device.jpg", tarfile.CHRTYPE),
            entry("SUN397/a/abbey/pipe.jpg", tarfile.FIFOTYPE),
        ],
    )
    project.recipe["backgrounds"]["sources"] = [{"layout": "sun", "name": "sun", "root": "sun.tar"}]
    before = everything(tmp_path)
    project.build()
    after = {path: state for path, state in everything(tmp_path).items() if not path.startswith(str(project.out))}
    assert after == {**before, str(project.root / "recipe.yaml"): after[str(project.root / "recipe.yaml")]}
    found = reasons(project.out, "backgrounds")
    odd = {"../../outside.jpg", "SUN397/../../../outside.jpg", f"{tmp_path}/absolute.jpg"}
    odd |= {"SUN397/a/abbey/link.jpg", "SUN397/a/abbey/hard.jpg"}
    assert {path for path, reason in found.items() if reason == "outside"} == odd
    assert len(found) == 17  # what is no file is no image


def test_metadata_cannot_name_files_outside_its_source(project: Project, tmp_path: Path) -> None:
    (tmp_path / "secret.png").write_bytes((project.root / "people" / "p00.png").read_bytes())
    rows = ["file,person", "../../secret.png,x", f"{tmp_path}/secret.png,y", "p00.png,../../z"]
    (project.root / "people.csv").write_text("\n".join(rows))
    project.recipe["foregrounds"]["sources"][0] |= {"metadata": "people.csv", "unmatched_rows": "note"}
    project.build()
    assert not any("secret" in path for path in reasons(project.out, "foregrounds"))
    assert all(path.parent != tmp_path or path.name in ("secret.png", "project") for path in tmp_path.iterdir())


@pytest.mark.parametrize("tag", ["!!python/object/apply:os.system", "!!python/object/new:os.system"])
def test_a_recipe_runs_nothing(project: Project, tag: str) -> None:
    mark = project.root / "ran"
    path = project.root / "recipe.yaml"
    path.write_text(f"name: {tag} ['touch {mark}']\n")
    with pytest.raises(UsageError, match="is not a recipe"):
        build(load(path), project.out, 1)
    assert not mark.exists()


def test_records_cannot_read_outside_their_source(project: Project, tmp_path: Path) -> None:
    (tmp_path / "secret.png").write_bytes((project.root / "people" / "p00.png").read_bytes())
    inputs = SourceInputs(open_sources(project.load()), ColourCache(tmp_path / "colours"))
    for path in ("../../secret.png", str(tmp_path / "secret.png")):
        with pytest.raises(RejectedInput, match="leads out of its source"):
            inputs.foreground(CheckedForeground("x", "people", path))
        with pytest.raises(RejectedInput, match="leads out of its source"):
            inputs.background(JudgedBackground("x", "photos", path))


def forge(out: Path, name: str, column: str, value: str | int) -> None:
    """Change a column of a table, and every hash that speaks of it, as whoever hands on a dataset can."""
    path = out / name
    table, metadata = pl.read_parquet(path), checked_metadata(path.read_bytes())
    table = table.with_columns(pl.lit(value).alias(column).cast(table.schema[column]))
    path.write_bytes(parquet_bytes(table) if metadata is None else hashed_parquet(table, metadata))
    sha256 = sha256_file(path)
    if name in ("foregrounds.parquet", "backgrounds.parquet"):
        plan = pl.read_parquet(out / "plan.parquet")
        metadata = checked_metadata((out / "plan.parquet").read_bytes())
        (out / "plan.parquet").write_bytes(hashed_parquet(plan, {**(metadata or {}), name: sha256}))
    index = read_index(out)
    index["files"]["plan.parquet"] = sha256_file(out / "plan.parquet")
    if name in index["files"]:
        index["files"][name] = sha256
    for split in index["splits"].values():
        for shard in split["shards"]:
            if shard["manifest"] == name:
                shard["manifest_sha256"] = sha256
    write_index(out, index)


@pytest.mark.parametrize(
    ("name", "column", "value"),
    [
        ("plan.parquet", "split", "../../evil"),
        ("plan.parquet", "key", "../../evil"),
        ("plan.parquet", "foreground", "/evil"),
        ("foregrounds.parquet", "id", "../evil"),
        ("backgrounds.parquet", "id", "../evil"),
        ("train/000000.parquet", "key", "../../evil"),
        ("train/000000.parquet", "split", "../evil"),
        ("train/000000.parquet", "image_offset", -5),
    ],
)
def test_tables_of_a_hand_made_dataset_lead_nowhere(
    built: Path, tmp_path: Path, name: str, column: str, value: str | int
) -> None:
    forge(built, name, column, value)
    (built / "test" / "000000.tar").unlink()
    before = everything(tmp_path)
    for use in (
        lambda: repair(built, None, 1),
        lambda: verify(built, True, 4, None, 1),
        lambda: open_rows(built),
        lambda: saved_plan(built),
    ):
        try:
            use()
        except DamageError as error:
            assert "\n" not in str(error)
    after = everything(tmp_path)
    assert {path for path in after if not path.startswith(str(built))} == {
        p for p in before if not p.startswith(str(built))
    }
    table = saved_plan if name in ("plan.parquet", "foregrounds.parquet", "backgrounds.parquet") else open_rows
    with pytest.raises(DamageError, match="was not written by mattingdata"):
        table(built)


def open_rows(out: Path) -> object:
    return matting_data.open(out)["train"].rows


@pytest.mark.parametrize("place", ["tar", "manifest", "file", "split"])
def test_an_index_cannot_name_files_outside_its_folder(built: Path, tmp_path: Path, place: str) -> None:
    index: Any = read_index(built)
    shard = index["splits"]["train"]["shards"][0]
    if place == "file":
        index["files"]["../../evil.parquet"] = "0" * 64
    elif place == "split":
        index["splits"]["../evil"] = index["splits"].pop("train")
    else:
        shard[place] = f"../../evil.{'tar' if place == 'tar' else 'parquet'}"
    write_index(built, index)
    with pytest.raises(DamageError, match="was not written by mattingdata"):
        verify(built, True, 0, None, 1)
    repair(built, None, 1)
    assert verify(built, True, 0, None, 1).problems == []
    assert not list(tmp_path.glob("evil*"))


@pytest.mark.parametrize("name", ["train", "ledger", ".work"])
def test_folders_of_a_dataset_that_are_links_are_refused(built: Path, tmp_path: Path, name: str) -> None:
    victim = tmp_path / "victim"
    (built / name).rename(victim)
    (built / name).symlink_to(victim)
    before = everything(victim)
    (victim / "000000.tar").unlink(missing_ok=True)
    before.pop(str(victim / "000000.tar"), None)
    with pytest.raises(UsageError, match="is a link"):
        repair(built, None, 1)
    assert everything(victim) == before


def test_a_lock_that_is_a_link_empties_no_file(project: Project, tmp_path: Path) -> None:
    project.build()
    (tmp_path / "thesis.tex").write_text("mine")
    lock = project.out / ".work" / "lock"
    lock.unlink()
    lock.symlink_to(tmp_path / "thesis.tex")
    with pytest.raises(MattingDataError):
        project.build()
    assert (tmp_path / "thesis.tex").read_text() == "mine"


def test_a_materialized_forgery_stays_in_its_folder(project: Project, tmp_path: Path) -> None:
    project.build("store.kind=layers")
    forge(project.out, "plan.parquet", "split", "../../evil")
    with pytest.raises(DamageError, match="was not written by mattingdata"):
        materialize(project.out, tmp_path / "composites", 1)
    assert not list(tmp_path.glob("evil*"))
    assert json.loads((project.out / "dataset.json").read_text())["store"] == "layers"
    assert [path.name for path in (tmp_path / "composites").iterdir()] == [".work"]
