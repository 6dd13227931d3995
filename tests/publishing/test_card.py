from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml

from matting_data.publishing.card import card
from matting_data.publishing.card_inputs import Publication, read_card_inputs
from matting_data.publishing.front_matter import size_category
from matting_data.publishing.publication import publication_files, rewrite
from matting_data.shards.index import read_index
from tests.support.projects import Project
from tests.support.real_readers import run_python


def card_of(out: Path) -> str:
    return publication_files(out, read_index(out))["README.md"].decode()


def front_matter_of(text: str) -> dict[str, Any]:
    return yaml.safe_load(text.split("---\n")[1])


def test_a_card_tells_the_runs_own_numbers(built: Path) -> None:
    text, index = card_of(built), read_index(built)
    assert "18 composites" in text and "6 foregrounds" in text
    assert index["content_sha256"] in text and index["recipe_sha256"] in text
    assert "| train | – | 12 | 4 |" in text and "| test | – | 6 | 2 |" in text
    assert "seed, 5." in text
    assert "No detector looked for people" in text
    assert "the share of backgrounds that still show somebody is not known" in text


def test_a_card_lists_every_rejected_input_by_reason(make_project: Callable[..., Project]) -> None:
    project = make_project(people=4, photos=8)
    (project.root / "photos" / "broken.jpg").write_bytes(b"no image")
    (project.root / "people" / "copy.png").write_bytes((project.root / "people" / "p00.png").read_bytes())
    project.build("composites.per_foreground=1", "foregrounds.split.test=1")
    text = card_of(project.out)
    assert "| backgrounds | rejected | `unreadable` | 1 |" in text
    assert "| foregrounds | rejected | `near_duplicate` | 1 |" in text
    rejected = read_index(project.out)["ledger"]["backgrounds"]["rejected"]
    for reason, count in rejected.items():
        assert f"| backgrounds | rejected | `{reason}` | {count} |" in text


def test_an_audit_puts_its_rate_on_the_card(built: Path) -> None:
    rate = {"stratum": "all", "kept": 12, "labelled": 10, "persons": 1, "share": 0.1, "low": 0.0179, "high": 0.4042}
    unseen = {"stratum": "photos", "kept": 2, "labelled": 0, "persons": 0, "share": None, "low": 0.0, "high": 1.0}
    (built / "audit.json").write_text(json.dumps([unseen, rate]))
    text = card_of(built)
    assert "| all | 12 | 10 | 1 | 10.00% | 1.79% to 40.42% |" in text
    assert "is not known" not in text and "| photos | 2 |" not in text


def test_unknown_licences_bar_the_whole_dataset(built: Path) -> None:
    text = card_of(built)
    assert "**Do not redistribute the whole dataset**" in text
    assert "- 18 for a licence that is unknown or not stated" in text
    assert "| foregrounds | not stated | 6 | unknown | unknown |" in text
    assert front_matter_of(text)["license"] == "other"


def test_known_licences_give_the_hub_its_name(make_project: Callable[..., Project]) -> None:
    project = make_project(people=3, photos=6)
    project.recipe["foregrounds"]["sources"][0]["license"] = "CC BY 4.0"
    project.recipe["backgrounds"]["sources"][0]["license"] = "https://creativecommons.org/licenses/by/4.0/"
    project.build("foregrounds.split.test=1", "composites.per_foreground=1")
    text = card_of(project.out)
    assert front_matter_of(text)["license"] == "cc-by-4.0"
    assert "Do not redistribute" not in text
    assert "- 3 need their authors' names" in text and "`ATTRIBUTION.csv` names no author" in text
    (project.out / "ATTRIBUTION.csv").write_text("id,author\na,b\nc,d\n")
    assert "`ATTRIBUTION.csv` names the authors of 2 photographs" in card_of(project.out)


def test_what_a_recipe_says_does_not_format_the_card(make_project: Callable[..., Project]) -> None:
    project = make_project(people=2, photos=3)
    project.recipe["foregrounds"]["sources"][0]["license"] = "mine | **free**\n# <b>all</b>"
    project.build("foregrounds.split.test=0", "composites.per_foreground=1")
    assert r"| foregrounds | mine \| \*\*free\*\* \# \<b\>all\</b\> | 2 | unknown |" in card_of(project.out)


def test_the_front_matter_names_shards_sizes_and_counts(built: Path) -> None:
    matter = front_matter_of(card_of(built))
    assert matter["task_categories"] == ["image-segmentation"]
    assert matter["size_categories"] == ["n<1K"]
    (config,) = matter["configs"]
    assert config["data_files"] == [
        {"split": "train", "path": "train/*.tar"},
        {"split": "test", "path": "test/*.tar"},
    ]
    tars = sum(path.stat().st_size for path in built.glob("*/*.tar"))
    assert matter["dataset_info"]["download_size"] == tars


def test_what_serves_two_splits_is_counted_from_the_samples(built: Path) -> None:
    inputs = read_card_inputs(built, read_index(built), Publication())
    assert "In more than one split: 0 foregrounds, 0 backgrounds." in card(inputs).decode()
    moved = [replace(row, split="test") if row.index == 0 else row for row in inputs.samples]
    assert "In more than one split: 4 foregrounds, " in card(replace(inputs, samples=moved)).decode()


def test_a_dataset_without_a_composite_has_a_card_too(built: Path) -> None:
    inputs = replace(read_card_inputs(built, read_index(built), Publication()), samples=[])
    text = card(inputs).decode()
    assert "0 composites" in text and "There is no composite to pass on." in text
    assert front_matter_of(text)["size_categories"] == ["n<1K"]


@pytest.mark.parametrize(
    ("count", "name"),
    [(0, "n<1K"), (999, "n<1K"), (1000, "1K<n<10K"), (47_290, "10K<n<100K"), (10**9, "1B<n<10B"), (10**12, "n>1T")],
)
def test_sizes_have_the_hubs_names(count: int, name: str) -> None:
    assert size_category(count) == name


@pytest.mark.slow
def test_the_cards_own_lines_read_the_dataset(built: Path, tmp_path: Path) -> None:
    for package in ("webdataset", "datasets", "pandas", "mlcroissant"):
        pytest.importorskip(package)
    rewrite(built)
    blocks = re.findall(r"```python\n(.*?)```", (built / "README.md").read_text(), re.DOTALL)
    assert len(blocks) == 5
    code = (
        "import json, sys, matting_data\n"
        "blocks, DIR = json.loads(sys.argv[1]), sys.argv[2]\n"
        "spaces = {}\n"
        "for block in blocks:\n"
        "    if 'matting_data.open' in block and not hasattr(matting_data, 'open'): continue\n"
        "    space = {'DIR': DIR}\n"
        "    exec(block, space)\n"
        "    spaces |= space\n"
        "print(json.dumps([sorted(spaces['sample']), spaces['dataset'].num_rows, len(spaces['manifest']),\n"
        "    sum(1 for _ in spaces['records'])]))\n"
    )
    members, rows, manifest, records = json.loads(
        run_python(code, json.dumps(blocks), built, cache=tmp_path / "cache").splitlines()[-1]
    )
    assert {"image.jpg", "alpha.png", "trimap.png", "json"} <= set(members)
    assert (rows, manifest, records) == (12, 12, 18)
