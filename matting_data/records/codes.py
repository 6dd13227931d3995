"""The codes that stand in tables: each column of codes has one type here, and nowhere else.

``DATASET.md`` says what each reason means; a test compares its list with :data:`Reason`.
"""

from __future__ import annotations

from typing import Literal, get_args

Split = Literal["train", "test"]

State = Literal["ok", "rejected", "failed"]
"""Where an input stands: usable, refused for what it is, or not examined because of an error."""

Outcome = Literal["keep", "reject", "review"]
"""A verdict on humans."""

End = Literal["written", "rejected", "failed"]
"""Where an input or a composite ends in the ledger."""

Colour = Literal["estimated", "as_is"]

TrimapKind = Literal["dim", "fixed", "adaptive"]

Warned = Literal["alpha_binary", "alpha_noise", "premultiplied"]

FoundReason = Literal[
    "no_matte", "no_image", "ambiguous_matte", "ambiguous_image", "known_damaged", "not_in_classes",
    "not_in_partition", "outside", "license",
]  # fmt: skip
"""Known before an input is opened."""

CheckReason = Literal[
    "unreadable", "too_large", "wrong_mode", "too_small", "no_alpha_channel", "size_mismatch", "alpha_empty",
    "alpha_full", "refused",
]  # fmt: skip

REFUSED: Literal["refused"] = "refused"
"""Reason of inputs and composites of which nothing is known, since the system did not let a file be read."""

LabelReason = Literal[
    "person_box", "person_verified", "person_machine", "group_box", "group_verified", "group_machine",
    "body_part_box", "body_part_verified", "body_part_machine", "depiction_box", "lookalike_box",
    "lookalike_verified", "lookalike_machine", "person_verified_absent", "boxes_without_human", "no_human_label",
    "person_polygon", "body_part_polygon", "possible_person_polygon", "ambiguous_part_polygon", "lookalike_polygon",
    "polygons_without_human", "no_polygons", "polygons_unreadable",
]  # fmt: skip
"""What labels of OpenImages and polygons of SUN lead to."""

DetectorReason = Literal["person_detected", "person_suspected", "no_person_found", "not_examined"]

PlanReason = Literal["near_duplicate", "test_split"]

DecisionReason = Literal["override", "override_subset", "override_human", "override_reject", "override_clean"]
"""What people decided."""

BuildReason = Literal["not_drawn", "no_composite", "changed", "not_stored", "error"]

Reason = Literal[FoundReason, CheckReason, LabelReason, DetectorReason, PlanReason, DecisionReason, BuildReason]

_REASONS: dict[str, Reason] = {code: code for code in get_args(Reason)}


def reason_of(code: str) -> Reason:
    """Narrow the code of a RejectedInput; KeyError for one that is not listed here."""
    return _REASONS[code]
