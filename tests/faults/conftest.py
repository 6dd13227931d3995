"""A project whose sources a system may refuse, made once for all tests."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.support.refused_world import World, make_sources
from tests.support.refusing_system import RefusingSystem, compiled


@pytest.fixture(scope="session")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    root = tmp_path_factory.mktemp("faults")
    system = RefusingSystem(compiled(root), root)
    try:
        recipe, layers = make_sources(root / "in")
        world = World(root, system, recipe, layers, root / "reference", root / "reference-layers")
        for out, path in ((world.reference, recipe), (world.reference_layers, layers)):
            done = world.build(out, recipe=path)
            assert done.code == 0, done.err
        yield world
    finally:
        system.close()
