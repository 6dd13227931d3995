"""``hf-webdataset``: the shards as they are, with a card, ready to be uploaded to the Hugging Face hub."""

from __future__ import annotations

from tqdm import tqdm

from matting_data.errors import UsageError
from matting_data.exporting.export import Options
from matting_data.exporting.source import Source
from matting_data.exporting.staging import Staging


def estimate(source: Source, options: Options) -> int:
    """Count the bytes of the shards, 0 if linked; UsageError for a store of layers, whose shards hold no composites."""
    if source.card_inputs.layers:
        raise UsageError(
            f"{source.root} is a store of layers, whose shards hold no composites: "
            "run 'mattingdata materialize' and export its result"
        )
    return 0 if options.link else sum(entry["bytes"] for entry in source.shards())


def write(source: Source, staging: Staging, options: Options, progress: tqdm) -> None:
    """Copy or link every tar, having checked its hash."""
    for entry in source.shards():
        staging.take(entry["tar"], source.root / entry["tar"], entry["sha256"])
        progress.update(entry["num_samples"])


def layout(source: Source, options: Options) -> str:
    """Describe the export."""
    split, suffix = source.splits[0], source.card_inputs.image_suffix
    return (
        f"WebDataset shards: {', '.join(f'`{split}/*.tar`' for split in source.splits)}. Each sample has the fields "
        f"`image.{suffix}`, `alpha.png`, `trimap.png` and `json`.\n\n"
        f'```python\nimport datasets\n\ndataset = datasets.load_dataset(DIR, split="{split}")\n```'
    )


def data_files(source: Source) -> dict[str, str]:
    """Map every split to the pattern that matches its shards."""
    return {split: f"{split}/*.tar" for split in source.splits}
