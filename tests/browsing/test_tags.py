"""Tags become rows of overrides.csv."""

from __future__ import annotations

from matting_data.browsing.tags import decisions
from matting_data.recipes.decisions import Decision

WHEN = "2025-03-01T12:00:00Z"


def test_tags_say_different_things_of_backgrounds_and_of_composites() -> None:
    rows, notes = decisions(
        [
            ("", "b1", ["human", "why:a hand", "why: at the edge"]),
            ("", "b2", ["clean"]),
            ("", "b3", ["reject", "seen"]),
            ("f1", "b4", ["human"]),
            ("f1", "b5", ["reject"]),
            ("f2", "b6", ["subset:crowd", "clean", "subset:"]),
        ],
        "ann",
        "by eye",
        WHEN,
    )
    assert notes == []
    assert rows == [
        Decision("background", "b1", "human", "ann", WHEN, "a hand; at the edge"),
        Decision("background", "b2", "clean", "ann", WHEN, "by eye"),
        Decision("background", "b3", "reject", "ann", WHEN, "by eye"),
        Decision("background", "b4", "human", "ann", WHEN, "by eye"),
        Decision("foreground", "f1", "reject", "ann", WHEN, "by eye"),
        Decision("foreground", "f2", "subset:crowd", "ann", WHEN, "by eye"),
    ]


def test_two_tags_that_contradict_are_a_note() -> None:
    rows, notes = decisions(
        [("f", "b1", ["human"]), ("g", "b1", ["human"]), ("", "b2", ["human", "clean"])], "ann", "", WHEN
    )
    assert [row.id for row in rows] == ["b1"]
    assert notes == ["background b2 is tagged clean and human: keep one of the tags"]
