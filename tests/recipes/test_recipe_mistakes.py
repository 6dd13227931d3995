"""Wrong recipes: every mistake is one sentence with key, value and remedy."""

from __future__ import annotations

from pathlib import Path

import pytest

from matting_data.errors import UsageError
from matting_data.recipes.recipe_file import load
from matting_data.sources.opened import open_sources
from tests.support.synthetic import RECIPE, write


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
    ("composites:", "composites is None: give it keys, such as 'per_foreground'"),
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
    ("version: '1.0'", "version is '1.0': give three numbers in quotes, such as '1.0.0'"),
    ("version: 1.0", "version is 1.0: give three numbers in quotes, such as '1.0.0'"),
    ("trimap: {train: {kind: dimm}}", "trimap.train.kind is 'dimm': choose 'dim', 'fixed', 'adaptive'"),
    ("trimap: {train: {kind: dim, rate: [0.1, 0.2]}}", "'trimap.train.rate' does not go with its 'kind'"),
    ("trimap: {test: {kind: fixed, kernl: 3}}", "unknown key 'trimap.test.kernl'; did you mean 'kernel'?"),
    ("trimap: {test: {kind: fixed, kernel: 0}}", "trimap.test.kernel is 0: input should be greater than or equal to 1"),
    ("trimap: {trian: {kind: dim}}", "unknown key 'trimap.trian'; did you mean 'train'?"),
]


@pytest.mark.parametrize(("line", "sentence"), ADDED, ids=[line for line, _ in ADDED])
def test_a_wrong_line_is_one_sentence_with_key_value_and_remedy(tmp_path: Path, line: str, sentence: str) -> None:
    assert mistake(tmp_path, f"{RECIPE}{line}\n") == f"r.yaml: {sentence}"


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
    ("name: x\n", "", "the key 'name' is missing"),
    ("name: x\n", "name: x y\n", "name is 'x y': string should match pattern '^[A-Za-z0-9][A-Za-z0-9_-]*$'"),
]


@pytest.mark.parametrize(("old", "new", "sentence"), REPLACED, ids=[new or "no name" for _, new, _ in REPLACED])
def test_a_wrong_section_is_one_sentence_with_key_value_and_remedy(
    tmp_path: Path, old: str, new: str, sentence: str
) -> None:
    assert RECIPE.count(old) == 1
    assert mistake(tmp_path, RECIPE.replace(old, new)) == f"r.yaml: {sentence}"


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
    message = mistake(tmp_path, f"{RECIPE}{line}\n")
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
    for content, byte, line in (
        (RECIPE.encode() + "# café\n".encode("latin-1"), "e9", RECIPE.count("\n") + 1),
        (RECIPE.encode("utf-16"), "ff", 1),
    ):
        assert mistake(tmp_path, content) == (
            f"the recipe {tmp_path / 'r.yaml'} is not UTF-8 text (byte 0x{byte} at line {line}): save it as UTF-8"
        )


def test_a_recipe_may_begin_with_the_mark_of_utf8(tmp_path: Path) -> None:
    assert load(write(tmp_path / "r.yaml", RECIPE.encode("utf-8-sig"))).recipe.name == "x"


SCALARS = {
    "2025-02-30": "'2025-02-30' cannot be read as a date",
    "2025-01-01T25:00:00Z": "'2025-01-01T25:00:00Z' cannot be read as a date",
    ".nan": "'.nan' cannot be read as a number",
    "-.inf": "'-.inf' cannot be read as a number",
    "1.0e+999": "'1.0e+999' cannot be read as a number",
    "!!binary aGk=": "could not determine a constructor for the tag 'tag:yaml.org,2002:binary'",
    "!!set {a, b}": "could not determine a constructor for the tag 'tag:yaml.org,2002:set'",
    "0x_": "'0x_' cannot be read as a number",
    "0b_": "'0b_' cannot be read as a number",
    "!!timestamp x": "'x' cannot be read as a date",
    "!!bool maybe": "'maybe' cannot be read as a truth value",
    '!!int ""': "'' cannot be read as a number",
    "!!float 1:2:x": "'1:2:x' cannot be read as a number",
    '"\\ud800"': "'\\ud800' cannot be read as a text of whole characters",
    '"\\U0011ffff"': "not valid YAML",
    '"\\Uffffffff"': "not valid YAML",
    "!!map x": "expected a mapping node, but found scalar",
    "1" * 5000: "11' cannot be read as a number",
    "0x" + "f" * 5000: "ff' cannot be read as a number",
    "1:" * 3000 + "1": ":1' cannot be read as a number",
}


@pytest.mark.parametrize("value", SCALARS, ids=lambda value: value[:20])
def test_a_value_that_is_not_what_it_looks_like_is_one_sentence(tmp_path: Path, value: str) -> None:
    for message in (mistake(tmp_path, f"{RECIPE}seed: {value}\n"), mistake(tmp_path, RECIPE, f"seed={value}")):
        assert SCALARS[value] in message and len(message) < 600


@pytest.mark.parametrize("text", ["[", "{a: "])
def test_values_nested_too_deeply_are_one_sentence(tmp_path: Path, text: str) -> None:
    assert "it is nested too deeply" in mistake(tmp_path, f"{RECIPE}seed: {text * 20_000}")
    message = mistake(tmp_path, RECIPE, f"seed={text * 20_000}")
    assert message.endswith("is not a YAML value (it is nested too deeply); quote it") and len(message) < 400
    assert "it is nested too deeply" in mistake(tmp_path, RECIPE, f"{'a.' * 20_000}a=1")


@pytest.mark.parametrize("path", ["$MISSING/people", "${MISSING}/people", "/data/$USER", "memory://$BUCKET/people"])
def test_a_path_that_names_a_variable_says_that_recipes_expand_none(tmp_path: Path, path: str) -> None:
    text = RECIPE.replace("root: people", f"root: '{path}'")
    loaded = load(write(tmp_path / "r.yaml", text.encode()))
    with pytest.raises(UsageError) as caught:
        open_sources(loaded)
    variable = next(part for part in path.split("/") if "$" in part)
    assert str(caught.value) == (
        f"the recipe's path {path!r} names the variable {variable}, and recipes do not expand variables: "
        "write the path out, or give it with --set, where the shell expands it"
    )


def test_a_folder_that_is_called_like_a_variable_is_used(tmp_path: Path) -> None:
    loaded = load(write(tmp_path / "r.yaml", RECIPE.encode()))
    (tmp_path / "$RECYCLE").mkdir()
    assert loaded.resolve("$RECYCLE") == tmp_path / "$RECYCLE"
    assert loaded.resolve("costs_5$") == tmp_path / "costs_5$"


@pytest.mark.parametrize(
    "tag", ["!!python/object/apply:os.system ['touch MARK']", "!!python/name:os.system", "!!python/tuple [1]", "!own 1"]
)
def test_yaml_that_would_make_objects_is_refused_and_does_nothing(tmp_path: Path, tag: str) -> None:
    mark = tmp_path / "mark"
    message = mistake(tmp_path, f"{RECIPE}seed: {tag.replace('MARK', str(mark))}\n")
    assert message.startswith("r.yaml is not a recipe: could not determine a constructor for the tag")
    assert message.endswith("at line 8, column 7")
    assert not mark.exists()


@pytest.mark.parametrize(
    ("override", "sentence"),
    [
        ("seed", "--set 'seed' has no value: write it as KEY=VALUE, for instance composites.crop=random"),
        ("=3", "--set '=3' has no value: write it as KEY=VALUE, for instance composites.crop=random"),
        (
            "seed=[",
            "--set 'seed=[': '[' is not a YAML value (expected the node content, but found '<stream end>' at line 1, "
            "column 2); quote it",
        ),
        ("name.x=1", "--set 'name.x=1': 'name' is a value, not a group of keys; set it directly"),
        (
            "foregrounds.sources.5.root=q",
            "--set 'foregrounds.sources.5.root=q': the list has entries 0 to 0, not '5'",
        ),
        (
            "foregrounds.sources[-1].root=q",
            "--set 'foregrounds.sources[-1].root=q': the list has entries 0 to 0, not '-1'",
        ),
        (
            "trimap.test.kernel.x=1",
            "r.yaml: the key 'trimap.test.kind' is missing: choose 'dim', 'fixed' or 'adaptive'",
        ),
        (
            "foregrounds.sources[0].root.x.y=1",
            "--set 'foregrounds.sources[0].root.x.y=1': 'root' is a value, not a group of keys; set it directly",
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
    assert mistake(tmp_path, RECIPE, override) == sentence


def test_a_missing_recipe_names_the_bundled_ones(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("nope", str(tmp_path / "sample.yaml")):
        with pytest.raises(UsageError, match=r"^no recipe .*: name a YAML file, or a bundled recipe \(.*sample.*\)$"):
            load(Path(name))
    with pytest.raises(UsageError, match="is a folder, not a recipe"):
        load(tmp_path)


def test_a_key_given_twice_is_refused_with_its_line(tmp_path: Path) -> None:
    text = f"{RECIPE}seed: 1\nseed: 2\n"
    line = text.splitlines().index("seed: 2") + 1
    expected = f"r.yaml is not a recipe: the key 'seed' is given twice; remove one at line {line}, column 1"
    assert mistake(tmp_path, text) == expected


def test_aliases_that_stand_for_gigabytes_make_a_short_sentence(tmp_path: Path) -> None:
    lists = "\n".join(f"  - &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]" for n in range(1, 12))
    text = RECIPE.replace("name: x", f"name:\n  - &a0 [x]\n{lists}")
    assert len(mistake(tmp_path, text)) < 300
