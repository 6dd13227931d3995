"""The rule of :mod:`matting_data.humans.evidence` on tables: verdicts for millions of images at a time.

Rows are plain numbers here: a label is its place in the label set, so that a table of evidence needs 20 bytes a row.
"""

from __future__ import annotations

from typing import Any

import polars as pl

from matting_data.humans.evidence import (
    BOXES_WITHOUT_HUMAN,
    FINDINGS,
    KINDS,
    NO_HUMAN_LABEL,
    REASONS,
    SHOWN_ROWS,
    VERIFIED_ABSENT,
    EvidencePolicy,
    base_score,
    score,
)
from matting_data.humans.labels import LabelSet, Role
from matting_data.records.codes import Outcome

ROW_SCHEMA: dict[str, Any] = {
    "image": pl.UInt64,
    "kind": pl.UInt8,
    "code": pl.UInt16,
    "confidence": pl.Float64,
    "flags": pl.UInt8,
    "rows": pl.UInt32,
}
"""``image``: the id as a number. ``kind``: place in ``KINDS``. ``code``: 1 + place in the label set, 0 for all other
labels. ``flags``: 1 group, 2 depiction. ``rows``: how many rows of the files this row counts for."""

GROUP, DEPICTION = 1, 2
BOX, VERIFIED, MACHINE = range(3)

_ROLES: tuple[Role, ...] = ("person", "group", "body_part", "lookalike")


def codes(labels: LabelSet) -> dict[str, int]:
    """Number the MIDs of a label set."""
    return {label.mid: number for number, label in enumerate(labels.labels, 1)}


def judge_table(rows: pl.DataFrame, images: pl.Series, labels: LabelSet, policy: EvidencePolicy) -> pl.DataFrame:
    """Judge many images at once.

    Parameters
    ----------
    rows : DataFrame
        Of :data:`ROW_SCHEMA`, in any order; all rows about the images, and perhaps about others.
    images : Series of UInt64
        Ids to judge, without repetition.
    labels : LabelSet
    policy : EvidencePolicy

    Returns
    -------
    DataFrame
        ``image``, ``tier``, ``verdict``, ``reason``, ``decided_by`` and the counts ``boxes``, ``verified``,
        ``machine``; one row an image, in the order of `images`.
    """
    findings, absent = _findings(rows, labels, policy)
    counts = rows.lazy().group_by("image").agg(_count(BOX), _count(VERIFIED), _count(MACHINE))
    best = findings.lazy().group_by("image").agg(pl.col("score").max(), pl.col("human").any())
    judged = (
        pl.LazyFrame({"image": images}, schema={"image": pl.UInt64})
        .join(counts, on="image", how="left", maintain_order="left")
        .join(best, on="image", how="left", maintain_order="left")
        .join(absent.lazy().select("image", is_absent=True).unique(), on="image", how="left", maintain_order="left")
        .with_columns(
            pl.col("box", "verified", "machine").fill_null(0),
            pl.col("score").fill_null(-1),
            pl.col("human", "is_absent").fill_null(value=False),
        )
        .with_columns(_base_number())
        .with_columns(base_decides=_base_scores(policy) > pl.col("score"))
        .collect()
    )
    spelt = _spelt(_deciding(judged, findings, absent), labels)
    return (
        _named(judged, policy)
        .join(spelt, on="image", how="left", maintain_order="left")
        .select(
            pl.col("image", "tier", "verdict", "reason"),
            pl.coalesce("decided_by", _counted()).alias("decided_by"),
            pl.col("box").alias("boxes"),
            pl.col("verified", "machine"),
        )
    )


def _findings(rows: pl.DataFrame, labels: LabelSet, policy: EvidencePolicy) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Find the rows that speak of a human, with their score, and the verified absences that count."""
    listed = pl.DataFrame(
        [(code, _ROLES.index(label.role), label.absence) for code, label in enumerate(labels.labels, 1)],
        schema={"code": pl.UInt16, "role": pl.UInt8, "absence": pl.Boolean},
        orient="row",
    )
    known = rows.filter(pl.col("code") > 0).join(listed, on="code")
    kind, confidence = pl.col("kind"), pl.col("confidence")
    denied = known.filter((kind == VERIFIED) & (confidence <= 0))
    certain = policy.machine_threshold
    counts = pl.when(kind == MACHINE).then(
        pl.lit(value=False) if certain is None else confidence >= certain
    ).otherwise(confidence > 0)  # fmt: skip
    speaking = known.filter(counts)
    refuted = denied.select("image", "code", kind=pl.lit(MACHINE, pl.UInt8)).unique()
    speaking = speaking.join(refuted, on=["image", "code", "kind"], how="anti")
    scores = [score(finding, policy) for finding in FINDINGS]
    numbers = list(range(len(FINDINGS)))
    speaking = speaking.with_columns(_finding_number()).with_columns(
        pl.col("finding").replace_strict(numbers, scores, return_dtype=pl.Int32).alias("score"),
        pl.col("finding").replace_strict(numbers, [f.human for f in FINDINGS], return_dtype=pl.Boolean).alias("human"),
    )
    return speaking, denied.filter("absence")


def _finding_number() -> pl.Expr:
    kind, role, flags = pl.col("kind"), pl.col("role"), pl.col("flags")
    lookalike = _ROLES.index("lookalike")
    role = pl.when((kind == BOX) & (flags & GROUP > 0) & (role == 0)).then(1).otherwise(role)
    depicted = (kind == BOX) & (flags & DEPICTION > 0) & (role != lookalike)
    places = {
        3 * r + k: REASONS.index(f"{role_name}_{kind_name}")
        for r, role_name in enumerate(_ROLES)
        for k, kind_name in enumerate(KINDS)
    }
    plain = (3 * role + kind).cast(pl.Int32).replace_strict(places, return_dtype=pl.Int32)
    return pl.when(depicted).then(REASONS.index("depiction_box")).otherwise(plain).cast(pl.Int32).alias("finding")


def _count(kind: int) -> pl.Expr:
    counted = (pl.col("kind") == kind) & ((pl.col("confidence") > 0) | (kind != BOX))
    return pl.col("rows").filter(counted).sum().cast(pl.UInt32).alias(KINDS[kind])


def _base_number() -> pl.Expr:
    return (
        pl.when("human").then(None).when("is_absent").then(0).when(pl.col("box") > 0).then(1).otherwise(2).alias("base")
    )


def _base_scores(policy: EvidencePolicy) -> pl.Expr:
    scores = [base_score(outcome) for _, outcome, _ in _bases(policy)]
    return pl.col("base").replace_strict([0, 1, 2], scores, default=-2, return_dtype=pl.Int32)


def _deciding(judged: pl.DataFrame, findings: pl.DataFrame, absent: pl.DataFrame) -> pl.DataFrame:
    columns = ["image", "kind", "code", "confidence", "flags"]
    by_finding = judged.filter(~pl.col("base_decides")).select("image", "score")
    by_absence = judged.filter(pl.col("base_decides") & (pl.col("base") == 0)).select("image")
    return pl.concat(
        [
            findings.join(by_finding, on=["image", "score"], how="semi").select(columns),
            absent.join(by_absence, on="image", how="semi").select(columns),
        ]
    )


def _spelt(deciding: pl.DataFrame, labels: LabelSet) -> pl.DataFrame:
    """Spell out the deciding rows, one text an image, such as ``machine /m/04yx4 Man 0.873``."""
    code = codes(labels)
    names = {code[label.mid]: f"{label.mid} {label.name}" for label in labels.labels}
    kind, confidence = pl.col("kind"), pl.col("confidence")
    thousandths = (confidence * 1000 + 0.5).floor().cast(pl.Int32)
    rows = (
        deciding.select(
            "image",
            "kind",
            "code",
            (pl.col("flags") & DEPICTION > 0).alias("depiction"),
            (pl.col("flags") & GROUP > 0).alias("group"),
            pl.when(kind == MACHINE).then(thousandths).otherwise((confidence > 0).cast(pl.Int32)).alias("sure"),
        )
        .unique()
        .sort("image", "kind", "code", "depiction", "group", "sure", descending=[False] * 5 + [True])
    )
    total = rows.group_by("image").len()
    place = pl.int_range(pl.len())
    first = pl.when(pl.col("image").ne_missing(pl.col("image").shift())).then(place).forward_fill()
    shown = rows.filter(place - first < SHOWN_ROWS)
    label = pl.col("code").replace_strict(names, return_dtype=pl.String)
    depiction = pl.when("depiction").then(pl.lit(" depiction")).otherwise(pl.lit(""))
    group = pl.when("group").then(pl.lit(" group")).otherwise(pl.lit(""))
    present = pl.when(pl.col("sure") > 0).then(pl.lit("present")).otherwise(pl.lit("absent"))
    share = pl.format("{}.{}", pl.col("sure") // 1000, (pl.col("sure") % 1000).cast(pl.String).str.zfill(3))
    text = (
        pl.when(kind == BOX)
        .then(pl.format("box {}{}{}", label, depiction, group))
        .when(kind == VERIFIED)
        .then(pl.format("verified {} {}", label, present))
        .otherwise(pl.format("machine {} {}", label, share))
    )
    rest = pl.col("len").cast(pl.Int64) - SHOWN_ROWS
    more = pl.when(rest > 0).then(pl.format("; +{} more", rest))
    spelt = shown.join(total, on="image").select("image", "len", text.alias("text"))
    alone = pl.col("len") == 1  # as most are; joining texts group by group is slow
    return pl.concat(
        [
            spelt.filter(alone).select("image", pl.col("text").alias("decided_by")),
            spelt.filter(~alone)
            .group_by("image", maintain_order=True)
            .agg(pl.col("text").str.join("; "), pl.col("len").first())
            .select("image", pl.concat_str("text", more.otherwise(pl.lit(""))).alias("decided_by")),
        ]
    )


def _named(judged: pl.DataFrame, policy: EvidencePolicy) -> pl.DataFrame:
    """Add tier, verdict and reason of what decided: a finding by its score, the base by a negative number."""
    rows: list[tuple[int, str, Outcome, str]] = [
        (score(finding, policy), finding.tier, finding.outcome(policy), finding.reason) for finding in FINDINGS
    ]
    rows += [(-1 - place, *base) for place, base in enumerate(_bases(policy))]
    schema = {"decision": pl.Int32, "tier": pl.String, "verdict": pl.String, "reason": pl.String}
    decision = pl.when("base_decides").then(-1 - pl.col("base")).otherwise("score").cast(pl.Int32)
    return judged.with_columns(decision=decision).join(
        pl.DataFrame(rows, schema=schema, orient="row"), on="decision", how="left", maintain_order="left"
    )


def _bases(policy: EvidencePolicy) -> tuple[tuple[str, Outcome, str], ...]:
    """List tier, verdict and reason of what is said when no row speaks of a real human, strongest first."""
    return (
        ("verified_absent", "keep", VERIFIED_ABSENT),
        ("boxes_without_human", policy.boxes, BOXES_WITHOUT_HUMAN),
        ("no_human_label", policy.weak, NO_HUMAN_LABEL),
    )


def _counted() -> pl.Expr:
    return pl.format("{} boxes, {} verified and {} machine labels, none human", "box", "verified", "machine")
