"""From a store of layers to composites: the dataset that a build from the sources would have made, to the byte."""

from __future__ import annotations

import csv
import hashlib
import io
from collections.abc import Collection
from dataclasses import replace

from matting_data.building.build import BuildResult
from matting_data.building.finish import finish, used_backgrounds
from matting_data.errors import DamageError, UsageError
from matting_data.publishing.attribution import FILE_NAME as ATTRIBUTION
from matting_data.recipes.recipe_file import LoadedRecipe
from matting_data.rendering.failures import require_samples
from matting_data.rendering.layer_inputs import LayerInputs
from matting_data.rendering.make_shards import build_shards
from matting_data.running.executor import Workers
from matting_data.shards.index import INDEX, read_index
from matting_data.storage import LocalStorage, Location, Storage, open_storage
from matting_data.workspace import work_folder as workspace
from matting_data.workspace.plan_tables import save_plan, saved_plan


def materialize(source: Location, out: Location, workers: Workers) -> BuildResult:
    """Make composites of a store of layers, or continue to.

    Parameters
    ----------
    source : Path, str or Storage
        A finished dataset with ``store.kind: layers``; its sources need not be at hand.
    out : Path, str or Storage
        New, empty, or begun with the same source.
    workers : int or Executor
        Processes, or where else to run; the bytes do not depend on it.

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
    source, out = open_storage(source), open_storage(out)
    index = read_index(source)
    if index["store"] != "layers":
        raise UsageError(
            f"{source} holds composites already: copy it, or name a dataset with 'store: {{kind: layers}}'"
        )
    if _is_same(source, out):
        raise UsageError(f"--out {out} is the store of layers itself: name another folder")
    saved = workspace.saved_recipe(source)
    store = replace(saved.recipe.store, kind="composites", epoch_backgrounds=False)
    recipe = LoadedRecipe(replace(saved.recipe, store=store), saved.base)
    whole = source.read(ATTRIBUTION)
    if hashlib.sha256(whole).hexdigest() != index["files"].get(ATTRIBUTION):
        raise DamageError(
            f"{source.label(ATTRIBUTION)} is not the file that was built: run 'mattingdata repair {source}'"
        )
    with workspace.locked(out) as held:
        workspace.refuse_other_recipe(out, recipe)
        plan = saved_plan(source)
        out.remove(INDEX)
        workspace.save_recipe(out, recipe)
        tables = save_plan(out, plan, recipe.recipe)
        built = build_shards(recipe.recipe, out, plan, LayerInputs(source), workers)
        require_samples(built.failed, len(plan.composites))
        used = {record.id for record in used_backgrounds(plan, built)}
        held()
        attribution = _only(whole, used)
        result = finish(recipe, out, plan, built, tables, attribution, index["notes"])
    return BuildResult(out, result, built.failed)


def _is_same(source: Storage, out: Storage) -> bool:
    if isinstance(source, LocalStorage) and isinstance(out, LocalStorage):
        return source.path.resolve() == out.path.resolve()
    return source.name == out.name


def _only(attribution: bytes, backgrounds: Collection[str]) -> bytes:
    """Keep only the rows of ATTRIBUTION.csv that belong to these backgrounds."""
    reader = csv.DictReader(io.StringIO(attribution.decode(), newline=""))
    buffer = io.StringIO()
    writer = csv.DictWriter(buffer, reader.fieldnames or (), lineterminator="\n")
    writer.writeheader()
    writer.writerows(row for row in reader if row["background"] in backgrounds)
    return buffer.getvalue().encode()
