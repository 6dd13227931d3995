"""``mattingdata export``."""

from __future__ import annotations

from dataclasses import asdict, astuple, dataclass
from pathlib import Path

import click

from .main import echo_result
from .options import PATH, base_option, dataset_argument, gathered, json_option

_NETWORK = "onnx"
_FORMATS = ("hf-webdataset", "hf-imagefolder", "composition-1k", "coco", "mds")


@dataclass(frozen=True)
class _LayoutOptions:
    """What only the layouts of datasets take."""

    splits: tuple[str, ...]
    link: bool
    no_sources: bool
    base: Path | None


@click.command()
@gathered("layout", _LayoutOptions)
@dataset_argument
@click.option("--to", "form", type=click.Choice((*_FORMATS, _NETWORK)), required=True, help="Layout to write.")
@click.option("--out", type=PATH, required=True, help="New folder to write; onnx: the file.")
@click.option("--split", "splits", multiple=True, type=click.Choice(["train", "test"]),
              help="Export this split only. Repeatable.")  # fmt: skip
@click.option("--link", is_flag=True, help="Hard links instead of copies where bytes are the same.")
@click.option("--no-sources", is_flag=True,
              help="composition-1k: leave out fg and bg, which need the recipe's sources.")  # fmt: skip
@base_option
@click.option("--refinements", type=click.IntRange(0, 20), help="onnx: of the network.  [default: what its run chose]")
@json_option
def export(dataset: Path, form: str, out: Path, layout: _LayoutOptions, refinements: int | None, as_json: bool) -> None:
    """Write DATASET in the layout of another tool, or a trained network as ONNX.

    \b
    mattingdata export out/sample --to coco --out out/coco
    mattingdata export RUN --to onnx --out network.onnx

    The folder appears when everything is in it, with a card that carries the licence terms. A network is a run of
    'mattingdata train', or a file of weights; its file appears once ONNX Runtime gives the mattes that PyTorch gives.
    """  # noqa: D301 - click reads the backspace
    from matting_data.errors import UsageError

    if form == _NETWORK:
        if any(astuple(layout)):
            raise UsageError("--split, --link, --no-sources and --base go with the layouts of datasets, not with onnx")
        _network(dataset, out, refinements, as_json)
        return
    if refinements is not None:
        raise UsageError(f"--refinements goes with --to {_NETWORK}, not with {form}")
    from matting_data.exporting.export import Options
    from matting_data.exporting.export import export as run_export

    result = run_export(dataset, form, out, layout.splits, Options(layout.link, not layout.no_sources), layout.base)
    linked = f", {result.linked} files linked" if result.linked else ""
    line = (
        f"{result.out}: {result.samples} samples as {result.format} in {result.files} files, "
        f"{result.bytes / 1e6:.1f} MB{linked}"
    )
    echo_result(as_json, {**asdict(result), "out": str(result.out)}, [line])


def _network(checkpoint: Path, out: Path, refinements: int | None, as_json: bool) -> None:
    from matting_data.networks.onnx_export import export_onnx
    from matting_data.predicting.trained_network import open_trained

    trained = open_trained(checkpoint, "cpu")
    result = export_onnx(trained.network, out, trained.refinements if refinements is None else refinements)
    line = (
        f"{result.path}: {result.iterations} refinements, {result.bytes / 1e6:.1f} MB, "
        f"no alpha further than {result.largest_difference:.0e} from PyTorch's"
    )
    echo_result(as_json, {**asdict(result), "path": str(result.path)}, [line])
