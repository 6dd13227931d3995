"""LabelMe polygons: what they say, and what is refused."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from matting_data.errors import RejectedInput, UsageError
from matting_data.humans.polygon_evidence import SunPolicy, judge_polygons
from matting_data.sources.sun.annotations import Polygon, legible_names, parse_annotation, standing_names

REAL_SHAPE = b"""<annotation><filename>sun_aaa.jpg</filename><folder>static_sun_database/a/abbey</folder>
<source><submittedBy>x</submittedBy></source><imagesize><nrows>600</nrows><ncols>800</ncols></imagesize>
<object><name>
person walking occluded
</name><deleted>0</deleted><verified>0</verified><date>1-1-2010</date><id>0</id><type/>
<polygon><username>x</username><pt><x>1</x><y>2</y></pt><pt><x>3.5</x><y>4</y></pt><pt><x>5</x><y>6</y></pt></polygon></object>
<object><name>wall &amp; door</name><deleted>0</deleted><occluded>yes</occluded><attributes>red</attributes></object>
<object><name>man</name><deleted>1</deleted></object></annotation>"""


def test_objects_are_read() -> None:
    person, wall, man = parse_annotation(REAL_SHAPE)
    assert person == Polygon("person walking occluded", False, True)
    assert wall == Polygon("wall & door", False, True)
    assert man == Polygon("man", deleted=True)


def test_old_files_in_latin_1_are_read() -> None:
    data = "<annotation><object><name>señor café</name></object></annotation>".encode("latin-1")
    assert parse_annotation(data) == [Polygon("señor café")]


@pytest.mark.parametrize(
    ("names", "tier", "verdict", "reason"),
    [
        (["wall", "Person Standing crop"], "polygon_present", "reject", "person_polygon"),
        (["wall", "hand"], "polygon_body_part", "reject", "body_part_polygon"),
        (["head"], "polygon_possible", "review", "ambiguous_part_polygon"),
        (["man with dog"], "polygon_possible", "review", "possible_person_polygon"),
        (["statue"], "polygon_lookalike", "review", "lookalike_polygon"),
        (["baby chair", "hair dryer", "table leg"], "polygons_without_human", "keep", "polygons_without_human"),
        ([], "no_polygons", "keep", "no_polygons"),
    ],
)
def test_verdicts(names: list[str], tier: str, verdict: str, reason: str) -> None:
    judged = judge_polygons(names)
    assert (judged.tier, judged.verdict, judged.reason) == (tier, verdict, reason)


def test_deleted_polygons_say_nothing() -> None:
    assert judge_polygons(standing_names([Polygon("man", deleted=True)])).tier == "no_polygons"
    assert judge_polygons(None).tier == "no_polygons"
    assert judge_polygons(standing_names(parse_annotation(REAL_SHAPE))).decided_by == "polygon person walking"


def test_the_strictest_name_decides() -> None:
    polygons = ["statue", "head", "hand"]
    assert judge_polygons(polygons, SunPolicy(body_part="keep")).reason == "ambiguous_part_polygon"
    assert judge_polygons(polygons, SunPolicy("keep", "keep", "reject")).reason == "lookalike_polygon"
    assert judge_polygons(polygons[:1], SunPolicy(lookalikes="keep", without_human="review")).verdict == "review"
    with pytest.raises(UsageError, match="weak 'drop' is not one of"):
        SunPolicy(weak="drop")


_ENTITIES = " ".join(f'<!ENTITY x{n + 1} "{f"&x{n};" * 8}">' for n in range(20))
BOMB = f'<!DOCTYPE a [<!ENTITY x0 "ha"> {_ENTITIES} ]><annotation><object><name>&x20;</name></object></annotation>'


@pytest.mark.parametrize(
    "data",
    [
        BOMB.encode(),
        ("\ufeff" + BOMB).encode("utf-16-le"),
        b'<?xml version="1.0"?>\n\n<!DOCTYPE a SYSTEM "http://127.0.0.1/x.dtd"><annotation/>',
        b'<!DOCTYPE a [<!ENTITY f SYSTEM "file:///etc/passwd">]><annotation><object><name>&f;</name></object></annotation>',
        b"<!DOCTYPE a [<!ENTITY % p SYSTEM 'file:///etc/passwd'> %p;]><annotation/>",
        b"<!DOCTYPE annotation><annotation/>",
        b"<annotation>" + b"<object>" * 200,
        b"<annotation>" + b" " * (17 << 20) + b"</annotation>",
    ],
    ids=["bomb", "bomb in utf-16", "external dtd", "external entity", "parameter entity", "doctype", "nesting", "size"],
)
def test_bombs_and_entities_are_refused(data: bytes) -> None:
    with pytest.raises(RejectedInput) as problem:
        parse_annotation(data)
    assert problem.value.reason == "annotation_refused"


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"no xml",
        b"<annotation><object><name>a</name>",
        b"<annotation><object><name>&undefined;</name></object></annotation>",
        b"<html/>",
        b'<?xml version="1.0" encoding="nonsense"?><annotation/>',
    ],
)
def test_what_is_no_annotation_is_said_so(data: bytes) -> None:
    with pytest.raises(RejectedInput) as problem:
        parse_annotation(data)
    assert problem.value.reason == "annotation_unreadable"


@pytest.mark.parametrize(
    "field",
    [
        "<polygon><pt><x>a</x><y>1</y></pt></polygon>",
        "<polygon><pt><x>1</x></pt></polygon>",
        "<polygon><pt><x/><y>1e999</y></pt></polygon>",
        "<polygon/>",
        "<id>?</id>",
        "<date>31-Feb-2010</date>",
        "<verified>maybe</verified>",
        "<occluded>perhaps</occluded>",
        "<deleted/>",
        "<viewpoint><azimuth>x</azimuth></viewpoint>",
    ],
)
def test_fields_that_no_verdict_uses_cost_no_evidence(field: str) -> None:
    data = (
        f"<annotation><imagesize><nrows>x</nrows></imagesize><object>{field}<name>person</name></object></annotation>"
    )
    assert standing_names(parse_annotation(data.encode())) == ["person"]


def test_names_of_a_file_that_is_no_xml_are_read_where_they_stand() -> None:
    data = b"<annotation><object><name>\nwall & door\n</name></object><object><NAME>Person &amp; dog</NAME><name>cut"
    with pytest.raises(RejectedInput, match="well-formed"):
        parse_annotation(data)
    assert legible_names(data) == ["wall & door", "Person & dog"]
    assert legible_names(b"<name>" * 200_000) == []  # in no time


@pytest.mark.parametrize(
    ("names", "reason", "verdict"),
    [
        ([], "polygons_unreadable", "review"),
        (["wall"], "polygons_unreadable", "review"),
        (["wall", "person"], "person_polygon", "reject"),
        (["hand"], "body_part_polygon", "reject"),
    ],
)
def test_an_annotation_that_cannot_be_read_goes_to_review_unless_its_names_say_more(
    names: list[str], reason: str, verdict: str
) -> None:
    judged = judge_polygons(names, problem="annotation_unreadable: no well-formed XML")
    assert (judged.reason, judged.verdict) == (reason, verdict)
    assert judge_polygons([], SunPolicy(unreadable="keep"), "broken").verdict == "keep"


@given(st.binary(max_size=300) | st.integers(0, len(REAL_SHAPE)).map(lambda n: REAL_SHAPE[:n] + REAL_SHAPE[n + 1 :]))
def test_no_bytes_raise_anything_else(data: Any) -> None:
    try:
        judge_polygons(standing_names(parse_annotation(data)))
    except RejectedInput as problem:
        assert problem.reason.startswith("annotation_")
