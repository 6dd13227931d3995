"""Recipes: every mistake one sentence, every recipe the same after a round trip."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st
from synthetic import write

from matting_data.errors import UsageError
from matting_data.recipe import (
    AdaptiveTrimap,
    DimTrimap,
    FixedTrimap,
    ForegroundSource,
    Recipe,
    source_name,
    trimap_rule,
)
from matting_data.recipe_file import LoadedRecipe, as_mapping, load, to_yaml, validate

BASE = """name: x
foregrounds:
  sources:
    - {layout: rgba, root: people}
backgrounds:
  sources:
    - {layout: folder, root: photos}
"""


def mistake(folder: Path, text: str | bytes, *overrides: str) -> str:
    path = write(folder / "r.yaml", text if isinstance(text, bytes) else text.encode())
    with pytest.raises(UsageError) as caught:
        load(path, overrides)
    message = str(caught.value)
    assert "\n" not in message
    assert "pydantic" not in message
    return message


ADDED = [
    ("sed: 1", "unknown key 'sed'; did you mean 'seed'?"),
    ("zzzzzz: 1", "unknown key 'zzzzzz'"),
    ("composites: {per_foregroud: 3}", "unknown key 'composites.per_foregroud'; did you mean 'per_foreground'?"),
    ("store: {qality: 3}", "unknown key 'store.qality'; did you mean 'quality'?"),
    ("composites:", "composites is None: it needs keys of its own, or none of it"),
    (
        "trimap: {train: {kernel: [1, 9]}}",
        "the key 'trimap.train.kind' is missing: choose 'dim', 'fixed' or 'adaptive'",
    ),
    (
        "trimap: {train: {kind: dim, kernel: [9, 9]}}",
        "trimap.train: kernel [9, 9] is empty: give [low, high) with low < high",
    ),
    ("seed: true", "seed is True: input should be a valid integer"),
    ("composites: {per_foreground: 0}", "composites.per_foreground is 0: input should be greater than or equal to 1"),
    (
        "composites: {per_foreground: 1001}",
        "composites.per_foreground is 1001: input should be less than or equal to 1000",
    ),
    (
        "composites: {per_foreground: many}",
        "composites.per_foreground is 'many': input should be a valid integer, unable to parse string as an integer",
    ),
    ("composites: {crop: middle}", "composites.crop is 'middle': input should be 'top_left', 'center' or 'random'"),
    ("composites: {blend: srgb}", "composites.blend is 'srgb': input should be 'gamma' or 'linear'"),
    ("store: {kind: videos}", "store.kind is 'videos': input should be 'composites' or 'layers'"),
    ("store: {image: webp}", "store.image is 'webp': input should be 'jpeg' or 'png'"),
    ("store: {quality: 101}", "store.quality is 101: input should be less than or equal to 100"),
    ("store: {subsampling: '4:1:1'}", "store.subsampling is '4:1:1': input should be '4:4:4', '4:2:2' or '4:2:0'"),
    ("store: {samples_per_shard: 0}", "store.samples_per_shard is 0: input should be greater than or equal to 1"),
    ("seed: -1", "seed is -1: input should be greater than or equal to 0"),
    ("seed: 9223372036854775808", "seed is 9223372036854775808: input should be less than 9223372036854775808"),
    ("seed: 1.5", "seed is 1.5: input should be a valid integer"),
    ("version: '1.0'", r"version is '1.0': string should match pattern '^\d+\.\d+\.\d+$'"),
    ("version: 1.0", "version is 1.0: quote it and give three numbers, '1.0.0'"),
    ("trimap: {train: {kind: dimm}}", "trimap.train.kind is 'dimm': choose 'dim', 'fixed', 'adaptive'"),
    ("trimap: {train: {kind: dim, rate: [0.1, 0.2]}}", "'trimap.train.rate' does not go with its 'kind'"),
    ("trimap: {test: {kind: fixed, kernl: 3}}", "unknown key 'trimap.test.kernl'; did you mean 'kernel'?"),
    ("trimap: {test: {kind: fixed, kernel: 0}}", "trimap.test.kernel is 0: input should be greater than or equal to 1"),
    ("trimap: {trian: {kind: dim}}", "unknown key 'trimap.trian'; did you mean 'train'?"),
]


@pytest.mark.parametrize(("line", "sentence"), ADDED, ids=[line for line, _ in ADDED])
def test_a_wrong_line_is_one_sentence_with_key_value_and_remedy(tmp_path: Path, line: str, sentence: str) -> None:
    assert mistake(tmp_path, f"{BASE}{line}\n") == f"r.yaml: {sentence}"


PEOPLE, PHOTOS = "layout: rgba, root: people", "layout: folder, root: photos"
REPLACED = [
    (PEOPLE, "layout: rgba", "foregrounds.sources[0]: layout 'rgba' needs the key 'root'"),
    (PEOPLE, "layout: pairs, image: a", "foregrounds.sources[0]: layout 'pairs' needs the key 'alpha'"),
    (
        PEOPLE,
        "layout: rgba, root: a, image: b",
        "foregrounds.sources[0]: layout 'rgba' has no key 'image': remove it, or choose another layout",
    ),
    (
        PEOPLE,
        "layout: zip, root: a",
        "foregrounds.sources[0].layout is 'zip': input should be 'pairs', 'rgba' or 'bundled'",
    ),
    (
        PEOPLE,
        "layout: rgba, root: a, opaque_from: 3",
        "foregrounds.sources[0].opaque_from is 3: input should be greater than or equal to 128",
    ),
    (PEOPLE, "layout: rgba, rot: a", "unknown key 'foregrounds.sources[0].rot'; did you mean 'root'?"),
    (
        PEOPLE,
        "layout: rgba, root: a, name: two words",
        "foregrounds.sources[0].name is 'two words': string should match pattern '^[A-Za-z0-9][A-Za-z0-9_-]*$'",
    ),
    (PHOTOS, "layout: folder", "backgrounds.sources[0]: layout 'folder' needs the key 'root'"),
    (
        PHOTOS,
        "layout: bundled, root: x",
        "backgrounds.sources[0]: layout 'bundled' has no key 'root': remove it, or choose another layout",
    ),
    (
        f"    - {{{PEOPLE}}}",
        "    - {layout: rgba, root: a/people}\n    - {layout: rgba, root: b/people/}",
        "two sources are called 'people': give each a name of its own with 'name:'",
    ),
    (
        "foregrounds:\n",
        "foregrounds:\n  split: {tst: 2}\n",
        "unknown key 'foregrounds.split.tst'; did you mean 'test'?",
    ),
    (
        "foregrounds:\n",
        "foregrounds:\n  split: {test: -2}\n",
        "foregrounds.split.test is -2: give a number of foregrounds, or a share below 1",
    ),
    (
        "foregrounds:\n",
        "foregrounds:\n  expect: {totl: 2}\n",
        "unknown key 'foregrounds.expect.totl'; did you mean 'total'?",
    ),
    (
        "foregrounds:\n",
        "foregrounds:\n  duplicate_distance: 16\n",
        "foregrounds.duplicate_distance is 16: input should be less than or equal to 15",
    ),
    (
        "backgrounds:\n",
        "backgrounds:\n  humans: {detectr: none}\n",
        "unknown key 'backgrounds.humans.detectr'; did you mean 'detector'?",
    ),
    (
        "backgrounds:\n",
        "backgrounds:\n  humans: {threshold: 1.2}\n",
        "backgrounds.humans.threshold is 1.2: input should be less than or equal to 1",
    ),
    (
        "backgrounds:\n",
        "backgrounds:\n  humans: {review: maybe}\n",
        "backgrounds.humans.review is 'maybe': input should be 'reject' or 'keep'",
    ),
    (
        "backgrounds:\n",
        "backgrounds:\n  max_megapixels: .nan\n",
        "backgrounds.max_megapixels is nan: input should be less than or equal to 178",
    ),
    ("name: x\n", "", "the key 'name' is missing"),
    ("name: x\n", "name: x y\n", "name is 'x y': string should match pattern '^[A-Za-z0-9][A-Za-z0-9_-]*$'"),
]


@pytest.mark.parametrize(("old", "new", "sentence"), REPLACED, ids=[new or "no name" for _, new, _ in REPLACED])
def test_a_wrong_section_is_one_sentence_with_key_value_and_remedy(
    tmp_path: Path, old: str, new: str, sentence: str
) -> None:
    assert BASE.count(old) == 1
    assert mistake(tmp_path, BASE.replace(old, new)) == f"r.yaml: {sentence}"


@pytest.mark.parametrize(
    ("line", "parts"),
    [
        ("trimap: {train: {kind: dim, kernel: [30, 1]}}", ("trimap.train", "[30, 1]", "low < high")),
        ("trimap: {test: {kind: adaptive, rate: [0.3, 0.2]}}", ("trimap.test", "[0.3, 0.2]", "low <= high")),
        ("trimap: {train: {kernel: [1, 30]}}", ("trimap.train", "kind")),
        ("trimap: 3", ("trimap", "3")),
        ("composites:", ("composites",)),
        ("seed: 2026-01-01", ("seed",)),
        ("1: 2", ("1",)),
    ],
)
def test_other_mistakes_name_their_key_and_value(tmp_path: Path, line: str, parts: tuple[str, ...]) -> None:
    message = mistake(tmp_path, f"{BASE}{line}\n")
    assert all(part in message for part in parts), message


NO_RECIPE = [
    (b"", "r.yaml is not a recipe: it holds no keys; start from the bundled recipe 'local'"),
    (b"- a\n- b\n", "r.yaml is not a recipe: it holds no keys; start from the bundled recipe 'local'"),
    (b"just text", "r.yaml is not a recipe: it holds no keys; start from the bundled recipe 'local'"),
    (b"name: [x\n", "r.yaml is not a recipe: expected ',' or ']', but got '<stream end>' at line 2, column 1"),
]


@pytest.mark.parametrize(("content", "sentence"), NO_RECIPE, ids=["empty", "list", "text", "broken"])
def test_what_is_no_recipe_is_one_sentence(tmp_path: Path, content: bytes, sentence: str) -> None:
    assert mistake(tmp_path, content) == sentence


def test_a_recipe_of_other_bytes_than_utf8_is_named(tmp_path: Path) -> None:
    message = mistake(tmp_path, b"name: \xff\xfe\n")
    assert message.startswith(f"cannot read the recipe {tmp_path / 'r.yaml'}: ")


@pytest.mark.parametrize(
    "tag", ["!!python/object/apply:os.system ['touch MARK']", "!!python/name:os.system", "!!python/tuple [1]", "!own 1"]
)
def test_yaml_that_would_make_objects_is_refused_and_does_nothing(tmp_path: Path, tag: str) -> None:
    mark = tmp_path / "mark"
    message = mistake(tmp_path, f"{BASE}seed: {tag.replace('MARK', str(mark))}\n")
    assert message.startswith("r.yaml is not a recipe: could not determine a constructor for the tag")
    assert message.endswith("at line 8, column 7")
    assert not mark.exists()


@pytest.mark.parametrize(
    ("override", "sentence"),
    [
        ("seed", "--set 'seed' has no value: write it as KEY=VALUE, for instance composites.crop=random"),
        ("=3", "--set '=3' has no value: write it as KEY=VALUE, for instance composites.crop=random"),
        ("seed=[", "--set 'seed=[': '[' is not a YAML value; quote it"),
        ("name.x=1", "--set 'name.x=1': 'name' is a value, not a group of keys; set it directly"),
        (
            "foregrounds.sources.5.root=q",
            "--set 'foregrounds.sources.5.root=q': the list has entries 0 to 0, not '5'",
        ),
        ("foregrounds.sources.x=1", "--set 'foregrounds.sources.x=1': the list has entries 0 to 0, not 'x'"),
        (
            "foregrounds.sources.-1.root=q",
            "--set 'foregrounds.sources.-1.root=q': the list has entries 0 to 0, not '-1'",
        ),
        ("store.qality=3", "r.yaml: unknown key 'store.qality'; did you mean 'quality'?"),
        ("seed=", "r.yaml: seed is None: input should be a valid integer"),
    ],
)
def test_a_wrong_override_is_one_sentence(tmp_path: Path, override: str, sentence: str) -> None:
    assert mistake(tmp_path, BASE, override) == sentence


def test_overrides_reach_new_keys_existing_ones_and_list_entries_in_their_order(tmp_path: Path) -> None:
    path = write(tmp_path / "r.yaml", BASE.encode())
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


def test_a_missing_recipe_names_the_bundled_ones(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("nope", str(tmp_path / "sample.yaml")):
        with pytest.raises(UsageError, match=r"^no recipe .*: name a YAML file, or a bundled recipe \(.*sample.*\)$"):
            load(Path(name))
    with pytest.raises(UsageError, match="is a folder, not a recipe"):
        load(tmp_path)


def test_the_bundled_sample_is_what_is_loaded_without_a_path_and_by_its_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    default = load(None)
    assert default.recipe.name == "sample"
    assert default == load(Path("sample")) == load(Path("sample.yaml"))
    write(tmp_path / "sample.yaml", BASE.encode())
    assert load(Path("sample.yaml")).recipe.name == "x"  # a file of one's own comes first


def test_relative_paths_start_at_the_recipes_folder(tmp_path: Path) -> None:
    loaded = load(write(tmp_path / "sub" / "r.yaml", BASE.encode()))
    assert loaded.resolve("people") == tmp_path / "sub" / "people"
    assert loaded.resolve("../x") == tmp_path / "x"
    assert loaded.resolve("/abs") == Path("/abs")
    assert loaded.resolve("~/x") == Path.home().resolve() / "x"


def test_the_hash_is_of_the_effective_recipe_wherever_it_lies_and_however_it_is_written(tmp_path: Path) -> None:
    one = load(write(tmp_path / "a" / "r.yaml", BASE.encode()))
    spelled_out = "# a comment\nseed: 0\ncomposites: {per_foreground: 10}\n" + BASE
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
        line.partition(":")[0] for line in to_yaml(validate(yaml.safe_load(BASE))).splitlines() if line[0].isalpha()
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
        assert source_name(ForegroundSource(**keys)) == name  # type: ignore[arg-type]


def test_each_split_has_its_trimap_rule() -> None:
    recipe = validate(yaml.safe_load(BASE))
    assert trimap_rule(recipe, "train") == DimTrimap("dim", (1, 30))
    assert trimap_rule(recipe, "test") == FixedTrimap("fixed", 25)


def test_a_key_given_twice_is_refused_with_its_line(tmp_path: Path) -> None:
    text = f"{BASE}seed: 1\nseed: 2\n"
    line = text.splitlines().index("seed: 2") + 1
    expected = f"r.yaml is not a recipe: the key 'seed' is given twice; remove one at line {line}, column 1"
    assert mistake(tmp_path, text) == expected


@pytest.mark.parametrize("name", ["sample", "safe-net", "local"])
def test_every_bundled_recipe_loads(name: str) -> None:
    assert load(Path(name)).recipe.name == name


def test_the_paper_s_dataset_insists_on_the_paper_s_counts() -> None:
    recipe = load(Path("safe-net")).recipe
    expect = recipe.foregrounds.expect
    assert expect is not None
    assert (expect.total, expect.train, expect.test) == (4729, 4494, 235)
    assert sum(expect.subsets.values()) == expect.total
    assert recipe.composites.per_foreground == 10
    assert recipe.foregrounds.split.test == expect.test
