"""Which images of OpenImages a recipe needs, before any is there: a list for ``mattingdata fetch``."""

from __future__ import annotations

from pathlib import Path

from matting_data.errors import UsageError
from matting_data.recipes.licenses import allowed_licenses
from matting_data.recipes.recipe_file import LoadedRecipe
from matting_data.records.codes import Outcome
from matting_data.scanning.label_evidence import judged
from matting_data.sources.openimages.choose import choose_images
from matting_data.sources.openimages.recognise import recognise
from matting_data.storage import open_folder

LIST = "images.txt"


def write_image_list(recipe: LoadedRecipe, count: int, out: Path) -> tuple[Path, list[str]]:
    """Choose images that the recipe's labels, policy and licences keep, and write ``images.txt`` into `out`.

    Parameters
    ----------
    recipe : LoadedRecipe
        With one source of layout ``openimages`` that has ``metadata``; its images need not be there.
    count : int
        How many; the detector, which sees them later, will reject some.
    out : Path
        Folder to fetch into; verdicts are kept in its ``.fetch``.

    Returns
    -------
    (Path, list of str)
        The list, in the official downloader's format, and what a user should know of the metadata.

    Raises
    ------
    UsageError
        The recipe has no such source or several, or fewer images will do.
    """
    rules = recipe.recipe.backgrounds
    sources = [source for source in rules.sources if source.layout == "openimages" and source.metadata]
    if len(sources) != 1:
        raise UsageError(
            f"the recipe has {len(sources)} sources of layout 'openimages' with 'metadata': to choose images it needs "
            "exactly one"
        )
    fetched = open_folder(out)
    folder = fetched.below(".fetch/verdicts")
    metadata = recognise(recipe.resolve(sources[0].metadata or ""))
    report = judged(metadata, rules.humans.openimages, folder, "reading the tables")
    outcomes: tuple[Outcome, ...] = ("keep", "review") if rules.humans.review == "keep" else ("keep",)
    if not rules.humans.labels:
        outcomes = ("keep", "review", "reject")
    allowed = allowed_licenses(rules.licenses) if rules.licenses else None
    chosen = choose_images(folder, count, recipe.recipe.seed, outcomes, allowed)
    lines = [f"{split}/{identity}\n" for split, identity in chosen.iter_rows()]
    fetched.write(LIST, "".join(lines).encode())
    return out / LIST, report.sentences()
