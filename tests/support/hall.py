"""Datasets in every state that a command leaves, each place of which tests replace by what does not belong there."""

from __future__ import annotations

import csv
import hashlib
import io
import os
import shutil
import signal
import sys
from collections.abc import Iterable, Iterator, Sequence
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path

import pytest
from matting_data.cli.main import main

from matting_data.building.build import build
from matting_data.building.filter import filter_backgrounds
from matting_data.building.materialize import materialize
from matting_data.scanning.audit import kept_backgrounds
from tests.support.full_project import full_project
from tests.support.projects import Project

_NEW = (
    ".work/repair",
    ".work/repair/train",
    ".work/append",
    ".work/append/plan.parquet",
    ".work/colours",
    ".work/backgrounds",
    ".work/backgrounds/000001.parquet",
    ".work/openimages-openimages/evidence.tmp-",
    ".work/openimages-openimages/evidence.tmp-/rows",
    "audit.json",
    "filter.json",
    "reasons.png",
    "ledger",
    "backgrounds",
    "train/000009.tar",
)
"""Places where commands write, or look, and where nothing may lie yet."""

LINKS = ("twin", "damaged", "file", "folder", "dangling", "self")
"""Links to something outside that looks like what was there, sound or damaged; to another file or folder; to nothing;
and to themselves."""

OTHERS = ("pipe", "directory", "endless")
"""What is no file: a pipe, a folder, and a link to a device that never ends."""

_LONGEST = 120
"""Seconds after which a command hangs."""

Combination = tuple[str, str, str]
"""State, place, and what is put there: one of `LINKS` or `OTHERS`."""


class Hall:
    """Datasets in several states, and a folder outside that no command may touch."""

    def __init__(self, root: Path) -> None:
        self.root, self.canary = root, root / "canary"
        self.project: Project = full_project(root / "project", estimated=False)
        self.out = self.project.out
        self.recipe = self.project.write_recipe()
        self.project.build()
        self._keep("finished")
        (self.out / "dataset.json").unlink()
        for suffix in ("tar", "parquet"):
            staged = self.out / ".work" / "repair" / "train" / f"000001.{suffix}"
            staged.parent.mkdir(parents=True, exist_ok=True)
            (self.out / "train" / f"000001.{suffix}").rename(staged)
        (self.out / "train" / f"000001.tar.tmp-{2**22}123456789").write_bytes(b"unfinished")
        self._keep("interrupted")
        shutil.rmtree(self.out)
        shutil.copytree(root / "finished", self.out)
        with pytest.MonkeyPatch.context() as context:
            context.setattr("matting_data.building.build.unstage", lambda _: None)
            build(self.project.load("composites.per_foreground=3"), self.out, 1, append=True)
        (self.out / "dataset.json").unlink()
        (self.out / "train" / "000002.parquet").unlink()
        self._keep("appending")
        shutil.rmtree(self.out)
        filter_backgrounds(self.project.load(), self.out, 1)
        self._keep("filtered")
        shutil.rmtree(self.out)
        self.project.build("store.kind=layers")
        self._keep("layers")
        materialize(root / "layers", root / "composites", 1)
        shutil.rmtree(self.out)
        (root / "composites").rename(self.out)
        (self.out / "dataset.json").unlink()
        self._keep("materialized")
        self.labels = root / "labels.csv"
        rows = [[record.id, "0"] for record in kept_backgrounds(root / "filtered")]
        with open(self.labels, "w", newline="") as stream:
            csv.writer(stream).writerows([["id", "person"], *rows])

    def _keep(self, name: str) -> None:
        shutil.copytree(self.out, self.root / name)

    def verbs(self, state: str) -> Iterator[list[list[str]]]:
        """Yield runs of commands: what only reads shares a copy of the dataset, what writes has one of its own."""
        out, made = str(self.out), self.root / "made"
        recipe, few = str(self.recipe), ["--workers", "1"]
        layers = ["--set", "store.kind=layers"] if state == "layers" else []
        yield [
            ["verify", out, "--recompose", "1", *few],
            ["verify", out, "--quick", *few],
            ["status", out],
            ["stats", out],
            ["preview", out, "--samples", "2", "--out", str(made / "sheet.png")],
            ["report", out, "--samples", "2", "--out", str(made / "report.html")],
            ["export", out, "--to", "composition-1k", "--out", str(made / "export")],
            ["audit", out, "--sample", "2", "--to", str(made / "audit")],
        ]
        yield [["foregrounds", "check", recipe, "--out", out, *few], ["plan", recipe, "--out", out, *few, *layers]]
        yield [["build", recipe, "--out", out, *few, *layers]]
        yield [["build", recipe, "--out", out, *few, "--append", "--set", "composites.per_foreground=3", *layers]]
        yield [["repair", out, *few]]
        yield [["audit", out, "--labels", str(self.labels)], ["card", out, "--creator", "somebody"]]
        yield [["filter", recipe, "--out", out, *few]]
        yield [["materialize", str(self.root / "layers"), "--out", out, *few]]

    def combinations(self, kinds: Sequence[str]) -> list[Combination]:
        """List every place of every state, with everything that is put there."""
        found = []
        for state in ("finished", "interrupted", "appending", "filtered", "layers", "materialized"):
            folder = self.root / state
            places = {path.relative_to(folder).as_posix() for path in folder.rglob("*")} | set(_NEW)
            for place in sorted(places):
                there = (folder / place).exists()
                found += [(state, place, kind) for kind in kinds if there or kind not in ("twin", "damaged")]
        return found

    def put(self, place: str, kind: str) -> None:
        """Put something in a place; what links lead to leaves traces if it is touched."""
        path = self.out / place
        shutil.rmtree(self.canary, ignore_errors=True)
        target = self.canary / "target"
        self.canary.mkdir()
        (self.canary / "near").write_bytes(b"mine")
        if kind in ("twin", "damaged"):
            shutil.copytree(path, target) if path.is_dir() else shutil.copy(path, target)
            for file in [target] if target.is_file() else sorted(f for f in target.rglob("*") if f.is_file()):
                if kind == "damaged":
                    file.write_bytes(file.read_bytes()[:-1] + b"x")
        elif kind == "file":
            target.write_bytes(b"mine")
        elif kind == "folder":
            target.mkdir()
        if target.is_dir():
            (target / f"thesis.tmp-{2**22}123456789").write_bytes(b"mine")
            (target / "000000.tar").exists() or (target / "000000.tar").write_bytes(b"mine")
        if path.is_dir():
            shutil.rmtree(path)
        path.unlink(missing_ok=True)
        path.parent.mkdir(parents=True, exist_ok=True)
        if kind == "pipe":
            os.mkfifo(path)
        elif kind == "directory":
            path.mkdir()
            (path / "mine").write_bytes(b"mine")
        else:
            path.symlink_to({"self": path, "endless": Path("/dev/zero")}.get(kind, target))

    def traces(self) -> dict[str, tuple[int, int, str]]:
        """Describe all that lies outside: mode, time of change and content."""
        found = {}
        for path in [self.canary, *sorted(self.canary.rglob("*"))]:
            status = path.lstat()
            content = hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else ""
            found[str(path)] = status.st_mode, status.st_mtime_ns, content
        return found

    def tried(self, combinations: Iterable[Combination]) -> list[tuple[Combination, list[str], int, str]]:
        """Run every verb for each combination; list exit codes and what was said."""
        done = []
        for state, place, kind in combinations:
            for commands in self.verbs(state):
                shutil.rmtree(self.out, ignore_errors=True)
                shutil.rmtree(self.root / "made", ignore_errors=True)
                shutil.copytree(self.root / state, self.out)
                self.put(place, kind)
                before = self.traces()
                for arguments in commands:
                    code, said = run(arguments)
                    what = f"{arguments} with a {kind} at {place} of a dataset that is {state}"
                    assert code in (0, 1, 2), f"{what}: {said}"
                    assert "Traceback" not in said, f"{what}: {said}"
                    assert self.traces() == before, f"{what} changed what lies outside: {said}"
                    done.append(((state, place, kind), arguments, code, said))
        return done


def run(arguments: list[str]) -> tuple[int, str]:
    """Run a command in this process; return its exit code and all that it said."""
    said = io.StringIO()

    def hangs(*_: object) -> None:
        raise AssertionError(f"{arguments} hangs")

    signal.signal(signal.SIGALRM, hangs)
    signal.alarm(_LONGEST)
    try:
        with pytest.MonkeyPatch.context() as context, redirect_stdout(said), redirect_stderr(said):
            context.setattr(sys, "argv", ["mattingdata", *arguments])
            main()
    except SystemExit as ended:
        return int(ended.code or 0), said.getvalue()
    finally:
        signal.alarm(0)
    return 0, said.getvalue()
