"""A first look at a dataset as one HTML file: pictures, distributions, ledger, verdicts and licences.

The file holds everything it shows. It has no script and asks no network.
"""

from __future__ import annotations

import base64
import html
from collections import Counter
from collections.abc import Callable
from pathlib import Path

from matting_data.humans.audit_sample import stratum_of
from matting_data.imaging import encode
from matting_data.publishing.card import audit_paragraphs, left_out_section, splits_section
from matting_data.publishing.card_inputs import CardInputs, Publication, read_card_inputs
from matting_data.publishing.card_terms import terms_section
from matting_data.publishing.markdown import plain, table
from matting_data.records.stored import Sample
from matting_data.reporting.charts import MEASURES, histogram, legend
from matting_data.reporting.contact_sheet import contact_sheet
from matting_data.reporting.html import from_markdown
from matting_data.shards.index import read_index
from matting_data.storage.atomic import write_bytes

_SHEET_BYTES = 3_000_000
"""Most that a contact sheet may take; a larger one is encoded at lower quality."""

_STYLE = """
body { font: 15px/1.5 system-ui, sans-serif; color: #222; background: #fafafa; max-width: 1100px; margin: 2em auto;
  padding: 0 1em } h1 { margin-bottom: 0 } h2 { margin-top: 2em; border-bottom: 1px solid #ddd }
table { border-collapse: collapse; margin: 1em 0; display: block; overflow-x: auto }
th, td { padding: .25em .8em; border-bottom: 1px solid #e3e3e3; text-align: left; vertical-align: top }
.right { text-align: right } th { background: #f0f0f0 }
code { background: #eee; padding: 0 .25em; word-break: break-all }
img { max-width: 100%; border: 1px solid #ddd } .charts { display: grid; gap: 1em;
  grid-template-columns: repeat(auto-fit, minmax(380px, 1fr)) } svg { background: #fff; border: 1px solid #e3e3e3;
  font: 11px system-ui, sans-serif; fill: #555 } svg .title { font-weight: 600; fill: #222 }
.key { display: inline-block; width: .8em; height: .8em; margin: 0 .3em 0 1em }
"""


def report(out: Path, samples: int = 24) -> str:
    """Build the HTML report of a finished dataset, composites or layers.

    Parameters
    ----------
    out : Path
        The dataset.
    samples : int
        Composites on the contact sheet.

    Raises
    ------
    DamageError
        The dataset is unfinished or damaged.
    UsageError
        There is none, or it holds no sample.
    """
    index = read_index(out)
    inputs = read_card_inputs(out, index, Publication())
    title = f"{index['name']} {index['version']}"
    sheet = base64.b64encode(_jpeg(out, samples)).decode()
    parts = [
        f"<h1>{html.escape(title)}</h1>",
        from_markdown(_summary(inputs)),
        "<h2>Samples</h2><p>Image, alpha and trimap, chosen by a hash of their key.</p>",
        f'<img alt="contact sheet" src="data:image/jpeg;base64,{sheet}">',
        f"<h2>Distributions</h2><p>{legend(list(index['splits']))}</p>",
        f'<div class="charts">{"".join(_charts(inputs))}</div>',
        from_markdown(left_out_section(inputs)),
        from_markdown(_verdicts(inputs)),
        from_markdown(terms_section(inputs)),
    ]
    body = "\n".join(parts)
    return (
        f'<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8"><title>{html.escape(title)}</title>'
        f'<meta name="viewport" content="width=device-width"><style>{_STYLE}</style></head>\n'
        f"<body>\n{body}\n</body></html>\n"
    )


def write_report(out: Path, path: Path, samples: int = 24) -> int:
    """Write the report of a dataset to a file, atomically; return its length in bytes."""
    data = report(out, samples).encode()
    write_bytes(path, data)
    return len(data)


def _jpeg(out: Path, samples: int) -> bytes:
    sheet = contact_sheet(out, samples)
    for quality in (85, 70, 50, 30):
        data = encode.jpeg(sheet, quality, "4:2:0")
        if len(data) <= _SHEET_BYTES:
            break
    return data


def _summary(inputs: CardInputs) -> str:
    index = inputs.index
    store = "layers, composed when read" if inputs.layers else "composites"
    hashes = f"Content `{index['content_sha256']}`, recipe `{index['recipe_sha256']}`."
    return f"Stored as {store}. {hashes}\n\n{splits_section(inputs)}"


def _charts(inputs: CardInputs) -> list[str]:
    measures: dict[str, Callable[[Sample], float]] = MEASURES | {
        "the person's box, share of the image": lambda r: (r.x1 - r.x0) * (r.y1 - r.y0) / (r.width * r.height)
    }
    splits = {split: [row for row in inputs.samples if row.split == split] for split in inputs.index["splits"]}
    uses = {split: [*Counter(row.background for row in rows).values()] for split, rows in splits.items()}
    drawn = [histogram(title, {s: [*map(of, rows)] for s, rows in splits.items()}) for title, of in measures.items()]
    return [*drawn, histogram("composites a background serves", uses, whole=True)]


def _verdicts(inputs: CardInputs) -> str:
    """Say what the filter made of the backgrounds, by stratum, what people decided, and what an audit found."""
    counts: Counter[tuple[str, str, str]] = Counter(
        (stratum_of(b), "kept" if b.state == "ok" else b.state, b.reason or "") for b in inputs.backgrounds
    )
    rows = [
        [plain(stratum), state, f"`{reason}`" if reason else "", f"{n:,}"]
        for (stratum, state, reason), n in sorted(counts.items())
    ]
    text = "## What the filter made of the backgrounds\n\n" + table(["source", "", "reason", "number"], rows, right=3)
    decided = [
        [plain(kind), plain(record.id), f"`{record.reason}`", plain(record.detail or "")]
        for kind, records in (("foreground", inputs.foregrounds), ("background", inputs.backgrounds))
        for record in records
        if record.reason and record.reason.startswith("override")
    ]
    if decided:
        text += f"\n\n{len(decided):,} decisions of people changed something:\n\n"
        text += table(["of", "id", "reason", "decision"], decided[:100])
    return "\n\n".join([text, *audit_paragraphs(inputs.audit)])
