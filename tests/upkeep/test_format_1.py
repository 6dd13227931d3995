"""A dataset of the format mattingdata/1: read like one of today, but neither continued nor repaired."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import polars as pl
import pytest

import matting_data
from matting_data.building.build import build
from matting_data.errors import DamageError
from matting_data.recipes.recipe_file import load
from matting_data.records.checked import CheckedForeground, HumanBox
from matting_data.records.judged import JudgedBackground
from matting_data.records.tables import read_table
from matting_data.shards.index import read_index
from matting_data.upkeep.verify import verify
from matting_data.workspace.plan_tables import saved_plan
from tests.support.commands import RunCommand

FIXTURE = Path(__file__).parents[1] / "data" / "format_1"


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """A copy of the sources and the dataset built from them, in its folder ``dataset``."""
    return Path(shutil.copytree(FIXTURE, tmp_path / "format_1"))


def content_of(out: Path) -> dict[str, bytes]:
    return {
        path.relative_to(out).as_posix(): path.read_bytes()
        for path in out.rglob("*")
        if path.is_file() and ".work" not in path.parts
    }


def test_what_was_not_known_is_none_and_boxes_are_a_list() -> None:
    people = {r.id: r for r in read_table(FIXTURE / "dataset" / "foregrounds.parquet", CheckedForeground)}
    solid, bob = people["people-solid"], people["people-p1"]
    assert (solid.reason, solid.width, solid.fingerprint, solid.x0, solid.coverage) == ("alpha_full", 64, *[None] * 3)
    assert (bob.subset, bob.person, bob.author, bob.alpha, bob.alpha_sha256) == (None, "bob", None, None, None)
    photos = {r.id: r for r in read_table(FIXTURE / "dataset" / "backgrounds.parquet", JudgedBackground)}
    seen, clear, cut = photos["photos-astronaut"], photos["photos-b1"], photos["photos-cut"]
    assert seen.boxes == [HumanBox(4.1, 10.6, 119.8, 134.7, 0.8558, "person")]
    assert (clear.boxes, clear.state, clear.tier, clear.offset, clear.bytes) == ([], "ok", None, None, None)
    assert (cut.boxes, cut.score, cut.width, cut.orientation, cut.reason) == (None, None, None, None, "unreadable")
    labelled = photos["openimages-00000000000000a1"]
    assert (labelled.label_reason, labelled.verdict, labelled.sha256) == ("person_box", "reject", None)


def test_it_opens_and_verifies_against_its_sources(place: Path) -> None:
    dataset = matting_data.open(place / "dataset")
    assert {split: len(dataset[split]) for split in dataset.splits} == {"train": 4, "test": 2}
    assert dataset["train"][0].image.shape == (80, 64, 3)
    result = verify(place / "dataset", True, 6, place, 1)
    assert (result.samples, result.recomposed, result.problems, result.skipped) == (6, 6, [], "")


def test_a_loader_trains_on_it() -> None:
    torch = pytest.importorskip("torch")
    from matting_data.readers import Loader, MapDataset
    from matting_data.readers.transforms import paper_augmentation

    train = matting_data.open(FIXTURE / "dataset")["train"]
    batches = list(Loader(MapDataset(train, paper_augmentation(32), seed=1), 2, num_workers=0))
    assert [batch["image"].shape for batch in batches] == [torch.Size([2, 3, 32, 32])] * 2


def test_it_is_exported_with_its_sources(place: Path, tmp_path: Path, command: RunCommand) -> None:
    out = tmp_path / "exported"
    code, _, said = command("export", place / "dataset", "--to", "composition-1k", "--out", out, "--base", place)
    assert (code, said) == (0, "")
    assert sum(path.suffix in (".jpg", ".png") for path in out.rglob("*")) > 6


@pytest.mark.parametrize(
    "arguments", [("status",), ("stats",), ("preview",), ("report",), ("card",), ("verify",)], ids=lambda a: a[0]
)
def test_commands_that_look_at_it_work(place: Path, command: RunCommand, arguments: tuple[str, ...]) -> None:
    code, out, said = command(*arguments, place / "dataset")
    assert (code, said) == (0, ""), said
    assert out
    assert read_index(place / "dataset")["format"] == "mattingdata/1"
    assert not verify(place / "dataset", True, 0, None, 1).problems


def test_an_audit_draws_from_what_was_kept(place: Path, command: RunCommand) -> None:
    code, _, said = command("audit", place / "dataset", "--base", place, "--to", place / "audit")
    assert (code, said) == (0, "")
    assert len((place / "audit" / "audit.csv").read_text().splitlines()) == 1 + 7


@pytest.mark.parametrize("arguments", [(), ("--append",)], ids=["continue", "append"])
def test_a_build_into_it_is_refused_before_anything_is_written(
    place: Path, command: RunCommand, arguments: tuple[str, ...]
) -> None:
    before = content_of(place / "dataset")
    code, _, said = command("build", place / "recipe.yaml", "--out", place / "dataset", *arguments)
    assert code == 2
    assert said == (
        f"mattingdata: {place / 'dataset'} is of the format 'mattingdata/1', which this version reads but cannot "
        "continue, append to or repair: build into another --out, which gives the same shards\n"
    )
    assert content_of(place / "dataset") == before


def test_a_repair_is_refused_also_without_an_index(place: Path, command: RunCommand) -> None:
    (place / "dataset" / "dataset.json").unlink()
    (place / "dataset" / "train" / "000000.tar").unlink()
    before = content_of(place / "dataset")
    code, _, said = command("repair", place / "dataset")
    assert (code, "cannot continue, append to or repair" in said) == (2, True)
    assert content_of(place / "dataset") == before


def test_a_build_of_the_same_sources_gives_the_same_shards_and_tables(place: Path) -> None:
    done = build(load(place / "recipe.yaml"), place / "again", 1)
    old = read_index(place / "dataset")
    assert (done.index["format"], old["format"]) == ("mattingdata/2", "mattingdata/1")
    assert done.index["content_sha256"] == old["content_sha256"]
    assert done.index["ledger"] == old["ledger"]
    before, after = saved_plan(place / "dataset"), saved_plan(place / "again")
    assert after.foregrounds == before.foregrounds
    assert after.backgrounds == before.backgrounds
    assert after.composites == before.composites
    table = pl.read_parquet(place / "again" / "backgrounds.parquet")
    assert table["boxes"].null_count() == 3 and isinstance(table.schema["boxes"], pl.List)
    text = table.select(pl.col(pl.String))
    assert not any((text[name] == "").any() for name in text.columns)


def test_a_format_that_is_not_known_is_refused(place: Path) -> None:
    index = json.loads((place / "dataset" / "dataset.json").read_text())
    (place / "dataset" / "dataset.json").write_text(json.dumps({**index, "format": "mattingdata/3"}))
    with pytest.raises(DamageError, match=r"has format 'mattingdata/3', this version reads 'mattingdata/1' and"):
        matting_data.open(place / "dataset")
