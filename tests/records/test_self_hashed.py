from __future__ import annotations

import io

import polars as pl

from matting_data.records.self_hashed import checked_metadata, hashed_parquet
from matting_data.records.tables import parquet_bytes

TABLE = pl.DataFrame({"key": ["a", "b"], "number": [1, 2]})


def test_a_table_with_its_hash_is_parquet_that_says_what_was_said_of_it() -> None:
    content = hashed_parquet(TABLE, {"made": "of this"})
    assert content == hashed_parquet(TABLE, {"made": "of this"})
    assert pl.read_parquet(io.BytesIO(content)).equals(TABLE)
    assert checked_metadata(content) == {"made": "of this"}


def test_every_flipped_byte_breaks_the_hash() -> None:
    content = hashed_parquet(TABLE, {"made": "of this"})
    for place in range(len(content)):
        damaged = content[:place] + bytes([content[place] ^ (1 << place % 8)]) + content[place + 1 :]
        assert checked_metadata(damaged) is None, place
    assert checked_metadata(content[:-1]) is None and checked_metadata(content + b"x") is None


def test_without_a_hash_nothing_is_believed() -> None:
    assert checked_metadata(parquet_bytes(TABLE, {"made": "of this"})) is None
    assert checked_metadata(b"") is None and checked_metadata(b"PAR1") is None


def test_words_that_look_like_a_hash_are_not_believed() -> None:
    words = "seal-sha256:" + "0" * 64
    assert checked_metadata(hashed_parquet(TABLE, {"detail": words})) is None
