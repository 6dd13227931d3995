from __future__ import annotations

import hashlib
import json
from pathlib import Path

import pytest
from matting_data.cli.main import cli

from matting_data.errors import DamageError, UsageError
from matting_data.publishing.card_inputs import Publication
from matting_data.publishing.publication import publication_files, rewrite, said_before
from matting_data.shards.index import read_index
from matting_data.storage.atomic import sha256_file
from matting_data.upkeep.verify import verify
from tests.support.projects import Project
from tests.support.real_readers import run_python, validate_croissant


def test_a_rewritten_card_is_part_of_the_dataset(built: Path) -> None:
    written = rewrite(built)
    assert set(written) == {"README.md", "croissant.json", "_info.json"}
    files = read_index(built)["files"]
    for name, sha256 in written.items():
        assert files[name] == sha256 == sha256_file(built / name)
    assert verify(built, False, 0, None, 1).problems == []
    (built / "README.md").write_text("something else")
    assert [problem.file for problem in verify(built, False, 0, None, 1).problems] == ["README.md"]


def test_a_card_written_twice_is_the_same(built: Path) -> None:
    assert rewrite(built) == rewrite(built)


def test_the_files_do_not_depend_on_the_rest_of_the_index(built: Path) -> None:
    index = read_index(built)
    bare = {key: value for key, value in index.items() if key != "index_sha256"}
    before = publication_files(built, bare, Publication())
    rewrite(built)
    assert publication_files(built, read_index(built), Publication()) == before


def test_two_builds_of_a_recipe_have_the_same_card(project: Project, tmp_path: Path) -> None:
    other = tmp_path / "other"
    for out, workers in ((project.out, 1), (other, 2)):
        project.build(out=out, workers=workers)
    one, two = (publication_files(out, read_index(out)) for out in (project.out, other))
    assert one == two


def test_what_the_publisher_said_stays(built: Path) -> None:
    said = Publication("https://example.org/d", "Someone", "2026-01-31")
    rewrite(built, said)
    assert said_before(built) == said
    rewrite(built)
    text = (built / "README.md").read_text()
    assert said_before(built) == said and "Published by Someone on 2026-01-31 at https://example.org/d." in text


def test_a_date_that_is_none_is_refused(built: Path) -> None:
    (built / "README.md").unlink(missing_ok=True)
    with pytest.raises(UsageError, match="2026-01-31"):
        rewrite(built, Publication(date="31.1.2026"))
    with pytest.raises(UsageError, match="date '2026-02-30' is not a day"):
        rewrite(built, Publication(date="2026-02-30"))
    assert not (built / "README.md").exists()


def test_an_unfinished_dataset_gets_no_card(built: Path) -> None:
    (built / "README.md").unlink(missing_ok=True)
    (built / "dataset.json").unlink()
    with pytest.raises(DamageError, match="unfinished"):
        rewrite(built)
    assert not (built / "README.md").exists()


def test_a_lost_table_is_named(built: Path) -> None:
    (built / "backgrounds.parquet").unlink()
    with pytest.raises(DamageError, match=r"backgrounds\.parquet"):
        rewrite(built)


def test_the_command_writes_a_card(built: Path, capsys: pytest.CaptureFixture[str]) -> None:
    cli.main(["card", str(built), "--creator", "Someone", "--json"], standalone_mode=False)
    assert set(json.loads(capsys.readouterr().out)["files"]) == {"README.md", "croissant.json", "_info.json"}
    assert said_before(built).creator == "Someone"


def test_the_shard_info_gives_exact_lengths(built: Path) -> None:
    info = json.loads(publication_files(built, read_index(built))["_info.json"])
    train = info["splits"]["train"]
    assert train["filenames"] == ["train/000000.tar", "train/000001.tar"]
    assert sum(train["shard_lengths"]) == train["num_samples"] == 12


def test_croissant_names_the_hash_of_every_file_but_its_own(built: Path) -> None:
    rewrite(built)
    described = json.loads((built / "croissant.json").read_text())
    objects = {entry["contentUrl"]: entry for entry in described["distribution"] if entry["@type"] == "cr:FileObject"}
    for name, entry in objects.items():
        assert entry["sha256"] == hashlib.sha256((built / name).read_bytes()).hexdigest()
    assert {"train/000000.tar", "train/000000.parquet", "plan.parquet", "recipe.yaml"} <= objects.keys()
    assert not {"README.md", "croissant.json", "dataset.json"} & objects.keys()
    assert described["license"] == ["unknown"]


def test_mlcroissant_accepts_the_description(built: Path, tmp_path: Path) -> None:
    rewrite(built, Publication("https://example.org/d", "Someone", "2026-01-31"))
    code, said = validate_croissant(built / "croissant.json", tmp_path)
    assert code == 0, said
    assert "error" not in said.lower() and "datePublished" not in said
    described = json.loads((built / "croissant.json").read_text())
    described["recordSet"][1]["field"][0]["dataType"] = "cr:Nonsense"
    (built / "croissant.json").write_text(json.dumps(described))
    assert validate_croissant(built / "croissant.json", tmp_path)[0] != 0


def test_mlcroissant_reads_every_sample_once(built: Path, tmp_path: Path) -> None:
    pytest.importorskip("mlcroissant")
    rewrite(built)
    code = (
        "import json, sys, mlcroissant\n"
        "data = mlcroissant.Dataset(sys.argv[1])\n"
        "keys, sizes = {}, {}\n"
        "samples = list(data.records('samples'))\n"
        "keys['samples'] = [record['samples/key'].decode() for record in samples]\n"
        "sizes['samples'] = [[r['samples/width'], r['samples/height']] for r in samples]\n"
        "for plane in ('image', 'alpha', 'trimap'):\n"
        "    records = list(data.records(f'{plane}s'))\n"
        "    keys[plane] = [record[f'{plane}s/key'].decode() for record in records]\n"
        "    sizes[plane] = [record[f'{plane}s/{plane}'].size for record in records]\n"
        "splits = [record['splits/name'] for record in data.records('splits')]\n"
        "print(json.dumps([splits, keys, sizes]))\n"
    )
    printed = run_python(code, built / "croissant.json", cache=tmp_path / "cache")
    splits, keys, sizes = json.loads(printed.splitlines()[-1])
    assert splits == ["train", "test"]
    expected = sorted(keys["samples"])
    assert len(set(expected)) == 18
    of = dict(zip(keys["samples"], sizes["samples"], strict=True))
    for plane in ("image", "alpha", "trimap"):
        assert sorted(keys[plane]) == expected
        assert dict(zip(keys[plane], sizes[plane], strict=True)) == of
