"""Tables of the format mattingdata/1, which had no nulls: empty text and 0 stood for what was not known."""

from __future__ import annotations

import polars as pl

from matting_data.errors import DamageError
from matting_data.json_text import parse_json
from matting_data.records.checked import HumanBox
from matting_data.records.columns import lists_of_structs

FORMAT_1 = "mattingdata/1"

_SIZE = ("width", "height")

_MATTE = ("x0", "y0", "x1", "y1", "coverage", "soft")


def converted(table: pl.DataFrame) -> pl.DataFrame:
    """Give a table of inputs the columns of the present format; other tables, and those that have them, stay."""
    if not {"state", "fingerprint"} <= set(table.columns) or not _is_format_1(table):
        return table
    table = table.with_columns(pl.col(pl.String).replace("", None))
    table = _known_where(pl.col("width") > 0, table, _SIZE)
    if "boxes" not in table.columns:
        return _known_where(pl.col("fingerprint").is_not_null(), table, _MATTE)
    table = _known_where(pl.col("bytes") > 0, table, ("offset", "bytes"))
    table = _known_where(pl.col("width").is_not_null(), table, ("orientation",))
    table = _known_where(pl.col("detector").is_not_null(), table, ("score", "boxes"))
    try:
        boxes = [text and [HumanBox(*box) for box in parse_json(text, "boxes")] for text in table["boxes"]]
        return table.with_columns(lists_of_structs(boxes, HumanBox).alias("boxes"))
    except (DamageError, TypeError):
        raise pl.exceptions.SchemaError("its boxes are not those of a detector") from None


def _is_format_1(table: pl.DataFrame) -> bool:
    """Tell by what no table of a later format holds: boxes as text, or an empty `detail`."""
    return table.schema.get("boxes") == pl.String or bool((table["detail"] == "").any())


def _known_where(condition: pl.Expr, table: pl.DataFrame, columns: tuple[str, ...]) -> pl.DataFrame:
    return table.with_columns(pl.when(condition).then(pl.col(columns)))
