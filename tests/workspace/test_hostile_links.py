"""Links at every place of a dataset, through every verb: nothing outside changes, and nobody sees a traceback."""

from __future__ import annotations

import shutil

import pytest

from tests.support.hall import LINKS, Hall, run


def test_every_verb_works_where_nothing_is_a_link(hall: Hall) -> None:
    for state in ("finished", "layers"):
        for commands in list(hall.verbs(state))[:-2]:  # neither may be filtered or materialized into
            shutil.rmtree(hall.out, ignore_errors=True)
            shutil.rmtree(hall.root / "made", ignore_errors=True)
            shutil.copytree(hall.root / state, hall.out)
            for arguments in commands:
                code, said = run(arguments)
                if state == "layers" and "--append" in arguments:
                    assert "leave out --append" in said
                elif arguments[0] in ("audit", "filter"):
                    assert code == 0 or "labels" in said, said
                else:
                    assert code == 0, (arguments, said)


@pytest.mark.parametrize(
    "combination",
    [
        ("interrupted", ".work/repair", "folder"),
        ("interrupted", "train", "twin"),
        ("finished", ".work/backgrounds", "folder"),
        ("appending", ".work/append", "damaged"),
        ("layers", "train/000000.tar", "damaged"),
        ("filtered", "reasons.png", "file"),
    ],
    ids="-".join,
)
def test_links_in_some_places_lead_no_verb_out(hall: Hall, combination: tuple[str, str, str]) -> None:
    assert combination in hall.combinations(LINKS)
    refused = [said for *_, said in hall.tried([combination]) if "is a link, and writing there could end" in said]
    assert bool(refused) == ("." not in combination[1].rpartition("/")[2])


@pytest.mark.slow
@pytest.mark.parametrize("part", range(60))
def test_links_in_every_place_lead_no_verb_out(hall: Hall, part: int) -> None:
    assert hall.tried(hall.combinations(LINKS)[part::60])
