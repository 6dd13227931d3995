"""``mattingdata audit``."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

import click

from .main import echo_result
from .options import PATH, base_option, dataset_argument, json_option


@click.command()
@dataset_argument
@click.option("--sample", type=click.IntRange(1), default=400, show_default=True, help="Backgrounds to draw.")
@click.option("--seed", type=click.IntRange(0), default=0, show_default=True, help="Another seed, another sample.")
@click.option("--to", type=PATH, help="Where to put what is to be labelled.  [default: DATASET-audit]")
@click.option("--labels", type=PATH, help="The filled-in audit.csv; prints the rates.")
@base_option
@json_option
def audit(
    dataset: Path, sample: int, seed: int, to: Path | None, labels: Path | None, base: Path | None, as_json: bool
) -> None:
    """Measure how many people slipped through the filter of DATASET.

    Without --labels, draws a stratified random sample of what was kept and writes audit.csv and contact sheets. Fill
    in the column 'person' (1 or 0) and give the file back with --labels: the residual share of photographs with a
    person is printed by source and tier with its 95 % interval, and kept in DATASET/audit.json.
    """
    from matting_data.scanning import audit as auditing

    if labels is None:
        folder = to or dataset.resolve().with_name(f"{dataset.resolve().name}-audit")
        drawn = auditing.write_sample(dataset, folder, sample, seed, base)
        table = folder / "audit.csv"
        lines = [
            f"{len(drawn)} backgrounds to look at: write 1 or 0 under 'person' in {table}, then",
            f"mattingdata audit {dataset} --labels {table}",
        ]
        echo_result(as_json, {"table": str(table), "drawn": len(drawn)}, lines)
        return
    found = auditing.rates(dataset, auditing.read_labels(labels))
    removed = len(auditing.removed_by_hand(dataset))
    rates = [asdict(rate) | {"share": rate.share if rate.labelled else None} for rate in found]
    lines = auditing.rate_lines(found)
    if removed:
        lines.append(f"{removed} that the filter had kept were removed by hand, since somebody saw a person")
    echo_result(as_json, {"rates": rates, "removed_by_hand": removed}, lines)
