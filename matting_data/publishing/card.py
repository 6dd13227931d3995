"""The dataset card, ``README.md``: what a dataset is, how it came to be, what is missing, and what may be done with it.

Every number is one of the run's own, from its index, tables and ledger; what nobody measured, the card says so.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from matting_data.publishing.attribution import FILE_NAME as ATTRIBUTION
from matting_data.publishing.card_inputs import AUDIT, CardInputs
from matting_data.publishing.card_terms import terms_section
from matting_data.publishing.front_matter import front_matter
from matting_data.publishing.markdown import plain, table
from matting_data.publishing.statistics import incomplete_lines, left_out
from matting_data.recipes.recipe import AdaptiveTrimap, DimTrimap, FixedTrimap, source_name, trimap_rule

FILE_NAME = "README.md"


def card(inputs: CardInputs) -> bytes:
    """Render the card; the same bytes for the same inputs."""
    if inputs.layers:
        return _render(inputs, None, [], [_LAYERS], [_LOADING_LAYERS, _files(inputs)])
    files = {split: f"{split}/*.tar" for split in inputs.index["splits"]}
    return _render(inputs, files, [], [_sample(inputs)], [_loading(inputs), _files(inputs)])


def export_card(inputs: CardInputs, layout: str, data_files: Mapping[str, str] | None = None) -> bytes:
    """Render the card of an export: that of the dataset with another layout.

    Parameters
    ----------
    inputs : CardInputs
        Of the dataset.
    layout : str
        What lies in the export and how to read it, in Markdown, below the heading "This copy".
    data_files : mapping, optional
        Split → pattern for the hub's loader.
    """
    whole = ", ".join(inputs.index["splits"])
    note = f"The numbers below are those of the whole dataset ({whole}; content `{inputs.index['content_sha256']}`)."
    return _render(inputs, data_files, [f"## This copy\n\n{layout}\n\n{note}"], [], [])


def _render(
    inputs: CardInputs, data_files: Mapping[str, str] | None, start: list[str], middle: list[str], end: list[str]
) -> bytes:
    sections = [_introduction(inputs), *start, splits_section(inputs), _making(inputs), *middle,
                left_out_section(inputs), _people(inputs), terms_section(inputs), *end]  # fmt: skip
    return (front_matter(inputs, data_files) + "\n" + "\n\n".join(sections) + "\n").encode()


def _introduction(inputs: CardInputs) -> str:
    total = inputs.statistics.as_mapping()["total"]
    said = inputs.publication
    published = " ".join(f"{word} {plain(text)}" for word, text in (("by", said.creator), ("on", said.date),
                                                                 ("at", said.url)) if text)  # fmt: skip
    return (
        f"# {inputs.index['name']}\n\n"
        f"{total['composites']:,} composites for training and testing human matting: {total['foregrounds']:,} "
        f"foregrounds (people with an alpha matte) on {total['backgrounds']:,} photographs, each with image, alpha and "
        f"trimap. Version {inputs.index['version']}, built by "
        f"mattingdata {inputs.index['tools']['mattingdata']} from `recipe.yaml`."
        + (f" Published {published}." if published else "")
        + "".join(f"\n\n**I{line[1:]}.**" for line in incomplete_lines(inputs.index))
    )


def splits_section(inputs: CardInputs) -> str:
    """Write counts and sizes by split and subset, and what several splits share."""
    header = ["split", "subset", "composites", "foregrounds", "backgrounds", "megapixels", "mean alpha", "soft pixels"]
    rows = [[split, plain(subset), *numbers] for split, subset, *numbers in inputs.statistics.table()]
    return (
        f"## Splits\n\n{table(header, rows, right=2)}\n\n{_shared(inputs)} Soft pixels are those with 0 < alpha < 255."
    )


def _shared(inputs: CardInputs) -> str:
    """Say what serves several splits, counted from the samples themselves."""
    person = {record.id: record.person for record in inputs.used_foregrounds if record.person}
    where: dict[str, dict[str, set[str]]] = {"foregrounds": {}, "backgrounds": {}, "named persons": {}}
    for row in inputs.samples:
        where["foregrounds"].setdefault(row.foreground, set()).add(row.split)
        where["backgrounds"].setdefault(row.background, set()).add(row.split)
        if row.foreground in person:
            where["named persons"].setdefault(person[row.foreground], set()).add(row.split)
    counts = {kind: sum(len(splits) > 1 for splits in found.values()) for kind, found in where.items() if found}
    return f"In more than one split: {', '.join(f'{count} {kind}' for kind, count in counts.items()) or 'nothing'}."


def _making(inputs: CardInputs) -> str:
    recipe, index = inputs.recipe, inputs.index
    rows: list[list[str]] = []
    for kind, sources, found, used in (
        ("foregrounds", recipe.foregrounds.sources, inputs.foregrounds, inputs.used_foregrounds),
        ("backgrounds", recipe.backgrounds.sources, inputs.backgrounds, inputs.used_backgrounds),
    ):
        seen, taken = Counter(record.source for record in found), Counter(record.source for record in used)
        for source in sources:
            name = source_name(source)
            rows.append([kind, plain(name), source.layout, f"{seen[name]:,}", f"{taken[name]:,}"])
    blend = {
        "gamma": "on the encoded 8-bit values, rounded to the nearest",
        "linear": "in linear light, and encoded again",
    }[recipe.composites.blend]
    crop = {"top_left": "from its top left corner", "center": "from its centre", "random": "at a random place"}
    repeated = "The same recipe, inputs and tools give the same bytes"
    if index.get("appended"):
        repeated = "It grew by `mattingdata build --append`, so the recipe at its end, built at once, gives other bytes"
    tools = ", ".join(f"{name} {version}" for name, version in index["tools"].items())
    return "\n\n".join(
        [
            f"## How it was made\n\n{table(['of', 'source', 'layout', 'found', 'used'], rows, right=3)}",
            f"Each {'training ' if index.get('appended') else ''}foreground was planned on "
            f"{recipe.composites.per_foreground} backgrounds. image = alpha × foreground"
            f" + (1 − alpha) × background, computed {blend}. A background that is too small is enlarged and never "
            f"shrunk; the window is cut {crop[recipe.composites.crop]}.",
            "Trimaps: " + "; ".join(f"{split}: {_trimap(trimap_rule(recipe, split))}" for split in index["splits"])
            + ".",
            f"All draws are seeded by the recipe's seed, {recipe.seed}. {repeated}; `content_sha256` tells "
            "two builds apart.",
            f"- recipe: `{index['recipe_sha256']}`\n- content: `{index['content_sha256']}`\n- tools: {tools}",
        ]
    )  # fmt: skip


def _trimap(rule: DimTrimap | FixedTrimap | AdaptiveTrimap) -> str:
    if isinstance(rule, DimTrimap):
        low, high = rule.kernel
        return f"ellipse kernels with sides drawn from {low} to {high - 1} pixels, for both borders"
    if isinstance(rule, FixedTrimap):
        return f"an ellipse kernel of {rule.kernel} pixels"
    return f"discs with radii of {rule.rate[0]:g} to {rule.rate[1]:g} of the person's size"


def _sample(inputs: CardInputs) -> str:
    store, suffix = inputs.recipe.store, inputs.image_suffix
    codec = "lossless" if suffix == "png" else f"JPEG, quality {store.quality}, {store.subsampling}"
    rows = [
        [f"`KEY.image.{suffix}`", f"RGB, 8 bits, {codec}", "0 to 255"],
        ["`KEY.alpha.png`", "gray, 8 bits, lossless", "0 clear, 255 opaque"],
        ["`KEY.trimap.png`", "gray, 8 bits, lossless", "0 background, 128 unknown, 255 foreground"],
        ["`KEY.json`", "the sample's row of the manifest", "ids, seed, sizes, box, subset, licence, trimap radii"],
    ]
    return (
        f"## A sample\n\nAdjacent members of a tar with one key, `<foreground>-<index>`:\n\n"
        f"{table(['member', 'what', 'values'], rows)}\n\n"
        "All planes of a sample have one size; sizes differ between foregrounds."
    )


_LAYERS = """## Layers

Each foreground and each background is stored once; a composite is made of them when it is read, \
as its row of the manifest says, and its trimap of its alpha.

| member | what | values |
| --- | --- | --- |
| `FOREGROUND.foreground.webp` (`.png` if very large) | RGB, 8 bits, lossless | 0 where alpha is 0 |
| `FOREGROUND.alpha.png` | gray, 8 bits, lossless | 0 clear, 255 opaque |
| `FOREGROUND.json` | what is known of the foreground | id, subset, licence, size, box |
| `BACKGROUND.background.*` | the photograph's file, unchanged | any image format |"""

_OPENING = """## Reading it

With `DIR` as this folder:

```python
import matting_data

dataset = matting_data.open(DIR)
```
"""

_LOADING_LAYERS = f"""{_OPENING}
`mattingdata materialize DIR --out OUT` writes the composites as files that every tool reads; `mattingdata verify DIR`
checks every file against `dataset.json`; `mattingdata export` writes other layouts."""


def left_out_section(inputs: CardInputs) -> str:
    """Write what the ledger says of inputs and composites that were not used, with its sums."""
    ledger: Mapping[str, Mapping[str, Any]] = inputs.index["ledger"]
    rows = [
        [name, outcome, f"`{reason}`", f"{count:,}"]
        for name, counts in ledger.items()
        for outcome, reason, count in left_out(counts)
    ]
    sums = "; ".join(
        f"{name}: {counts['total']:,} = {counts['written']:,} used + {sum(counts['rejected'].values()):,} rejected + "
        f"{sum(counts['failed'].values()):,} failed"
        for name, counts in ledger.items()
    )
    found = table(["of", "outcome", "reason", "count"], rows, right=3) if rows else "Nothing was rejected, none failed."
    return f"## What was left out\n\n{found}\n\n{sums}. `ledger/*.parquet` names every one of them."


def _people(inputs: CardInputs) -> str:
    humans = inputs.recipe.backgrounds.humans
    judged = [record for record in inputs.backgrounds if record.verdict]
    rows = [
        [verdict, f"`{reason}`" if reason else "–", f"{count:,}"]
        for (verdict, reason), count in sorted(Counter((str(r.verdict), r.reason or "") for r in judged).items())
    ]
    detectors = sorted({record.detector for record in judged if record.detector})
    if detectors:
        rule = f"Photographs were searched for people by {', '.join(f'`{plain(name)}`' for name in detectors)}"
        rule += f" (threshold {humans.threshold}, doubtful ones: {humans.review})."
    else:
        rule = "No detector looked for people in the photographs."
    parts = [f"## People in the backgrounds\n\n{rule}"]
    if rows:
        parts.append(table(["verdict", "reason", "photographs"], rows, right=2))
    tiers = Counter(record.tier for record in inputs.used_backgrounds if record.tier)
    if tiers:
        listed = ", ".join(f"{count:,} {plain(tier)}" for tier, count in sorted(tiers.items()))
        parts.append(f"Evidence of the labels for the photographs used: {listed}.")
    return "\n\n".join([*parts, *audit_paragraphs(inputs.audit)])


def audit_paragraphs(audit: Sequence[Mapping[str, Any]]) -> Iterable[str]:
    """Yield what an audit found among the backgrounds that were kept, or that there was none."""
    looked_at = [rate for rate in audit if rate["labelled"]]
    if not looked_at:
        yield (
            "Nobody has audited what was kept (`mattingdata audit`), so the share of backgrounds that still show "
            "somebody is not known."
        )
        return
    yield f"A random sample of what was kept was looked at (`{AUDIT}`):"
    yield table(
        ["source", "kept", "looked at", "with a person", "share", "95 % interval"],
        [
            [plain(rate["stratum"]), f"{rate['kept']:,}", f"{rate['labelled']:,}", f"{rate['persons']:,}",
             f"{rate['share']:.2%}", f"{rate['low']:.2%} to {rate['high']:.2%}"]
            for rate in looked_at
        ],
        right=1,
    )  # fmt: skip


def _loading(inputs: CardInputs) -> str:
    split = next(iter(inputs.index["splits"]), "train")
    suffix = inputs.image_suffix
    return f"""{_OPENING}
```python
import glob
import webdataset

shards = sorted(glob.glob(f"{{DIR}}/{split}/*.tar"))
for sample in webdataset.WebDataset(shards, shardshuffle=False).decode("rgb8"):
    sample["image.{suffix}"], sample["alpha.png"], sample["trimap.png"], sample["json"]
```

```python
import datasets

dataset = datasets.load_dataset(DIR, split="{split}")  # features: image.{suffix}, alpha.png, trimap.png, json
```

```python
import glob
import pandas

manifest = pandas.concat(map(pandas.read_parquet, sorted(glob.glob(f"{{DIR}}/{split}/*.parquet"))))
```

```python
import mlcroissant

records = mlcroissant.Dataset(f"{{DIR}}/croissant.json").records("samples")  # also images, alphas, trimaps
```

`mattingdata verify DIR` checks every file against `dataset.json`; `mattingdata export` writes other layouts."""


def _files(inputs: CardInputs) -> str:
    tars, manifests = (", ".join(f"`{split}/*.{x}`" for split in inputs.index["splits"]) for x in ("tar", "parquet"))
    held = "foregrounds and their alpha" if inputs.layers else "the samples"
    rows = [
        [tars, held],
        *([["`backgrounds/*.tar`", "the photographs"]] if inputs.layers else []),
        [manifests, "the manifests: a row a sample, with its place in the tar"],
        ["`foregrounds.parquet`, `backgrounds.parquet`", "every input found, with its checks and licence"],
        ["`plan.parquet`, `recipe.yaml`", "what was planned, and from which recipe"],
        ["`ledger/*.parquet`", "where every input ended, and why"],
        ["`dataset.json`", "the index: every file's SHA-256"],
        ["`croissant.json`, `_info.json`", "the same for Croissant 1.1 and for timm's WebDataset reader"],
    ]
    rows.append([f"`{ATTRIBUTION}`", f"whose the photographs are; {inputs.attributed:,} authors are named"])
    if inputs.audit:
        rows.append([f"`{AUDIT}`", "the rates of the audit"])
    return f"## Files\n\n{table(['file', 'what'], rows)}"
