"""Recipes: the same after a round trip, wherever they lie and however they are written."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from matting_data.configuration import apply_override
from matting_data.recipes.recipe import (
    AdaptiveTrimap,
    DimTrimap,
    FixedTrimap,
    ForegroundSource,
    Recipe,
    source_name,
    trimap_rule,
)
from matting_data.recipes.recipe_file import LoadedRecipe, as_mapping, load, to_yaml, validate
from tests.support.synthetic import RECIPE, write


def test_overrides_reach_new_keys_existing_ones_and_list_entries_in_their_order(tmp_path: Path) -> None:
    path = write(tmp_path / "r.yaml", RECIPE.encode())
    overrides = [
        "seed=7",
        "composites.crop=random",
        "foregrounds.sources.0.root=elsewhere",
        "trimap.train={kind: adaptive, rate: [0.01, 0.02]}",
        "backgrounds.sources=[{layout: bundled}, {layout: folder, root: a=b}]",
        "backgrounds.sources.1.license=CC0",
        "seed=8",
    ]
    recipe = load(path, overrides).recipe
    assert recipe.seed == 8
    assert recipe.composites.crop == "random"
    assert recipe.foregrounds.sources[0].root == "elsewhere"
    assert recipe.trimap.train == AdaptiveTrimap("adaptive", (0.01, 0.02))
    assert [(s.layout, s.root, s.license) for s in recipe.backgrounds.sources] == [
        ("bundled", None, ""),
        ("folder", "a=b", "CC0"),
    ]


@given(st.lists(st.integers(0, 2), min_size=1, max_size=3), st.sampled_from(["[{}]", ".{}"]))
def test_an_entry_of_a_list_is_named_with_brackets_or_a_dot(places: list[int], form: str) -> None:
    document: dict[str, Any] = {"a": [[[{}, {}, {}] for _ in range(3)] for _ in range(3)]}
    apply_override(document, f"a{''.join(form.format(place) for place in places)}=x")
    node: Any = document["a"]
    for place in places:
        node = node[place]
    assert node == "x"


def test_the_bundled_sample_is_what_is_loaded_without_a_path_and_by_its_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    default = load(None)
    assert default.recipe.name == "sample"
    assert default == load(Path("sample")) == load(Path("sample.yaml"))
    write(tmp_path / "sample.yaml", RECIPE.encode())
    assert load(Path("sample.yaml")).recipe.name == "x"  # a file of one's own comes first


def test_relative_paths_start_at_the_recipes_folder(tmp_path: Path) -> None:
    loaded = load(write(tmp_path / "sub" / "r.yaml", RECIPE.encode()))
    assert loaded.resolve("people") == tmp_path / "sub" / "people"
    assert loaded.resolve("../x") == tmp_path / "x"
    assert loaded.resolve("/abs") == Path("/abs")
    assert loaded.resolve("~/x") == Path.home().resolve() / "x"


def test_the_hash_is_of_the_effective_recipe_wherever_it_lies_and_however_it_is_written(tmp_path: Path) -> None:
    one = load(write(tmp_path / "a" / "r.yaml", RECIPE.encode()))
    spelled_out = "# a comment\nseed: 0\ncomposites: {per_foreground: 10}\n" + RECIPE
    other = load(write(tmp_path / "b" / "s.yaml", spelled_out.encode()))
    assert one.recipe == other.recipe
    assert one.sha256 == other.sha256
    assert one.sha256 != load(tmp_path / "a" / "r.yaml", ["seed=1"]).sha256


trimaps = st.one_of(
    st.integers(1, 399).flatmap(
        lambda low: st.builds(DimTrimap, st.just("dim"), st.tuples(st.just(low), st.integers(low + 1, 400)))
    ),
    st.builds(FixedTrimap, st.just("fixed"), st.integers(1, 400)),
    st.floats(0.001, 0.5).flatmap(
        lambda low: st.builds(AdaptiveTrimap, st.just("adaptive"), st.tuples(st.just(low), st.floats(low, 0.5)))
    ),
)
texts = st.text(st.characters(exclude_categories=["Cs", "Cc", "Zl", "Zp"]), max_size=12)


@st.composite
def recipes(draw: st.DrawFn) -> Recipe:
    names = draw(st.lists(st.from_regex(r"\A[A-Za-z0-9][A-Za-z0-9_-]{0,12}\Z"), min_size=1, max_size=3, unique=True))
    sources = [
        {"layout": "rgba", "root": draw(texts), "name": name, "subset": draw(texts), "license": draw(texts)}
        for name in names
    ]
    test = draw(st.one_of(st.integers(0, 500), st.floats(0, 1, exclude_max=True)))
    return validate(
        {
            "name": draw(st.sampled_from(["x", "1e3", "null", "yes", "0x10", "2026-01-01"])),
            "seed": draw(st.integers(0, 2**63 - 1)),
            "foregrounds": {
                "sources": sources,
                "split": {"test": test},
                "expect": draw(st.sampled_from([None, {"total": 3, "subsets": {"ä b": 2, "1": 1}}])),
            },
            "backgrounds": {
                "sources": [{"layout": "bundled"}],
                "humans": {"threshold": draw(st.one_of(st.just("auto"), st.floats(0, 1)))},
                "max_megapixels": draw(st.floats(0.01, 178)),
            },
            "trimap": {"train": draw(trimaps), "test": draw(trimaps)},
        }
    )


@given(recipes())
@settings(max_examples=150, deadline=None)
def test_a_recipe_written_as_yaml_is_read_back_equal_with_the_same_hash(recipe: Recipe) -> None:
    read = validate(yaml.safe_load(to_yaml(recipe)))
    assert read == recipe
    assert LoadedRecipe(read, Path("/a")).sha256 == LoadedRecipe(recipe, Path("/b")).sha256
    assert to_yaml(read) == to_yaml(recipe)
    assert validate(as_mapping(recipe)) == recipe


@pytest.mark.parametrize("name", ["sample", "local", "safe-net"])
def test_every_bundled_recipe_loads_and_survives_a_round_trip(tmp_path: Path, name: str) -> None:
    bundled = load(Path(name))
    written = write(tmp_path / "r.yaml", to_yaml(bundled.recipe).encode())
    assert load(written).recipe == bundled.recipe
    assert load(written).sha256 == bundled.sha256


def test_written_recipes_keep_the_order_of_the_reference() -> None:
    keys = [
        line.partition(":")[0] for line in to_yaml(validate(yaml.safe_load(RECIPE))).splitlines() if line[0].isalpha()
    ]
    assert keys == ["name", "foregrounds", "backgrounds", "version", "seed", "composites", "trimap", "store"]


def test_sources_are_called_by_their_name_or_their_folder() -> None:
    cases = {
        "people": {"layout": "rgba", "root": "a/people/"},
        "my-photos": {"layout": "rgba", "root": "C:\\my photos"},
        "source": {"layout": "rgba", "root": "人物"},
        "image": {"layout": "pairs", "image": "x/image", "alpha": "x/alpha"},
        "bundled": {"layout": "bundled"},
        "own": {"layout": "rgba", "root": "a", "name": "own"},
    }
    for name, keys in cases.items():
        assert source_name(ForegroundSource(**keys)) == name


def test_each_split_has_its_trimap_rule() -> None:
    recipe = validate(yaml.safe_load(RECIPE))
    assert trimap_rule(recipe, "train") == DimTrimap("dim", (1, 30))
    assert trimap_rule(recipe, "test") == FixedTrimap("fixed", 25)


def test_the_paper_s_dataset_insists_on_the_paper_s_counts() -> None:
    recipe = load(Path("safe-net")).recipe
    expect = recipe.foregrounds.expect
    assert expect is not None
    assert (expect.total, expect.train, expect.test) == (4729, 4494, 235)
    assert sum(expect.subsets.values()) == expect.total
    assert recipe.composites.per_foreground == 10
    assert recipe.foregrounds.split.test == expect.test
