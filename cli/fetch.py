"""``mattingdata fetch``: OpenImages' images and metadata."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from .groups import SuggestingGroup
from .main import echo_json, echo_notes, echo_result
from .options import FILE, Command, json_option
from .terminal import say

if TYPE_CHECKING:
    from matting_data.fetching.fetch import FetchResult
    from matting_data.fetching.wanted import Request

_ORIGINALS_A_SECOND = 10.0


def _how_options(command: Command) -> Command:
    for option in (
        json_option,
        click.option("--offline", is_flag=True, help="Make no request; print the files that are missing."),
        click.option("--retry-rejected", is_flag=True, help="Ask again for files that were found to be gone."),
        click.option("--megabytes-per-second", type=click.FloatRange(0, min_open=True), help="Limit over all jobs."),
        click.option("--requests-per-second", type=click.FloatRange(0, min_open=True), help="Limit over all jobs."),
        click.option("--timeout", type=click.FloatRange(0, min_open=True), default=30.0, show_default=True,
                     help="Seconds without an answer, or with less than a kilobyte, after which a try fails."),
        click.option("--tries", type=click.IntRange(1, 100), default=5, show_default=True, help="For one file."),
        click.option("--jobs", type=click.IntRange(1, 256), default=8, show_default=True, help="Files at a time."),
        click.option("--out", type=click.Path(path_type=Path, file_okay=False), required=True,
                     help="Folder that gets the files, side by side, and ledger/fetch.parquet."),
    ):  # fmt: skip
        command = option(command)
    return command


@click.group(cls=SuggestingGroup)
def fetch() -> None:
    """Download OpenImages: only the images that a list names, and chosen metadata files.

    The same command continues: it keeps the files that are there. Exits with 1 when files failed that a later run
    may get, or, with --offline, when any are missing.
    """


@fetch.command(short_help="Fetch the images of a list, or of what a recipe keeps.")
@click.option("--images", type=FILE, help="Text with one SPLIT/IMAGE_ID a line, as for the official downloader.")
@click.option("--originals", type=FILE,
              help="Image-ids file (CSV, Parquet): fetch from OriginalURL, checked by OriginalMD5, "
              "instead of the rescaled copies of the bucket. Without --images, all it names.")  # fmt: skip
@click.option("--recipe", type=FILE, help="Recipe with a source of layout 'openimages': choose --count images that "
              "its metadata, human policy and licences keep.")  # fmt: skip
@click.option("--count", type=click.IntRange(1), help="With --recipe: how many; the detector will reject some.")
@click.option("--base-url", help="Another bucket of the same layout.  [default: the public one]")
@click.option("--max-megapixels", type=click.FloatRange(0, 178, min_open=True),
              help="Keep no image whose header claims more.  [default: the recipe's, else 100]")  # fmt: skip
@_how_options
def openimages(
    images: Path | None, originals: Path | None, recipe: Path | None, count: int | None, base_url: str | None,
    max_megapixels: float | None, out: Path, as_json: bool, **how: Any,
) -> int:  # fmt: skip
    """Fetch images into --out, as ID.jpg: those that --images names, or --count of what a --recipe would keep.

    From the public bucket (longest side 1,024 pixels; boxable images only) or, with --originals, from where the
    photographs came; those are limited to 10 requests a second unless told otherwise.
    """
    from matting_data.fetching.image_requests import bucket_request, original_request

    if recipe is not None or count is not None:
        images, megapixels = _chosen(recipe, count, images, out, as_json)
        max_megapixels = megapixels if max_megapixels is None else max_megapixels
    if max_megapixels is not None:
        how["max_pixels"] = round(max_megapixels * 1e6)
    if originals is None:
        request = bucket_request(images, base_url)
    else:
        request = original_request(originals, images, base_url)
        how["requests_per_second"] = how["requests_per_second"] or _ORIGINALS_A_SECOND
    return _fetch(request, out, how, as_json, "images")


def _chosen(
    recipe: Path | None, count: int | None, images: Path | None, out: Path, as_json: bool
) -> tuple[Path, float]:
    """Choose images for a recipe: their list, and the recipe's limit on megapixels."""
    from matting_data.errors import UsageError
    from matting_data.recipes.recipe_file import load
    from matting_data.scanning.fetch_list import write_image_list

    if recipe is None or count is None or images is not None:
        raise UsageError("--recipe and --count go together, and not with --images: give both, or a list")
    loaded = load(recipe)
    path, notes = write_image_list(loaded, count, out)
    if not as_json:
        echo_notes(notes)
    return path, loaded.recipe.backgrounds.max_megapixels


@fetch.command("openimages-metadata", short_help="Fetch metadata files, by name or by group.")
@click.argument("names", nargs=-1, metavar="[FILE]...")
@click.option("--group", "groups", multiple=True, help="All files of a group, for instance labels. Repeatable.")
@click.option("--split", "splits", multiple=True, type=click.Choice(["train", "validation", "test"]),
              help="With --group, only of this split. Repeatable.")  # fmt: skip
@click.option("--base-url", help="Another place with the same layout.  [default: the public one]")
@_how_options
def openimages_metadata(
    names: tuple[str, ...], groups: tuple[str, ...], splits: tuple[str, ...], base_url: str | None,
    out: Path, as_json: bool, **how: Any,
) -> int:  # fmt: skip
    """Fetch metadata FILEs, by name or by --group, into --out.

    Files whose hash is known are checked against it. The train files are large: labels 2.7 GB, boxes 2.3 GB,
    machine_labels 7.3 GB, images 3.3 GB.
    """
    from matting_data.fetching.metadata_files import metadata_request

    return _fetch(metadata_request(names, groups, splits, base_url), out, how, as_json, "files")


def _fetch(request: Request, out: Path, how: dict[str, Any], as_json: bool, unit: str) -> int:
    if how.pop("offline"):
        return _report_missing(request, out, as_json)
    from matting_data.fetching.fetch import FetchOptions
    from matting_data.fetching.fetch import fetch as run_fetch

    megabytes = how.pop("megabytes_per_second")
    options = FetchOptions(bytes_per_second=megabytes * 1e6 if megabytes else None, **how)
    with _progress(request, unit) as progress:
        result = run_fetch(request, out, options, progress)
    _report(result, out, as_json, unit)
    return 1 if result.failed else 0


def _report(result: FetchResult, out: Path, as_json: bool, unit: str) -> None:
    from matting_data.fetching.fetch_ledger import LEDGER
    from matting_data.publishing.statistics import ledger_lines

    if as_json:
        problems = [asdict(row) for row in result.problems]
        echo_json({"out": str(out), "ledger": str(out / LEDGER), **result.as_mapping(), "problems": problems})
        return
    for row in result.problems[:10]:
        say(f"{row.id}: {row.outcome} ({row.reason}), {row.detail}")
    hidden = sum(result.rejected.values()) + sum(result.failed.values()) - 10
    if hidden > 0:
        say(f"... and {hidden} more, see {out / LEDGER}")
    say(ledger_lines({unit: result.as_mapping()})[0])
    say(f"{out}: {result.kept} were there, {result.bytes / 1e6:,.1f} MB received")


def _report_missing(request: Request, out: Path, as_json: bool) -> int:
    from matting_data.fetching.fetch import missing
    from matting_data.fetching.fetch_ledger import Fetched

    absent = list(missing(request, out))
    names = [item.id for item in absent if not isinstance(item, Fetched)]
    refused = [f"{item.id}: {item.detail}" for item in absent if isinstance(item, Fetched)]
    lines = [*names, *(f"# {line}" for line in refused)]
    lines.append(f"# {out}: {len(names)} of {len(request)} are missing, {len(refused)} more cannot be asked for")
    echo_result(as_json, {"out": str(out), "total": len(request), "missing": names, "unusable": refused}, lines)
    return 1 if absent else 0


@contextmanager
def _progress(request: Request, unit: str) -> Iterator[Callable[[FetchResult], None]]:
    """Show a bar of files, or of megabytes where their total is known."""
    from matting_data.running.progress import bar

    megabytes = request.bytes // 1_000_000
    with bar(megabytes or len(request), "fetching", "MB" if megabytes else unit) as shown:

        def update(result: FetchResult) -> None:
            done = result.bytes // 1_000_000 if megabytes else result.total
            if not megabytes:
                settled = result.settled - shown.initial  # by an earlier run: no measure of the rate
                shown.initial += settled
                shown.n += settled
                shown.last_print_n += settled
                shown.set_postfix_str(f"{result.bytes / 1e6:,.0f} MB", refresh=False)
            shown.update(done - shown.n)

        yield (lambda result: None) if shown.disable else update
