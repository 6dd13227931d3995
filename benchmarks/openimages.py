"""Seconds and memory for a verdict on every image of OpenImages, from generated files of the real shape.

    python -m benchmarks.openimages [--scale 0.02] [--cores 2] [--folder DIR] [--json]

``--scale 1`` is the real size: 9.18 million images, 14.6 million boxes, 60 million labels verified by people and 160
million of classifiers, 15 GB of CSV, in a temporary folder (or below ``--folder``). Names, columns, lengths of values
and the order by id are those of V7; labels are drawn, a share of them human. Each run is a process of its own on
``--cores`` cores, whose peak memory the kernel reports; a tenth of the size runs first, so that growth shows. The
peer does the same on that tenth with pandas, which holds its tables in memory; it is no dependency and left out where
it cannot be imported.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import polars as pl
from numpy.typing import NDArray

from benchmarks.process_figures import peak_mib
from matting_data.humans.labels import PERSON, load_label_set
from matting_data.sources.openimages.blocks import IMAGE_COLUMNS

IMAGES, BOXED, BOXES, VERIFIED, MACHINE = 9_178_275, 1_910_098, 14_600_000, 60_000_000, 160_000_000
CLASSES = 20_000
HUMAN_SHARE = {"boxes": 0.3, "verified": 0.08, "machine": 0.06}
CHUNK = 100_000
TARGET = {"seconds": 240, "gib": 4.0}
TRAIN = "oidv7-train-annotations-{}-imagelabels.csv"


def main() -> None:
    """Generate, judge in child processes, print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--scale", type=float, default=0.02, help="share of the real size")
    parser.add_argument("--cores", type=int, default=2)
    parser.add_argument("--folder", type=Path, help="where to put the generated files while it runs")
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--run", nargs=3, metavar=("WHAT", "METADATA", "OUT"), help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.run:
        what, metadata, out = options.run
        figures = {"mattingdata": judge, "pandas": judge_with_pandas}[what](Path(metadata), Path(out))
        print(json.dumps({**figures, "peak_gib": peak_gib()}))
        return
    figures = {"scale": options.scale, "cores": options.cores}
    with tempfile.TemporaryDirectory(dir=options.folder) as folder:
        for name, scale in (("tenth", options.scale / 10), ("whole", options.scale)):
            metadata, out = Path(folder) / name, Path(folder) / f"{name}-out"
            started = time.perf_counter()
            size = generate(metadata, scale)
            figures[name] = {"generated_gb": round(size / 1e9, 3), "generating_s": round(time.perf_counter() - started)}
            figures[name] |= child("mattingdata", metadata, out, options.cores)
            if name == "tenth":
                known = find_spec("pandas") is not None
                figures["pandas_tenth"] = child("pandas", metadata, out, options.cores) if known else None
    figures["memory_growth"] = round(figures["whole"]["peak_gib"] / figures["tenth"]["peak_gib"], 2)
    figures["seconds_at_full_size"] = round(figures["whole"]["seconds"] / options.scale, 1)
    show(figures, options.json)


def show(figures: dict[str, Any], as_json: bool) -> None:
    """Print the figures."""
    if as_json:
        print(json.dumps(figures, indent=1))
        return
    for name in ("tenth", "whole"):
        run = figures[name]
        print(
            f"{name}: {run['images']:,} images, {run['generated_gb']} GB of CSV: {run['seconds']} s "
            f"({run['generated_gb'] * 1000 / run['seconds']:.0f} MB/s), peak {run['peak_gib']} GiB"
        )
        print(f"  {run['tiers']}")
    peer = figures["pandas_tenth"]
    if peer is None:
        print("pandas on the tenth: left out, pandas is not installed here")
    else:
        agree = "the same tiers" if peer["tiers"] == figures["tenth"]["tiers"] else f"other tiers: {peer['tiers']}"
        print(f"pandas on the tenth: {peer['seconds']} s, peak {peer['peak_gib']} GiB, {agree}")
    print(f"memory, whole over tenth: {figures['memory_growth']}")
    if figures["scale"] != 1:
        print(
            f"full size, extrapolated in proportion: {figures['seconds_at_full_size']} s (target {TARGET['seconds']})"
        )


def child(what: str, metadata: Path, out: Path, cores: int) -> dict[str, Any]:
    """Run one judge in a process of its own, for its figures with its peak memory.

    Linux binds the process to `cores` processors; elsewhere only the threads of polars are so limited.
    """
    command = [sys.executable, "-m", "benchmarks.openimages", "--run", what, str(metadata), str(out)]
    environment = {**os.environ, "POLARS_MAX_THREADS": str(cores)}
    if sys.platform == "linux":
        available = sorted(os.sched_getaffinity(0))[:cores]
        process = subprocess.Popen(
            command, stdout=subprocess.PIPE, env=environment, preexec_fn=lambda: os.sched_setaffinity(0, available)
        )
    else:
        process = subprocess.Popen(command, stdout=subprocess.PIPE, env=environment)
    assert process.stdout is not None
    printed = process.stdout.read()
    if process.wait():
        raise SystemExit(f"{what} ended with {process.returncode}: see above")
    return dict(json.loads(printed))


def peak_gib() -> float:
    """Read the peak memory of this process in GiB; outside Linux, that of its parent before the exec may count."""
    if sys.platform != "linux":
        return round(peak_mib() / 2**10, 2)
    else:
        status = Path("/proc/self/status").read_text()
        kilobytes = next(line.split()[1] for line in status.splitlines() if line.startswith("VmHWM"))
        return round(int(kilobytes) / 2**20, 2)


def judge(metadata: Path, out: Path) -> dict[str, Any]:
    """Judge with mattingdata."""
    from matting_data.sources.openimages.verdicts import judge_metadata

    started = time.perf_counter()
    report = judge_metadata(metadata, out)
    seconds = time.perf_counter() - started
    tiers = dict(sorted(report.by("tier").items()))
    return {"seconds": round(seconds, 2), "images": report.images, "malformed": report.malformed, "tiers": tiers}


def judge_with_pandas(metadata: Path, out: Path) -> dict[str, Any]:
    """Judge with pandas, as one would: read the columns needed, keep the human rows, group by image."""
    pd = import_module("pandas")

    started = time.perf_counter()
    labels = load_label_set()
    role = {label.mid: label.role for label in labels.labels}
    absence = {label.mid for label in labels.labels if label.absence}
    columns = ["ImageID", "LabelName", "Confidence"]
    images = pd.read_csv(metadata / "image_ids_and_rotation.csv", usecols=["ImageID"])["ImageID"]
    boxes = pd.read_csv(metadata / "oidv6-train-annotations-bbox.csv", usecols=[*columns, "IsGroupOf", "IsDepiction"])
    human = pd.read_csv(metadata / TRAIN.format("human"), usecols=columns)
    machine = pd.read_csv(metadata / TRAIN.format("machine"), usecols=columns)
    boxed = set(boxes["ImageID"])
    boxes, human, machine = (t[t["LabelName"].isin(role.keys())] for t in (boxes, human, machine))
    machine = machine[machine["Confidence"] >= 0.5]
    denied = human[human["Confidence"] == 0]
    said = human[human["Confidence"] > 0]
    refuted = machine.merge(denied[["ImageID", "LabelName"]].drop_duplicates(), how="left", indicator=True)
    machine = refuted[refuted["_merge"] == "left_only"]
    role_of = boxes["LabelName"].map(role)
    depicted = (boxes["IsDepiction"] == 1) & (role_of != "lookalike")
    group = ~depicted & ((role_of == "group") | ((boxes["IsGroupOf"] == 1) & (role_of == "person")))
    single = ~depicted & ~group
    said_role, machine_role = said["LabelName"].map(role), machine["LabelName"].map(role)

    def ids(boxes_where: Any, role_name: str) -> set[str]:
        return set(boxes[boxes_where]["ImageID"]) | set(said[said_role == role_name]["ImageID"])

    tiers = pd.Series("no_human_label", index=pd.Index(images))
    for tier, members in (
        ("boxes_without_human", boxed),
        ("verified_absent", set(denied[denied["LabelName"].isin(absence)]["ImageID"])),
        ("lookalike_only", ids(single & (role_of == "lookalike"), "lookalike")
         | set(machine[machine_role == "lookalike"]["ImageID"])),
        ("depiction_only", set(boxes[depicted]["ImageID"])),
        ("machine_label", set(machine[machine_role != "lookalike"]["ImageID"])),
        ("body_part_only", ids(single & (role_of == "body_part"), "body_part")),
        ("group_only", ids(group, "group")),
        ("verified_present", ids(single & (role_of == "person"), "person")),
    ):  # fmt: skip
        tiers[tiers.index.isin(members)] = tier  # the later, the stronger
    out.mkdir(exist_ok=True)
    tiers.to_csv(out / "pandas.csv")
    seconds = time.perf_counter() - started
    counts = {str(name): int(number) for name, number in sorted(tiers.value_counts().items())}
    return {"seconds": round(seconds, 2), "images": len(tiers), "malformed": 0, "tiers": counts}


def generate(folder: Path, scale: float) -> int:
    """Write the files of a release at a share of its size; return their bytes."""
    folder.mkdir(parents=True)
    rng = np.random.default_rng(2022)
    mids = _write_classes(folder)
    ids = _ids(rng, round(IMAGES * scale))
    boxed = np.sort(rng.choice(len(ids), round(BOXED * scale), replace=False))
    with open(folder / "image_ids_and_rotation.csv", "wb") as stream:
        _write(stream, (_image_rows(rng, ids[at : at + CHUNK]) for at in range(0, len(ids), CHUNK)))
    for name, rows, which, kind in (
        ("oidv6-train-annotations-bbox.csv", BOXES, boxed, "boxes"),
        (TRAIN.format("human"), VERIFIED, np.arange(len(ids)), "verified"),
        (TRAIN.format("machine"), MACHINE, np.arange(len(ids)), "machine"),
    ):
        each = rng.multinomial(round(rows * scale), np.full(len(which), 1 / len(which)))
        with open(folder / name, "wb") as stream:
            _write(
                stream,
                (
                    _label_rows(rng, ids.gather(np.repeat(which[at : at + CHUNK], each[at : at + CHUNK])), mids, kind)
                    for at in range(0, len(which), CHUNK)
                ),
            )
    return sum(path.stat().st_size for path in folder.iterdir())


def _write(stream: BinaryIO, tables: Iterator[pl.DataFrame]) -> None:
    for number, table in enumerate(tables):
        decimals = 6 if {"XMin", "Source"} & set(table.columns) else 1
        table.write_csv(stream, include_header=number == 0, float_precision=decimals)


def _write_classes(folder: Path) -> pl.Series:
    """Write class descriptions; return their MIDs, those of the human lists last."""
    digits = np.array(list("0123456789bcdfghjklmnpqrstvwxyz_"))
    numbers = np.random.default_rng(7).choice(32**5, CLASSES, replace=False)
    listed = [label.mid for label in load_label_set().labels]
    made = ["/m/0" + "".join(digits[(number >> shift) & 31] for shift in range(0, 25, 5)) for number in numbers]
    mids = pl.Series([*(mid for mid in made if mid not in listed), *listed])
    table = pl.DataFrame({"LabelName": mids, "DisplayName": [f"Class {number}" for number in range(len(mids))]})
    table.write_csv(folder / "oidv7-class-descriptions.csv")
    return mids


def _ids(rng: np.random.Generator, count: int) -> pl.Series:
    """Return sorted distinct ids of 16 hex digits."""
    numbers = np.unique(rng.integers(0, 2**64, count + 1000, dtype=np.uint64))[:count]
    text = np.frombuffer(numbers.astype(">u8").tobytes().hex().encode(), np.uint8).reshape(-1, 16)
    lines = np.concatenate([text, np.full((count, 1), ord("\n"), np.uint8)], axis=1).tobytes()
    return pl.read_csv(lines, has_header=False, schema={"id": pl.String})["id"]


def _label_rows(rng: np.random.Generator, ids: pl.Series, mids: pl.Series, kind: str) -> pl.DataFrame:
    count = len(ids)
    humans = len(load_label_set().labels)
    drawn = (rng.random(count) ** 3 * (len(mids) - humans)).astype(np.int64)  # some labels are far more frequent
    human = rng.random(count) < HUMAN_SHARE[kind]
    any_human = len(mids) - 1 - rng.integers(0, humans, int(human.sum()))
    person = int(mids.index_of(PERSON) or 0)
    drawn[human] = np.where(rng.random(len(any_human)) < 0.4, person, any_human)
    columns: dict[str, Any] = {"ImageID": ids}
    if kind == "machine":
        sure = rng.integers(500_000, 1_000_000, count) / 1e6
        columns |= {"Source": "machine", "LabelName": mids.gather(drawn), "Confidence": sure}
    elif kind == "verified":
        source = np.where(rng.random(count) < 0.8, "verification", "crowdsource-verification")
        there = pl.Series(np.where(rng.random(count) < 0.45, "1.0", "0.0"))
        columns |= {"Source": pl.Series(source), "LabelName": mids.gather(drawn), "Confidence": there}
    else:
        columns |= {"Source": "xclick", "LabelName": mids.gather(drawn), "Confidence": 1}
        columns |= {name: rng.random(count) for name in ("XMin", "XMax", "YMin", "YMax")}
        for flag, share in (("IsOccluded", 0.6), ("IsTruncated", 0.25), ("IsGroupOf", 0.06), ("IsDepiction", 0.05)):
            columns[flag] = (rng.random(count) < share).astype(np.int8)
        columns["IsInside"] = 0
        columns |= {f"XClick{number}{axis}": rng.random(count) for axis in "XY" for number in range(1, 5)}
    return pl.DataFrame(columns)


def _image_rows(rng: np.random.Generator, ids: pl.Series) -> pl.DataFrame:
    def number(digits: int) -> pl.Series:
        return pl.Series(rng.integers(10 ** (digits - 1), 10**digits, len(ids))).cast(pl.String)

    def one_of(values: list[str]) -> pl.Series:
        drawn: NDArray[np.int64] = rng.integers(0, len(values), len(ids))
        return pl.Series(values).gather(drawn)

    made = pl.DataFrame(
        {
            "ImageID": ids, "photo": number(11), "secret": number(10), "user": number(8),
            "md5": number(16), "size": number(7), "Rotation": one_of(["0.0", "0.0", "0.0", "90.0", "270.0", ""]),
            "Title": one_of(["IMG_4711", "Three boys on a hill", 'The "old" mill, at dusk', "a,b", "", "Häuser"]),
            "Author": one_of(["Karen", "Michael Beat", "Last, First", "LabHacker CD"]),
        }
    )  # fmt: skip
    return made.select(
        "ImageID",
        Subset=pl.lit("train"),
        OriginalURL=pl.format("https://farm3.staticflickr.com/5310/{}_{}_o.jpg", "photo", "secret"),
        OriginalLandingURL=pl.format("https://www.flickr.com/photos/{}@N04/{}", "user", "photo"),
        License=pl.lit("https://creativecommons.org/licenses/by/2.0/"),
        AuthorProfileURL=pl.format("https://www.flickr.com/people/{}@N04/", "user"),
        Author="Author",
        Title="Title",
        OriginalSize="size",
        OriginalMD5=pl.format("{}pivCMQ==", "md5"),
        Thumbnail300KURL=pl.format("https://c1.staticflickr.com/6/5310/{}_{}_z.jpg", "photo", "secret"),
        Rotation="Rotation",
    ).select(IMAGE_COLUMNS)


if __name__ == "__main__":
    main()
