"""Shards: tars that any reader takes, at the places the manifest says, the same bytes each time."""

from __future__ import annotations

import io
import tarfile

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from matting_data.shards.writer import MemorySink, ShardWriter

Samples = list[tuple[str, dict[str, bytes]]]

members = st.dictionaries(
    st.sampled_from(["image.jpg", "image.png", "alpha.png", "trimap.png", "json"]),
    st.one_of(st.binary(max_size=40), st.sampled_from([0, 511, 512, 513, 1024]).map(lambda n: b"x" * n)),
    min_size=1,
)
samples = st.lists(
    st.tuples(st.from_regex(r"\A[A-Za-z0-9_-]{1,86}\Z"), members), max_size=5, unique_by=lambda sample: sample[0]
)


def written(shard: Samples) -> tuple[bytes, list[dict[str, tuple[str, int, int]]]]:
    sink = MemorySink()
    writer = ShardWriter(sink)
    places = [writer.add(key, content) for key, content in shard]
    writer.close()
    return sink.getvalue(), places


@given(samples)
@settings(deadline=None)
def test_members_are_adjacent_complete_and_where_their_places_say(shard: Samples) -> None:
    data, places = written(shard)
    expected = [(f"{key}.{field}", content) for key, fields in shard for field, content in fields.items()]
    with tarfile.open(fileobj=io.BytesIO(data)) as tar:
        found = [(info.name, tar.extractfile(info).read()) for info in tar]
        offsets = {info.name: (info.name, info.offset_data, info.size) for info in tar.getmembers()}
    assert found == expected
    assert [list(place) for place in places] == [list(fields) for _, fields in shard]
    for (key, fields), place in zip(shard, places, strict=True):
        for field, content in fields.items():
            assert place[field] == offsets[f"{key}.{field}"]
            _, start, length = place[field]
            assert data[start : start + length] == content


@given(samples)
@settings(deadline=None, max_examples=30)
def test_a_shard_is_whole_blocks_and_the_same_bytes_each_time(shard: Samples) -> None:
    data, _ = written(shard)
    assert data == written(shard)[0]
    assert len(data) % tarfile.BLOCKSIZE == 0
    assert data.endswith(bytes(2 * tarfile.BLOCKSIZE))


def test_time_owner_and_mode_are_constant_and_the_format_is_ustar() -> None:
    data, _ = written([("k-00", {"image.jpg": b"abc", "json": b"{}"})])
    assert data[257:265] == b"ustar\x0000"
    with tarfile.open(fileobj=io.BytesIO(data)) as tar:
        for info in tar:
            assert (info.mtime, info.uid, info.gid, info.uname, info.gname) == (0, 0, 0, "", "")
            assert (info.mode, info.type, info.pax_headers) == (0o444, tarfile.REGTYPE, {})


def test_an_empty_shard_is_an_empty_archive() -> None:
    data, _ = written([])
    assert data == bytes(1024)
    with tarfile.open(fileobj=io.BytesIO(data)) as tar:
        assert tar.getnames() == []


def test_places_count_from_what_the_sink_already_holds() -> None:
    sink = MemorySink()
    sink.write(b"p" * 512)
    place = ShardWriter(sink).add("a", {"json": b"{}"})["json"]
    assert place == ("a.json", 1024, 2)
    assert sink.getvalue()[1024:1026] == b"{}"
    assert sink.bytes_written == 1536


def test_a_name_that_no_header_holds_is_an_error_and_not_a_shortened_name() -> None:
    sink = MemorySink()
    with pytest.raises(ValueError, match="name is too long"):
        ShardWriter(sink).add("k" * 101, {"json": b"{}"})
    assert sink.getvalue() == b""


@given(st.from_regex(r"\A[A-Za-z0-9_-]{1,91}\Z"), st.integers(0, 5000))
@settings(deadline=None)
def test_a_header_is_what_tarfile_writes(key: str, size: int) -> None:
    info = tarfile.TarInfo(f"{key}.image.jpg")
    info.size, info.mtime, info.mode = size, 0, 0o444
    data, _ = written([(key, {"image.jpg": bytes(size)})])
    assert data[:512] == info.tobuf(tarfile.USTAR_FORMAT)
