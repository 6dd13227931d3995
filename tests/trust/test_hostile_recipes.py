"""Recipes, configs and ``--set`` values with a changed structure: an object, or one sentence and exit code 2."""

from __future__ import annotations

import copy
import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import strategies as st

from matting_data.configuration import MOST_TEXT, read_preset
from matting_data.errors import UsageError
from matting_data.recipes.recipe_file import as_mapping, load, parse_recipe, to_yaml
from matting_data.training.config_file import load_config
from tests.support.commands import RunCommand
from tests.support.examples import try_examples
from tests.support.hostile import JUNK, mutated

SCALARS = [
    "2025-02-30", "0x_", "!!timestamp x", "1" * 5000, '"\\ud800"', "!!binary aGk=", "!!set {a, b}", "!!omap [a: 1]",
    "!!python/name:os.system", "!x y", ".inf", "-.nan", "1.0e+999", "1:30:00", "1_000", "0o17", "~", "", "*a", "&a *a",
    "[" * 20_000, "{a: " * 300, "[" * 100 + "]" * 100, "<<", "'", '"', "\x00", "\x1b[31m", "\u202e", "%", "@", "`", "|",
    "? a", "- a", "a: b", "{a: 1, a: 2}", "{1: 2}", "{[a]: b}", "{null: 1}", "{<<: {x: 1}}", "{<<: 3}", "!!int x",
]  # fmt: skip

LAUGHS = "a: &a [1,2,3,4,5,6,7,8,9]\n" + "".join(
    f"{new}: &{new} [{','.join([f'*{old}'] * 9)}]\n" for old, new in zip("abcdefgh", "bcdefghi", strict=True)
)
MERGES = "a: &a {x: 1}\n" + "".join(
    f"{new}: &{new} {{<<: [*{old}, *{old}, *{old}], {new}: 1}}\n"
    for old, new in zip("abcdefghijklmnop", "bcdefghijklmnopq", strict=True)
)


def one_sentence(parse: Callable[[], object]) -> bool:
    """Tell whether it parsed; anything but that or a UsageError of one line fails the test."""
    started = time.monotonic()
    try:
        parse()
        return True
    except UsageError as error:
        assert "\n" not in str(error) and len(str(error)) < 1000 and error.exit_code == 2
        str(error).encode(errors="strict" if str(error).isascii() else "surrogatepass")
        return False
    finally:
        assert time.monotonic() - started < 60


def _recipe(data: Any) -> None:
    document = yaml.safe_load(read_preset("recipes", data.draw(st.sampled_from(["local", "safe-net", "sample"]))))
    for _ in range(data.draw(st.integers(1, 3))):
        mutated(document, data.draw)
    text = json.dumps(document) if data.draw(st.booleans()) else yaml.safe_dump(document, allow_unicode=True)
    if data.draw(st.booleans()):
        text = text.replace("sources", "sources: " + data.draw(st.sampled_from(SCALARS)), 1)
    if one_sentence(lambda: parse_recipe(text, "r.yaml")):
        recipe = parse_recipe(text, "r.yaml")
        assert parse_recipe(to_yaml(recipe), "again") == recipe
        json.dumps(as_mapping(recipe), allow_nan=False)


def _override(data: Any) -> None:
    keys = ["seed", "name", "version", "foregrounds.sources[0].root", "foregrounds.sources", "backgrounds.humans",
            "composites.per_foreground", "store", "trimap.train.kernel", "foregrounds.split.test", "a.b", "", ".",
            "foregrounds.sources[-1]", "foregrounds.sources[9]", "a." * 20_000 + "a", "\x1b", "\udce9", "backgrounds",
            "backgrounds.max_megapixels", "foregrounds.expect.subsets"]  # fmt: skip
    value = st.sampled_from(SCALARS) | st.sampled_from(JUNK).map(lambda junk: json.dumps(junk)) | st.text()
    given_ = [f"{data.draw(st.sampled_from(keys))}={data.draw(value)}" for _ in range(data.draw(st.integers(1, 2)))]
    one_sentence(lambda: load(Path(data.draw(st.sampled_from(["local", "sample"]))), given_))


def _config(data: Any) -> None:
    keys = ["network", "network.preset", "network.loss", "data.crop", "batch", "matting", "detector", "matting.steps",
            "seed", "network.flaw_target", "network.flaw_target.size", "x"]  # fmt: skip
    value = st.sampled_from(SCALARS) | st.sampled_from(JUNK).map(lambda junk: json.dumps(junk)) | st.text()
    one_sentence(lambda: load_config("tiny", [f"{data.draw(st.sampled_from(keys))}={data.draw(value)}"]))


def _checked(examples: int) -> None:
    try_examples(examples, lambda data: data.draw(st.sampled_from([_recipe, _override, _config]))(data))


def test_a_hundred_changed_recipes() -> None:
    _checked(100)


@pytest.mark.slow
@pytest.mark.timeout(3600)
def test_a_thousand_changed_recipes() -> None:
    _checked(1000)


@pytest.mark.parametrize("text", SCALARS)
def test_each_odd_scalar(text: str) -> None:
    one_sentence(lambda: parse_recipe(f"name: x\nseed: {text}\n", "r.yaml"))
    one_sentence(lambda: load(None, [f"seed={text}"]))


@pytest.mark.parametrize("text", [LAUGHS, MERGES, "a: &a [*a]", "a: &a {<<: *a}", "a: &a {b: *a}"])
def test_aliases_are_counted_before_they_are_followed(text: str) -> None:
    with pytest.raises(UsageError, match=r"stands for more than 100,000 values, or contains itself at line \d+"):
        parse_recipe(text, "r.yaml")


def test_aliases_and_merge_keys_may_be_used() -> None:
    document = yaml.safe_load(read_preset("recipes", "local"))
    shared = copy.deepcopy(document)
    shared["foregrounds"]["split"] = document["foregrounds"].get("split")
    text = yaml.safe_dump(shared).replace("name:", "x-unused: &a {seed: 3}\nname:", 1)
    with pytest.raises(UsageError, match="unknown key 'x-unused'"):
        parse_recipe(text, "r.yaml")
    assert parse_recipe(yaml.safe_dump(document) + "\n<<: {seed: 3}\n", "r.yaml").seed in (3, document.get("seed"))


def test_keys_are_text_and_given_once() -> None:
    for text, said in (("1: x", "the key 1 is not text; quote it"), ("a: 1\na: 2", "the key 'a' is given twice")):
        with pytest.raises(UsageError, match=said):
            parse_recipe(text, "r.yaml")


def test_long_documents_are_refused_by_their_length(command: RunCommand, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="more than 262,144 characters"):
        parse_recipe(" " * (MOST_TEXT + 1), "r.yaml")
    code, _, err = command("plan", "sample", "--set", "seed=" + "[" * 20_000)
    assert code == 2 and "Traceback" not in err and len(err) < 1000
