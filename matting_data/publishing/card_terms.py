"""The section of a card on licences: what the sources ask for, and what may not be passed on."""

from __future__ import annotations

from collections.abc import Mapping

from matting_data.publishing.attribution import FILE_NAME as ATTRIBUTION
from matting_data.publishing.card_inputs import CardInputs
from matting_data.publishing.license_terms import BARRIERS, LicenseTerms
from matting_data.publishing.markdown import plain, table
from matting_data.recipes.licenses import License, recognise


def terms_section(inputs: CardInputs) -> str:
    """Write the section; only licences of the table in ``manifests/licenses.csv`` are said to allow anything."""
    terms = inputs.terms
    rows = _rows("foregrounds", terms.foregrounds) + _rows("backgrounds", terms.backgrounds)
    header = ["of", "licence as stated", "inputs", "passing on", "adapting", "commercial use", "name the author",
              "share alike"]  # fmt: skip
    notes = [
        f"{plain(text)}: {known.note}."
        for text in terms.stated
        if (known := recognise(text)) is not None and known.note
    ]
    return "\n\n".join(
        [
            "## Licence\n\nA composite is an adaptation of its foreground and of its background: the terms of both "
            "hold for it at once. This is what the sources of this dataset state:",
            table(header, rows),
            *(["\n".join(f"- {note}" for note in notes)] if notes else []),
            _verdict(terms),
            *_conditions(terms, inputs.attributed),
            "The licences are those that the recipe and the metadata of the sources state; nobody has checked them, "
            "and a licence of a picture says nothing of the rights of the people it shows. This summary is no legal "
            "advice.",
        ]
    )


def _rows(kind: str, counts: Mapping[str, int]) -> list[list[str]]:
    return [
        [kind, plain(text) or "not stated", f"{count:,}", *_answers(recognise(text))] for text, count in counts.items()
    ]


def _answers(known: License | None) -> list[str]:
    if known is None:
        return ["unknown"] * 5
    if not known.share:
        return ["not allowed", "–", "not allowed" if not known.commercial else "allowed", "–", "–"]
    allowed = ["allowed", "allowed" if known.adapt else "**not allowed**"]
    return [*allowed, "allowed" if known.commercial else "**not allowed**",
            "required" if known.attribution else "no", "required" if known.share_alike else "no"]  # fmt: skip


def _verdict(terms: LicenseTerms) -> str:
    if not terms.composites:
        return "There is no composite to pass on."
    conditions = terms.attribution or terms.non_commercial or terms.share_alike
    free = "on the conditions below" if conditions else "and none asks for anything in return"
    if not terms.barred:
        return f"No term above forbids redistributing the {terms.composites:,} composites, {free}."
    reasons = "\n".join(f"- {count:,} for {BARRIERS[code]}" for code, count in terms.barriers.items())
    left = terms.composites - terms.barred
    whole = "the whole dataset" if not left else f"{terms.barred:,} of the {terms.composites:,} composites"
    return (
        f"**Do not redistribute {whole}** without the permission of those who hold the rights. Composites concerned, "
        f"some for several reasons:\n\n{reasons}\n\n"
        + (f"No term above forbids redistributing the other {left:,}, {free}." if left else
           "The recipe may be passed on, so that others build from the same sources themselves.")
    )  # fmt: skip


def _conditions(terms: LicenseTerms, attributed: int) -> list[str]:
    found = []
    if terms.attribution:
        named = (
            f"`{ATTRIBUTION}` names the authors of {attributed:,} photographs and has to go with them"
            if attributed
            else f"`{ATTRIBUTION}` names no author, so who passes them on has to find the names"
        )
        found.append(f"{terms.attribution:,} need their authors' names, the licence and a link; {named}")
    if terms.non_commercial:
        found.append(f"{terms.non_commercial:,} may not be used commercially (NC)")
    found += [
        f"{count:,} may be passed on only under {name} (share alike)" for name, count in terms.share_alike.items()
    ]
    if not found:
        return []
    return ["Conditions, for the composites that may be redistributed:\n\n" + "\n".join(f"- {line}" for line in found)]
