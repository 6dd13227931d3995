"""``mattingdata browse``."""

from __future__ import annotations

import getpass
from dataclasses import asdict, dataclass
from pathlib import Path

import click

from .main import echo_result
from .options import PATH, base_option, dataset_argument, gathered, json_option
from .terminal import say


@dataclass(frozen=True)
class _ImportOptions:
    """What is looked at, and how large its pictures are."""

    backgrounds: bool
    predictions: Path | None
    split: str
    base: Path | None
    cache: Path | None
    cache_gb: float
    side: int


@dataclass(frozen=True)
class _AppOptions:
    """Where the app is served."""

    remote: bool
    address: str | None
    port: int
    no_app: bool


@dataclass(frozen=True)
class _TagOptions:
    """Whether tags are only exported, where to, and who set them."""

    export_tags: bool
    overrides: Path | None
    who: str | None
    why: str


@click.command()
@gathered("imports", _ImportOptions)
@gathered("app", _AppOptions)
@gathered("tags", _TagOptions)
@dataset_argument
@click.option("--backgrounds", is_flag=True, help="Every background considered, with its verdict and evidence.")
@click.option("--predictions", type=PATH, help="Folder of predicted mattes: beside the truth, with errors.")
@click.option("--split", default="test", show_default=True, help="Which split was predicted.")
@click.option("--remote", is_flag=True, help="Serve only; open no browser here.")
@click.option("--address", help="Address to serve at.  [default: this machine only]")
@click.option("--port", type=click.IntRange(1024, 65535), default=5151, show_default=True)
@click.option("--no-app", is_flag=True, help="Import only; serve nothing.")
@click.option("--export-tags", is_flag=True, help="Write the tags as overrides; import and serve nothing.")
@click.option("--similar", is_flag=True, help="Compare all pictures: near-duplicates, uniqueness, a map, search.")
@click.option(
    "--features", type=PATH, help="With --similar: a local ONNX network to compare by.  [default: thumbnails]"
)
@click.option("--overrides", type=PATH, help="Where tags go.  [default: the recipe's, else DATASET-overrides.csv]")
@click.option("--who", default=None, help="Who decides, in the overrides.  [default: the user's name]")
@click.option("--why", default="", help="Why, for samples without a tag 'why:...'.")
@click.option("--cache", type=PATH, help="Folder of pictures.  [default: ~/.cache/mattingdata/browse]")
@click.option("--cache-gb", type=click.FloatRange(0.01), default=20.0, show_default=True, help="Its limit.")
@click.option("--side", type=click.IntRange(64), default=1024, show_default=True, help="Longer side of pictures.")
@base_option
@json_option
def browse(
    dataset: Path,
    imports: _ImportOptions,
    app: _AppOptions,
    tags: _TagOptions,
    similar: bool,
    features: Path | None,
    as_json: bool,
) -> None:
    """Look at DATASET in FiftyOne: its composites, or what was considered or predicted.

    What was imported before is left as it is. Tags set in the app ('human', 'reject', 'clean', 'subset:NAME', and
    'why:...') are added to an overrides.csv when the app is closed or interrupted; name it in the recipe as
    'overrides', and the next build applies it. Needs the extra 'browse'.
    """
    from matting_data.browsing import browse as browsing
    from matting_data.errors import UsageError
    from matting_data.running.executor import default_workers

    if imports.backgrounds and imports.predictions:
        raise UsageError("--backgrounds and --predictions show two things: give one of them")
    if features and not similar:
        raise UsageError(f"--features {features} is for --similar: add it")
    shows: browsing.Shows = (
        "backgrounds" if imports.backgrounds else "predictions" if imports.predictions else "composites"
    )
    options = browsing.BrowseOptions(
        shows,
        imports.predictions,
        imports.split,
        imports.base,
        imports.cache,
        round(imports.cache_gb * 1e9),
        imports.side,
        default_workers(),
    )
    target = tags.overrides or browsing.default_decisions(dataset, imports.base)
    if tags.export_tags:
        _export(browsing.imported_dataset(dataset, options), target, tags, as_json)
        return
    opened = browsing.open_dataset(dataset, options)
    if similar:
        from matting_data.browsing.database import open_fiftyone
        from matting_data.browsing.similarity import add_similarity

        add_similarity(open_fiftyone(), opened.dataset, features, options.workers)
    name, samples = opened.dataset.name, opened.dataset.count()
    line = f"{name}: {samples} samples ({opened.imported.line() if opened.imported else 'nothing new'})"
    if app.no_app:
        imported = asdict(opened.imported) if opened.imported else None
        echo_result(as_json, {"dataset": name, "samples": samples, "imported": imported}, [line])
        return
    say(line, err=as_json)
    session, place = browsing.serve(opened.dataset, app.port, app.remote, app.address, options.cache)
    say(f"{place}; close with Ctrl+C, then tags go to {target}", err=as_json)
    try:
        session.wait(-1 if app.remote else 3)
    except KeyboardInterrupt:
        say("", err=True)
    finally:
        opened.dataset.reload()
        _export(opened.dataset, target, tags, as_json)


def _export(dataset: object, target: Path, tags: _TagOptions, as_json: bool) -> None:
    from matting_data.browsing.browse import export_tags

    rows, notes = export_tags(dataset, target, tags.who or getpass.getuser(), tags.why)
    lines = [f"note: {note}" for note in notes]
    lines.append(f"{target}: {len(rows)} decisions added" if rows else "no new decisions among the tags")
    echo_result(as_json, {"overrides": str(target), "added": [asdict(row) for row in rows], "notes": notes}, lines)
