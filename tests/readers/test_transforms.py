from __future__ import annotations

import dataclasses
from typing import Any

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from matting_data.errors import UsageError
from matting_data.imaging.composite import over, premultiply
from matting_data.imaging.geometry import Box
from matting_data.readers import Composite, Layers, Split
from matting_data.readers.transforms import (
    AdaptiveTrimap,
    Blur,
    ColourJitter,
    DimTrimap,
    Flip,
    HarmoniseBackground,
    Jpeg,
    Noise,
    PersonCrop,
    Pipeline,
    ShortSide,
    Visit,
    evaluation_transform,
    harmonised_background,
    paper_augmentation,
)
from matting_data.readers.transforms.window import Draws, Person, find_person, person_window
from tests.support.synthetic import person, photo, soft_matte


@st.composite
def scenes(draw: st.DrawFn) -> tuple[tuple[int, int], Person]:
    width, height = draw(st.integers(8, 4000)), draw(st.integers(8, 4000))
    x0, y0 = draw(st.integers(0, width - 1)), draw(st.integers(0, height - 1))
    box = Box(x0, y0, draw(st.integers(x0 + 1, width)), draw(st.integers(y0 + 1, height)))
    head = draw(st.floats(box.x0, box.x1 - 1))
    return (width, height), Person(box, head)


@settings(deadline=None)
@given(scenes(), st.floats(0.5, 2), st.floats(-0.2, 0.2), st.floats(0, 0.25))
def test_the_window_holds_the_head_and_begins_above_the_box(
    scene: tuple[tuple[int, int], Person], tall: float, across: float, up: float
) -> None:
    (width, height), person = scene
    window = person_window((width, height), person, Draws(tall, across, up), 1 / 32)
    box, side = person.box, window.width
    assert window.width == window.height >= 1
    assert window.x0 >= 0 and window.y0 >= 0 and window.x1 <= width and window.y1 <= height
    assert window.y0 <= max(0, box.y0 - side / 32) + 1e-9  # above the box by the margin, or at the image's top
    assert window.x0 <= int(person.head) < window.x1
    # the upper three quarters of the box, or as much of it as the window is high
    assert window.y1 >= box.y0 + min(box.height * 0.75, side - np.ceil(side / 32)) - 1
    assert side == max(1, min(round(box.height / tall), width, height))


def coordinates(width: int, height: int) -> np.ndarray:
    """An image that says where its pixels come from: columns in red, rows in green."""
    x = np.linspace(0, 255, width, dtype=np.float32)[None, :].repeat(height, 0)
    y = np.linspace(0, 255, height, dtype=np.float32)[:, None].repeat(width, 1)
    return np.dstack([x, y, np.zeros_like(x)]).round().astype(np.uint8)


@settings(max_examples=60, deadline=None)
@given(st.integers(40, 300), st.integers(40, 300), st.integers(0, 10_000), st.sampled_from([16, 64, 130]))
def test_all_planes_move_alike(width: int, height: int, epoch: int, size: int) -> None:
    """The image encodes coordinates, the matte is a function of them: after the crop it still is, pixel by pixel."""
    where = coordinates(width, height)
    ramp = where[..., 1]  # the matte grows downward with the green channel
    matte = np.where(ramp > 100, ramp, 0).astype(np.uint8)
    layers = Layers(where, matte, where[..., ::-1].copy())
    trimap = np.where(matte == 0, 0, 128).astype(np.uint8)
    composite = Composite("k", where, matte, trimap, layers)
    made = Pipeline([PersonCrop(size), Flip()])(composite, Visit(0, epoch, "k"))
    assert made.trimap is not None and made.layers is not None
    for plane in (made.image, made.alpha, made.trimap, made.layers.foreground, made.layers.background):
        assert plane.shape[:2] == (size, size) and plane.flags.c_contiguous
    assert np.array_equal(made.layers.foreground, made.image) and np.array_equal(made.layers.alpha, made.alpha)
    assert np.array_equal(made.layers.background[..., ::-1], made.image)
    mixed = max(5, int(255 / (height - 1) * min(width, height) / size) + 2)  # levels that one pixel of the crop mixes
    inside = (made.image[..., 1] > 101 + mixed) & (made.alpha > 101 + mixed)
    assert np.abs(made.alpha[inside].astype(int) - made.image[..., 1][inside]).max(initial=0) <= 1
    assert np.all(made.alpha[made.image[..., 1] < 100 - mixed] == 0)
    known = made.trimap == 0
    assert np.all(made.image[..., 1][known] <= 103 + mixed) and set(np.unique(made.trimap)) <= {0, 128}


def test_flips_happen_half_of_the_time_and_mirror() -> None:
    composite = Composite("k", coordinates(30, 20), coordinates(30, 20)[..., 0], coordinates(30, 20)[..., 0])
    flipped = 0
    for epoch in range(200):
        made = Pipeline([Flip()])(composite, Visit(1, epoch, "k"))
        mirrored = made.image[0, 0, 0] == 255
        flipped += bool(mirrored)
        expected = composite.image[:, ::-1] if mirrored else composite.image
        assert np.array_equal(made.image, expected) and np.array_equal(made.alpha, expected[..., 0])
        assert np.array_equal(made.trimap, made.alpha)
    assert 70 < flipped < 130


def test_the_head_stays_in_the_crop_of_a_person() -> None:
    """A dot of colour on the head is seen in every crop, whatever scale and shift."""
    width, height = 400, 600
    alpha = np.zeros((height, width), np.uint8)
    cv2.circle(alpha, (250, 200), 30, 255, -1)
    cv2.ellipse(alpha, (200, 420), (120, 200), 0, 0, 360, 255, -1)
    image = np.zeros((height, width, 3), np.uint8)
    cv2.circle(image, (250, 190), 10, (255, 0, 0), -1)
    sides = set()
    for epoch in range(200):
        made = paper_augmentation(128)(Composite("k", image, alpha), Visit(0, epoch, "k"))
        assert made.image[..., 0].max() > 200
        assert made.alpha[0].max() == 0  # the crop begins above the person
        assert made.alpha[64:].max() == 255  # and reaches the body
        sides.add(int((made.alpha > 127).sum()))
    assert len(sides) > 100


def test_the_measures_of_a_person() -> None:
    alpha = np.zeros((100, 80), np.uint8)
    alpha[20:90, 10:60] = 25  # too faint to count
    alpha[30:80, 20:50] = 200
    alpha[30:36, 20:45] = 0
    person = find_person(alpha)
    assert person.box == Box(20, 30, 50, 80) and 45 <= person.head <= 49
    assert find_person(np.zeros((10, 12), np.uint8)).box == Box(0, 0, 12, 10)


def test_small_images_are_enlarged_and_large_ones_averaged() -> None:
    image, alpha = person(64, 80)
    made = paper_augmentation(512)(Composite("k", image, alpha), Visit(0, 0, "k"))
    assert made.image.shape == (512, 512, 3) and made.alpha.max() == 255
    checks = (np.indices((1200, 1200)).sum(axis=0) % 2 * 255).astype(np.uint8)
    shrunk = ShortSide(200)(Composite("k", np.dstack([checks] * 3), checks, checks), np.random.default_rng(0))
    assert np.abs(shrunk.alpha.astype(int) - 128).max() <= 1  # no aliasing
    assert shrunk.trimap is not None and set(np.unique(shrunk.trimap)) <= {0, 255}


def test_trimaps_are_drawn_at_every_visit_and_fit_the_crop() -> None:
    image, alpha = person(300, 360, seed=4)
    stored = np.full(alpha.shape, 128, np.uint8)
    for step in (DimTrimap(), AdaptiveTrimap()):
        areas = set()
        for epoch in range(12):
            made = paper_augmentation(128, trimap=step)(Composite("k", image, alpha, stored), Visit(0, epoch, "k"))
            assert made.trimap is not None and set(np.unique(made.trimap)) <= {0, 128, 255}
            assert np.all(made.alpha[made.trimap == 255] == 255) and np.all(made.alpha[made.trimap == 0] == 0)
            areas.add(int((made.trimap == 128).sum()))
        assert len(areas) > 6


def test_what_has_to_be_decoded() -> None:
    assert paper_augmentation().parts == ("image", "alpha")
    assert paper_augmentation(harmonise=True).parts == ("image", "alpha", "layers")
    assert evaluation_transform().parts == ("image", "alpha", "trimap")
    assert Pipeline([], parts=["layers"]).parts == ("image", "alpha", "layers")


def test_steps_do_not_disturb_each_other() -> None:
    image, alpha = person(200, 240)
    composite, visit = Composite("k", image, alpha), Visit(0, 3, "k")
    plain, noisy = paper_augmentation(64)(composite, visit), paper_augmentation(64, photographic=True)(composite, visit)
    assert np.array_equal(plain.alpha, noisy.alpha) and np.array_equal(plain.trimap, noisy.trimap)
    twice = Pipeline([Flip(), Flip()])
    assert len({twice(composite, Visit(0, epoch, "k")).image[0, 0].tobytes() for epoch in range(40)}) == 2


@pytest.mark.parametrize("step", [ColourJitter(p=1), Blur(p=1), Noise(p=1), Jpeg(p=1)])
def test_what_cameras_do_changes_the_image_only(step: Any) -> None:
    image, alpha = person(120, 140, seed=2)
    composite = Composite("k", image, alpha, alpha)
    made = Pipeline([step])(composite, Visit(0, 1, "k"))
    assert made.alpha is alpha and made.trimap is alpha
    assert made.image.shape == image.shape and made.image.dtype == np.uint8
    change = np.abs(made.image.astype(int) - image).mean()
    assert 0.2 < change < 60
    never = Pipeline([dataclasses.replace(step, p=0)])(composite, Visit(0, 1, "k"))
    assert never.image is image


def test_jitter_without_strength_changes_nothing() -> None:
    image, alpha = person(60, 50)
    step = ColourJitter(0, 0, 0, 0, p=1)
    assert np.array_equal(Pipeline([step])(Composite("k", image, alpha), Visit(0, 0, "k")).image, image)


def test_harmonising_moves_the_background_only() -> None:
    alpha = soft_matte(120, 140)
    foreground = (photo(120, 140, 1) // 4 + 160).astype(np.uint8)
    background = (photo(120, 140, 2) // 3).astype(np.uint8)
    layers = Layers(foreground, alpha, background)
    nearer = harmonised_background(layers, 1.0)
    goal = foreground[alpha >= 250].mean(axis=0)
    assert np.abs(nearer.reshape(-1, 3).mean(axis=0) - goal).max() < 3
    half = harmonised_background(layers, 0.5).reshape(-1, 3).mean(axis=0)
    assert np.all(np.abs(half - (goal + background.reshape(-1, 3).mean(axis=0)) / 2) < 3)
    assert np.array_equal(harmonised_background(layers, 0.0), background)
    composite = Composite("k", over(premultiply(foreground, alpha), background.copy()), alpha, None, layers)
    made = Pipeline([HarmoniseBackground((0.5, 0.5), p=1)])(composite, Visit(0, 0, "k"))
    assert made.layers is not None
    assert np.array_equal(made.image[alpha == 255], composite.image[alpha == 255])
    assert np.array_equal(made.image[alpha == 0], made.layers.background[alpha == 0])
    assert np.array_equal(made.image, over(premultiply(foreground, alpha), made.layers.background.copy()))
    assert np.array_equal(layers.background, background)  # inputs stay as they are


def test_harmonising_finished_composites_is_refused(train: Split) -> None:
    transform = paper_augmentation(64, harmonise=True)
    with pytest.raises(UsageError, match="stores finished composites, not their layers"):
        train.read(0, transform.parts)
    with pytest.raises(UsageError, match="needs a sample's layers"):
        transform(train[0], Visit(0, 0, "k"))


def test_evaluation_sizes() -> None:
    image, alpha = person(90, 120)
    trimap = np.where(alpha == 0, 0, np.where(alpha == 255, 255, 128)).astype(np.uint8)
    composite = Composite("k", image, alpha, trimap)
    made = evaluation_transform(70, multiple=32)(composite, Visit(0, 0, "k"))
    assert made.alpha.shape == (96, 64) and made.image.shape == (96, 64, 3)
    assert made.trimap is not None and set(np.unique(made.trimap)) <= {0, 128, 255}
    assert evaluation_transform(None)(composite, Visit(0, 0, "k")) is composite
    assert evaluation_transform(60)(composite, Visit(0, 5, "k")).alpha.shape == (80, 60)


@pytest.mark.parametrize("wrong", [{"size": 0}, {"height": (0.0, 1.0)}, {"height": (2.0, 1.0)}, {"margin": 1.0}])
def test_crops_that_cannot_be(wrong: dict[str, object]) -> None:
    with pytest.raises(UsageError, match="cannot be"):
        PersonCrop(**wrong)
