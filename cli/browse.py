"""``mattingdata browse``."""

from __future__ import annotations

import getpass
from dataclasses import asdict
from pathlib import Path

import click

from .main import echo_json
from .options import dataset_argument, json_option

_PATH = click.Path(path_type=Path)


@click.command()
@dataset_argument
@click.option("--backgrounds", is_flag=True, help="Every background considered, with its verdict and evidence.")
@click.option("--predictions", type=_PATH, help="Folder of predicted mattes: beside the truth, with errors.")
@click.option("--split", default="test", show_default=True, help="Which split was predicted.")
@click.option("--remote", is_flag=True, help="Serve only; open no browser here.")
@click.option("--address", help="Address to serve at.  [default: this machine only]")
@click.option("--port", type=click.IntRange(1024, 65535), default=5151, show_default=True)
@click.option("--no-app", is_flag=True, help="Import only; serve nothing.")
@click.option("--export-tags", is_flag=True, help="Write the tags as overrides; import and serve nothing.")
@click.option("--similar", is_flag=True, help="Compare all pictures: near-duplicates, uniqueness, a map, search.")
@click.option(
    "--features", type=_PATH, help="With --similar: a local ONNX network to compare by.  [default: thumbnails]"
)
@click.option("--overrides", type=_PATH, help="Where tags go.  [default: the recipe's, else DATASET-overrides.csv]")
@click.option("--who", default=None, help="Who decides, in the overrides.  [default: the user's name]")
@click.option("--why", default="", help="Why, for samples without a tag 'why:...'.")
@click.option("--cache", type=_PATH, help="Folder of pictures.  [default: ~/.cache/mattingdata/browse]")
@click.option("--cache-gb", type=click.FloatRange(0.01), default=20.0, show_default=True, help="Its limit.")
@click.option("--side", type=click.IntRange(64), default=1024, show_default=True, help="Longer side of pictures.")
@click.option("--base", type=_PATH, help="Folder where the recipe's relative paths start, where .work is not at hand.")
@json_option
def browse(
    dataset: Path,
    backgrounds: bool,
    predictions: Path | None,
    split: str,
    remote: bool,
    address: str | None,
    port: int,
    no_app: bool,
    export_tags: bool,
    similar: bool,
    features: Path | None,
    overrides: Path | None,
    who: str | None,
    why: str,
    cache: Path | None,
    cache_gb: float,
    side: int,
    base: Path | None,
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

    if backgrounds and predictions:
        raise UsageError("--backgrounds and --predictions show two things: give one of them")
    if features and not similar:
        raise UsageError(f"--features {features} is for --similar: add it")
    shows: browsing.Shows = "backgrounds" if backgrounds else "predictions" if predictions else "composites"
    options = browsing.BrowseOptions(
        shows, predictions, split, base, cache, round(cache_gb * 1e9), side, default_workers()
    )
    target = overrides or browsing.default_decisions(dataset, base)
    name = who or getpass.getuser()
    if export_tags:
        found = browsing.imported_dataset(dataset, options)
        _export(found, target, name, why, as_json)
        return
    opened = browsing.open_dataset(dataset, options)
    line = opened.imported.line() if opened.imported else "nothing new"
    if similar:
        from matting_data.browsing.database import open_fiftyone
        from matting_data.browsing.similarity import add_similarity

        add_similarity(open_fiftyone(), opened.dataset, features, options.workers)
    if no_app:
        result = {"dataset": opened.dataset.name, "samples": opened.dataset.count()}
        if as_json:
            echo_json(result | {"imported": asdict(opened.imported) if opened.imported else None})
        else:
            click.echo(f"{opened.dataset.name}: {result['samples']} samples ({line})")
        return
    click.echo(f"{opened.dataset.name}: {opened.dataset.count()} samples ({line})", err=as_json)
    session = browsing.serve(opened.dataset, port, remote, address)
    click.echo(f"http://{address or 'localhost'}:{port}; close with Ctrl+C, then tags go to {target}", err=as_json)
    try:
        session.wait(-1 if remote else 3)
    except KeyboardInterrupt:
        click.echo("", err=True)
    finally:
        opened.dataset.reload()
        _export(opened.dataset, target, name, why, as_json)


def _export(dataset: object, target: Path, who: str, why: str, as_json: bool) -> None:
    from matting_data.browsing.browse import export_tags

    rows, notes = export_tags(dataset, target, who, why)
    if as_json:
        echo_json({"overrides": str(target), "added": [asdict(row) for row in rows], "notes": notes})
        return
    for note in notes:
        click.echo(f"note: {note}")
    click.echo(f"{target}: {len(rows)} decisions added" if rows else "no new decisions among the tags")
