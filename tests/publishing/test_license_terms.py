from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from matting_data.publishing.license_terms import (
    BARRIERS,
    CONFLICT,
    NO_DERIVATIVES,
    NO_SHARING,
    UNKNOWN,
    barriers_of,
    license_terms,
)
from matting_data.recipes.licenses import known_licenses, recognise

FREE, BY, RESEARCH = "CC0-1.0", "CC BY 2.0", "research only"


@pytest.mark.parametrize(
    ("text", "identifier"),
    [
        ("CC0-1.0", "CC0-1.0"),
        ("cc0", "CC0-1.0"),
        ("https://creativecommons.org/licenses/by/2.0/", "CC-BY-2.0"),
        ("http://www.creativecommons.org/licenses/by-nc-sa/3.0/de/", "CC-BY-NC-SA-3.0"),
        ("CC BY-ND 4.0", "CC-BY-ND-4.0"),
        ("https://creativecommons.org/licenses/by-nd-nc/1.0/", "CC-BY-NC-ND-1.0"),
        ("public domain (NASA)", "LicenseRef-public-domain"),
        ("No known copyright restrictions", "LicenseRef-no-known-copyright"),
        ("Research only", "LicenseRef-research-only"),
        ("apache-2.0", "Apache-2.0"),
    ],
)
def test_a_licence_is_known_however_it_is_written(text: str, identifier: str) -> None:
    found = recognise(text)
    assert found is not None and found.id == identifier


@pytest.mark.parametrize("text", ["", " ", "unknown", "CC-BY-7.0", "CC BY", "free for all", "(NASA)", "by-nc"])
def test_what_is_not_in_the_table_is_unknown(text: str) -> None:
    assert recognise(text) is None


@pytest.mark.parametrize(
    ("foreground", "background", "reasons"),
    [
        (FREE, FREE, []),
        (FREE, BY, []),
        (BY, "CC BY-NC-SA 4.0", []),
        (FREE, "", [UNKNOWN]),
        ("my own", "who knows", [UNKNOWN]),
        (RESEARCH, BY, [NO_SHARING]),
        ("CC BY-ND 4.0", FREE, [NO_DERIVATIVES]),
        ("CC BY-NC-ND 2.0", "", [UNKNOWN, NO_DERIVATIVES]),
        ("CC BY-SA 4.0", "CC BY-NC-SA 4.0", [CONFLICT]),
        ("CC BY-SA 4.0", "CC BY-NC 4.0", [CONFLICT]),
        ("CC BY-SA 2.0", "CC BY-SA 4.0", []),
        ("CC BY-SA 1.0", "CC BY-SA 4.0", [CONFLICT]),
        ("CC BY-NC-SA 4.0", "CC BY-NC 2.0", []),
    ],
)
def test_what_bars_a_composite_from_being_passed_on(foreground: str, background: str, reasons: list[str]) -> None:
    assert barriers_of(recognise(foreground), recognise(background)) == reasons
    assert barriers_of(recognise(background), recognise(foreground)) == reasons


def test_terms_add_up_over_the_composites() -> None:
    terms = license_terms(
        {FREE: 2, RESEARCH: 1},
        {BY: 3, "CC BY-NC-SA 4.0": 1, "": 1},
        {(FREE, BY): 5, (FREE, "CC BY-NC-SA 4.0"): 4, (FREE, ""): 3, (RESEARCH, ""): 2, (RESEARCH, BY): 1},
    )
    assert terms.composites == 15 and terms.barred == 6
    assert terms.barriers == {UNKNOWN: 5, NO_SHARING: 3}
    assert (terms.attribution, terms.non_commercial, terms.share_alike) == (9, 4, {"CC-BY-NC-SA-4.0": 4})
    assert terms.common is None


def test_one_licence_for_everything_is_the_datasets_own() -> None:
    terms = license_terms({"CC BY 4.0": 1}, {"cc-by-4.0": 2}, {("CC BY 4.0", "cc-by-4.0"): 2})
    assert terms.common is not None and terms.common.hub == "cc-by-4.0" and terms.barred == 0


def test_two_unknown_licences_have_none_in_common() -> None:
    assert license_terms({"": 1}, {"": 1}, {("", ""): 1}).common is None


_NAMES = st.sampled_from([*sorted({entry.id for entry in known_licenses().values()}), "", "something else"])


@given(st.dictionaries(st.tuples(_NAMES, _NAMES), st.integers(1, 50), max_size=8))
def test_nothing_is_counted_twice_and_unknown_never_allows_anything(pairs: dict[tuple[str, str], int]) -> None:
    terms = license_terms({}, {}, pairs)
    assert terms.composites == sum(pairs.values())
    free = terms.composites - terms.barred
    assert max([0, *terms.barriers.values()]) <= terms.barred <= sum(terms.barriers.values())
    assert terms.attribution <= free and terms.non_commercial <= free and sum(terms.share_alike.values()) <= free
    assert terms.barred >= sum(n for pair, n in pairs.items() if None in map(recognise, pair))
    assert set(terms.barriers) <= set(BARRIERS)
