"""Verifying and materializing pass on errors of our own; what a dataset lacks stays a finding."""

from __future__ import annotations

from typing import Any

import pytest

from matting_data.building.materialize import materialize
from matting_data.errors import DamageError
from matting_data.readers.layered import LayerStore
from matting_data.rendering.composites import ForegroundRenderer
from matting_data.upkeep.verify import verify
from tests.support.projects import Project

ERRORS = [KeyError("planted"), OSError("planted"), TypeError("planted")]


def plant(patch: pytest.MonkeyPatch, where: type, name: str, error: Exception) -> None:
    def planted(*arguments: Any) -> None:
        raise error

    patch.setattr(where, name, planted)


@pytest.mark.parametrize("error", ERRORS, ids=repr)
@pytest.mark.parametrize("kind", ["composites", "layers"])
def test_an_error_of_making_composites_again_is_not_that_sources_are_absent(
    project: Project, monkeypatch: pytest.MonkeyPatch, kind: str, error: Exception
) -> None:
    project.build(f"store.kind={kind}")
    plant(monkeypatch, ForegroundRenderer, "render", error)
    with pytest.raises(type(error), match="planted") as caught:
        verify(project.out, False, 1, None, 1)
    assert caught.value.__notes__[0].startswith("mattingdata was at people-p")


@pytest.mark.parametrize("error", ERRORS, ids=repr)
def test_an_error_of_reading_layers_is_not_that_they_lack_a_background(
    project: Project, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    project.build("store.kind=layers")
    plant(monkeypatch, LayerStore, "background", error)
    with pytest.raises(type(error), match="planted"):
        materialize(project.out, project.root / "made", 1)
    assert not (project.root / "made" / "dataset.json").exists()
    with pytest.raises(type(error), match="planted"):
        verify(project.out, False, 1, None, 1)


def test_layers_that_lack_a_background_are_refused_before_anything_is_materialized(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    project.build("store.kind=layers")
    store = LayerStore.__init__

    def without_one(self: LayerStore, *arguments: Any) -> None:
        store(self, *arguments)
        self.backgrounds.pop("photos-b03")

    monkeypatch.setattr(LayerStore, "__init__", without_one)
    with pytest.raises(DamageError, match="it shows 'photos-b03', which is not stored"):
        materialize(project.out, project.root / "made", 1)
    assert not (project.root / "made" / "dataset.json").exists()
