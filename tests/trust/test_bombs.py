"""Files of some kilobytes that stand for gigabytes are refused in a moment, in little memory."""

from __future__ import annotations

import io
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from PIL import Image

import matting_data
from matting_data.errors import DamageError, MattingDataError, RejectedInput
from matting_data.imaging import encode
from matting_data.json_text import parse_json
from matting_data.records.judged import JudgedBackground
from matting_data.records.parquet_size import MalformedError, unfolded
from matting_data.records.self_hashed import checked_metadata, hashed_parquet
from matting_data.records.stored import Sample
from matting_data.records.tables import checked_table, parquet_bytes, to_table
from matting_data.shards.index import read_index, write_index
from matting_data.shards.reader import decode_member
from tests.support.commands import RunCommand
from tests.support.hostile import rehash

LIMITED = """
import atexit, re, resource, sys
from pathlib import Path
resource.setrlimit(resource.RLIMIT_CPU, (60, 60))
peak = lambda: re.search(r"VmHWM:\\s+(\\d+)", Path("/proc/self/status").read_text())[1]
atexit.register(lambda: print("peak", peak(), file=sys.stderr))
sys.argv[:] = ["mattingdata", *sys.argv[1:]]
from matting_data.cli.main import main
main()
"""
"""The command with a limit on its time, which says how many kilobytes of memory it took at most."""

MEMORY = 700_000
"""In kB; Python and its libraries take 350,000."""


def long_manifest(built: Path, rows: int) -> Path:
    """Give the first shard's manifest many rows, and the index their number, with all hashes."""
    path = built / "train" / "000000.parquet"
    metadata = checked_metadata(path.read_bytes()) or {}
    table = pl.read_parquet(path)
    table = table.head(1).select(pl.all().repeat_by(rows).explode())
    path.write_bytes(hashed_parquet(table, metadata))
    index: Any = read_index(built)
    shard = index["splits"]["train"]["shards"][0]
    more = min(rows, 100_000) - shard["num_samples"]
    shard["num_samples"] += more
    shard["bytes"] = 10**9
    index["splits"]["train"]["num_samples"] += more
    for count in ("total", "written"):
        index["ledger"]["composites"][count] += more
    write_index(built, index)
    rehash(built, "train/000000.parquet")
    return path


@pytest.mark.skipif(sys.platform != "linux", reason="peak memory is read from /proc")
@pytest.mark.parametrize("rows", [100_000, 2_000_000])
@pytest.mark.parametrize("verb", ["stats", "verify"])
def test_a_manifest_of_many_rows_is_refused_in_little_memory(built: Path, rows: int, verb: str) -> None:
    path = long_manifest(built, rows)
    assert path.stat().st_size < 250_000
    command = [sys.executable, "-c", LIMITED, verb, str(built)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120)
    assert done.returncode in (1, 2), done.stderr
    said = done.stdout + done.stderr
    assert "unfold to" in said if verb == "stats" else "plan.parquet has 18 rows, dataset.json says 100,012" in said
    assert "Traceback" not in said
    assert int(done.stderr.rsplit("peak ", 1)[1]) < MEMORY


def repeating(text: str, rows: int) -> bytes:
    """Encode a table whose one text, stored once, all rows repeat."""
    pyarrow = pytest.importorskip("pyarrow")
    from pyarrow import parquet

    codes = pyarrow.DictionaryArray.from_arrays(pyarrow.array(np.zeros(rows, "i4")), pyarrow.array([text]))
    buffer = io.BytesIO()
    parquet.write_table(pyarrow.table({"id": codes}), buffer, compression="zstd")
    return buffer.getvalue()


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (lambda: repeating("x" * 1_000_000, 10), r"its texts have more than 65,536 bytes"),
        (lambda: repeating("x", 10_000_000), "unfold to 10,000,000 rows"),
        (lambda: parquet_bytes(pl.DataFrame({"id": ["\0" * 500_000_000]})), "unfold to|more than 65,536"),
        (lambda: parquet_bytes(pl.DataFrame({"boxes": [[0] * 20_000_000]})), "unfold to"),
        (lambda: b"PAR1" + b"\x15" * 5000 + (5000).to_bytes(4, "little") + b"PAR1", "cannot be read"),
        (lambda: b"PAR1" + b"\x1c" * 5000 + (5000).to_bytes(4, "little") + b"PAR1", "cannot be read"),
        (lambda: b"PAR1" + b"\x19\xfc" * 2500 + (5000).to_bytes(4, "little") + b"PAR1", "cannot be read"),
        (lambda: b"", "it is not Parquet"),
    ],
    ids=["long text", "many rows", "zeros", "long list", "numbers", "structs", "lists", "empty"],
)
def test_tables_that_unfold_are_refused_before_they_are_decoded(
    content: Any, said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = content()
    monkeypatch.setattr(pl, "read_parquet", None)  # nothing may decode it
    with pytest.raises(DamageError, match=said):
        checked_table(data, JudgedBackground, "backgrounds.parquet")


def test_what_builds_write_unfolds_to_what_polars_reads(built: Path) -> None:
    for path in built.rglob("*.parquet"):
        if ".work" not in path.parts:
            assert unfolded(path).rows == pl.read_parquet(path).height == unfolded(path.read_bytes()).rows


@pytest.mark.parametrize("rows", [0, 1, 5, 300_000])
def test_tables_of_any_length_are_measured(rows: int) -> None:
    """Several row groups and pages, nulls, lists: polars' sizes are a floor of what is said."""
    text = [f"photos-img_{number:07d}" for number in range(rows)]
    table = pl.DataFrame(
        {"id": text, "none": [None] * rows, "n": list(range(rows)), "list": [[1, 2]] * rows},
        schema={"id": pl.String, "none": pl.String, "n": pl.Int64, "list": pl.List(pl.Int64)},
    )
    found = unfolded(parquet_bytes(table))
    assert found.rows == rows and found.bytes >= 8 * 5 * rows


def test_a_footer_that_lies_about_its_pages_is_found_out() -> None:
    data = bytearray(parquet_bytes(pl.DataFrame({"n": np.arange(1000) % 7})))
    for place in range(len(data) - 8):
        changed = bytes([*data[:place], data[place] ^ 1, *data[place + 1 :]])
        try:
            found = unfolded(changed)
        except MalformedError:
            continue
        assert found.bytes < 1 << 40


def test_an_offset_beyond_the_tar_is_damage_at_once(built: Path) -> None:
    path = built / "train" / "000000.parquet"
    for column, value in (("image_offset", 10**15), ("image_bytes", 10**15), ("alpha_bytes", 2**62), ("shard", 10**9)):
        original = path.read_bytes()
        table = pl.read_parquet(path).with_columns(pl.lit(value).cast(pl.Int64).alias(column))
        path.write_bytes(hashed_parquet(table, checked_metadata(original) or {}))
        rehash(built, "train/000000.parquet")
        with pytest.raises(DamageError, match="was not written by mattingdata") as caught:
            matting_data.open(built)["train"].read(0)
        assert "tried" not in str(caught.value)
        path.write_bytes(original)


def png_bomb(side: int) -> bytes:
    """Encode a PNG of black pixels, tiny for its size."""
    buffer = io.BytesIO()
    Image.new("L", (side, side)).save(buffer, "PNG", compress_level=9)
    return buffer.getvalue()


@pytest.mark.parametrize("member", ["image", "alpha", "trimap"])
def test_pictures_larger_than_the_manifest_says_are_refused_unread(member: str) -> None:
    large = encode.jpeg(np.zeros((3000, 3000, 3), np.uint8)) if member == "image" else png_bomb(3000)
    with pytest.raises(RejectedInput, match="more than 12,288 pixels"):
        decode_member(member, large, (96, 128))


def test_a_jpeg_whose_header_says_65500_by_65500_allocates_nothing() -> None:
    data = bytearray(encode.jpeg(np.zeros((16, 16, 3), np.uint8)))
    frame = data.index(b"\xff\xc0") + 5
    data[frame : frame + 4] = (65_500).to_bytes(2, "big") * 2
    with pytest.raises(RejectedInput):
        decode_member("image", bytes(data), (96, 128))


DEEP = "[" * 100_000


@pytest.mark.parametrize("name", ["dataset.json", "audit.json", ".work/base.json", "croissant.json"])
@pytest.mark.parametrize("content", [DEEP, DEEP + "]" * 100_000, '{"a":' * 100_000, "9" * 10_000, "\x00", "nul"])
def test_json_of_any_form_is_one_sentence_in_every_verb(
    built: Path, command: RunCommand, name: str, content: str
) -> None:
    (built / ".work").mkdir(exist_ok=True)
    (built / name).write_text(content)
    for verb in ("status", "stats", "card", "verify", "repair"):
        code, out, err = command(verb, built, *(["--workers", "1"] if verb in ("verify", "repair") else []))
        assert code in (0, 1, 2) and "Traceback" not in out + err, (verb, err)


def test_json_is_parsed_as_far_as_any_file_of_ours_is_nested() -> None:
    assert parse_json("[" * 60 + "]" * 60, "x") and parse_json(b'{"a": [1.5, null]}', "x") == {"a": [1.5, None]}
    for text in ("[" * 70 + "]" * 70, DEEP, "", "{", b"\xff", "1" * 5000, "[1,]"):
        with pytest.raises(DamageError, match=r"^x is damaged \(.*\): restore it, or remove it$"):
            parse_json(text, "x")


@pytest.mark.parametrize("name", ["dataset.json", "recipe.yaml", "croissant.json", "audit.json"])
def test_files_that_go_on_for_ever_are_not_read(built: Path, command: RunCommand, name: str) -> None:
    with open(built / name, "ab") as stream:
        stream.truncate(1 << 40)  # sparse: takes no disk
    code, _, err = command("card", built)
    assert code in (0, 1, 2) and "Traceback" not in err
    if name != "croissant.json":  # of which an unreadable one counts as none
        assert code and ("has more than" in err or "more than" in err), err


def test_a_recipe_of_a_gigabyte_is_not_read(tmp_path: Path, command: RunCommand) -> None:
    recipe, decisions = tmp_path / "r.yaml", tmp_path / "overrides.csv"
    for path in (recipe, decisions):
        with open(path, "wb") as stream:
            stream.truncate(1 << 30)
    code, _, err = command("plan", recipe)
    assert code == 2 and "more than 262,144 bytes" in err
    code, _, err = command("plan", "sample", "--set", f"overrides={decisions}", "--out", tmp_path / "out")
    assert code == 2 and "more than 67,108,864 bytes" in err


def test_tables_of_earlier_stages_hold_to_their_types(built: Path) -> None:
    table = to_table([], Sample)
    assert checked_table(parquet_bytes(table), Sample, "x").height == 0
    with pytest.raises(MattingDataError, match="its width is String, not Int64"):
        checked_table(parquet_bytes(table.with_columns(pl.lit("9").alias("width"))), Sample, "x")
