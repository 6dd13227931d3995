"""From a store of layers to composites: the dataset that a build from the sources would have made, to the byte."""

from __future__ import annotations

import csv
import hashlib
import io
from collections.abc import Collection
from dataclasses import replace
from pathlib import Path

from matting_data.atomic import storage_errors
from matting_data.building import workspace
from matting_data.building.build import BuildResult
from matting_data.building.finish import finish, used_backgrounds
from matting_data.building.layer_inputs import LayerInputs
from matting_data.building.make_shards import build_shards
from matting_data.building.plan_tables import save_plan, saved_plan
from matting_data.errors import DamageError, UsageError
from matting_data.publishing.attribution import FILE_NAME as ATTRIBUTION
from matting_data.recipe_file import LoadedRecipe
from matting_data.shards.index import INDEX, read_index


def materialize(source: Path, out: Path, workers: int) -> BuildResult:
    """Make composites of a store of layers, or continue to.

    Parameters
    ----------
    source : Path
        A finished dataset with ``store.kind: layers``; its sources need not be at hand.
    out : Path
        New, empty, or begun with the same source.
    workers : int
        Processes; the bytes do not depend on it.

    Returns
    -------
    BuildResult
        ``content_sha256`` is that of a build of the same recipe with ``store.kind: composites``.

    Raises
    ------
    UsageError
        `source` holds composites already, or `out` cannot be used.
    DamageError
        `source` is unfinished or damaged.
    """
    index = read_index(source)
    if index["store"] != "layers":
        raise UsageError(
            f"{source} holds composites already: copy it, or name a dataset with 'store: {{kind: layers}}'"
        )
    if out.resolve() == source.resolve():
        raise UsageError(f"--out {out} is the store of layers itself: name another folder")
    saved = workspace.saved_recipe(source)
    store = replace(saved.recipe.store, kind="composites", epoch_backgrounds=False)
    recipe = LoadedRecipe(replace(saved.recipe, store=store), saved.base)
    try:
        whole = (source / ATTRIBUTION).read_bytes()
    except OSError as error:
        raise DamageError(
            f"{source / ATTRIBUTION} cannot be read ({error.strerror}): run 'mattingdata repair'"
        ) from None
    if hashlib.sha256(whole).hexdigest() != index["files"].get(ATTRIBUTION):
        raise DamageError(f"{source / ATTRIBUTION} is not the file that was built: run 'mattingdata repair {source}'")
    with workspace.locked(out):
        workspace.refuse_other_recipe(out, recipe)
        plan = saved_plan(source)
        with storage_errors(out):
            (out / INDEX).unlink(missing_ok=True)
        workspace.save_recipe(out, recipe)
        tables = save_plan(out, plan, recipe)
        built = build_shards(recipe, out, plan, LayerInputs(source), workers)
        used = {record.id for record in used_backgrounds(plan, built)}
        attribution = _only(whole, used)
        result = finish(recipe, out, plan, built, tables, attribution, index["notes"])
    return BuildResult.of(out, result)


def _only(attribution: bytes, backgrounds: Collection[str]) -> bytes:
    """Return the rows of ATTRIBUTION.csv of these backgrounds."""
    reader = csv.DictReader(io.StringIO(attribution.decode(), newline=""))
    buffer = io.StringIO()
    writer = csv.DictWriter(buffer, reader.fieldnames or (), lineterminator="\n")
    writer.writeheader()
    writer.writerows(row for row in reader if row["background"] in backgrounds)
    return buffer.getvalue().encode()
