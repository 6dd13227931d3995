"""The twelve pictures bundled with mattingdata, and any number of others drawn from a seed."""

from __future__ import annotations

import numpy as np

from matting_data.errors import UsageError
from matting_data.people.hair_styles import STYLES
from matting_data.people.specs import (
    BOTTOMS,
    LIGHTINGS,
    PATTERNS,
    TOPS,
    Clothing,
    Color,
    Hair,
    PersonSpec,
    Phenotype,
    PictureSpec,
    generator,
)

BLACK: Color = (0.07, 0.05, 0.045)
BROWN: Color = (0.24, 0.14, 0.08)
CHESTNUT: Color = (0.36, 0.20, 0.11)
AUBURN: Color = (0.50, 0.22, 0.10)
BLOND: Color = (0.74, 0.56, 0.34)
GREY: Color = (0.62, 0.60, 0.58)
HAIR_COLORS = (BLACK, BROWN, CHESTNUT, AUBURN, BLOND, GREY)

NAVY: Color = (0.13, 0.17, 0.30)
DENIM: Color = (0.24, 0.33, 0.48)
SAND: Color = (0.72, 0.62, 0.48)
CREAM: Color = (0.90, 0.87, 0.79)
CHARCOAL: Color = (0.20, 0.20, 0.22)
OLIVE: Color = (0.37, 0.40, 0.24)
TEAL: Color = (0.10, 0.42, 0.44)
RUST: Color = (0.68, 0.31, 0.16)
MUSTARD: Color = (0.80, 0.60, 0.18)
PLUM: Color = (0.40, 0.17, 0.34)
RED: Color = (0.66, 0.13, 0.14)
SKY: Color = (0.50, 0.68, 0.84)
ROSE: Color = (0.86, 0.55, 0.55)
CLOTH_COLORS = (NAVY, DENIM, SAND, CREAM, CHARCOAL, OLIVE, TEAL, RUST, MUSTARD, PLUM, RED, SKY, ROSE)


def _people() -> dict[str, PersonSpec]:
    """The twelve persons, as they stand by default."""
    rows = [
        PersonSpec(
            "ada",
            11,
            Phenotype(1.0, 0.68, 0.46, 0.5, 0.45, 0.1, 0.1, 0.9, 0.14),
            Hair("long_wavy", CHESTNUT),
            Clothing("longsleeve", TEAL, bottom="trousers", bottom_color=CHARCOAL),
        ),
        PersonSpec(
            "ben",
            12,
            Phenotype(0.0, 0.70, 0.5, 0.6, 0.6, 0.1, 0.1, 0.9, 0.22),
            Hair("short", BROWN, beard=True),
            Clothing("tshirt", CREAM, "bands", NAVY, "trousers", DENIM),
        ),
        PersonSpec(
            "chi",
            13,
            Phenotype(1.0, 0.66, 0.42, 0.4, 0.4, 0.0, 1.0, 0.1, 0.20),
            Hair("bob", BLACK),
            Clothing("turtleneck", MUSTARD, bottom="skirt", bottom_color=CHARCOAL),
        ),
        PersonSpec(
            "dede",
            14,
            Phenotype(1.0, 0.68, 0.5, 0.5, 0.5, 1.0, 0.0, 0.1, 0.82),
            Hair("afro", BLACK),
            Clothing("vneck", RUST, bottom="trousers", bottom_color=SAND),
        ),
        PersonSpec(
            "eli",
            15,
            Phenotype(0.0, 0.67, 0.45, 0.6, 0.65, 0.9, 0.0, 0.1, 0.70),
            Hair("short", BLACK),
            Clothing("tshirt", SKY, bottom="shorts", bottom_color=NAVY, shoe_color=(0.75, 0.74, 0.72)),
        ),
        PersonSpec(
            "fay",
            16,
            Phenotype(1.0, 0.67, 0.5, 0.55, 0.5, 0.1, 0.1, 0.9, 0.06),
            Hair("windblown", AUBURN),
            Clothing("tshirt", OLIVE, bottom="long_skirt", bottom_color=CREAM),
        ),
        PersonSpec(
            "gus",
            17,
            Phenotype(0.0, 0.92, 0.62, 0.5, 0.45, 0.1, 0.1, 0.9, 0.16),
            Hair("short", GREY, beard=True),
            Clothing("longsleeve", PLUM, bottom="trousers", bottom_color=CHARCOAL),
        ),
        PersonSpec(
            "hana",
            18,
            Phenotype(1.0, 0.66, 0.4, 0.45, 0.45, 0.0, 0.9, 0.2, 0.16),
            Hair("ponytail", BLACK),
            Clothing("tank", RED, bottom="shorts", bottom_color=CHARCOAL, shoe_color=(0.8, 0.78, 0.76)),
        ),
        PersonSpec(
            "ines",
            19,
            Phenotype(1.0, 0.70, 0.55, 0.45, 0.45, 0.4, 0.1, 0.6, 0.48),
            Hair("curly", BROWN),
            Clothing("vneck", CREAM, "dots", RUST, "skirt", NAVY),
        ),
        PersonSpec(
            "jon",
            20,
            Phenotype(0.0, 0.67, 0.42, 0.55, 0.5, 0.0, 0.9, 0.2, 0.24),
            Hair("short", BLACK),
            Clothing("longsleeve", CHARCOAL, "bands", MUSTARD, "trousers", DENIM),
        ),
        PersonSpec(
            "kaia",
            21,
            Phenotype(1.0, 0.67, 0.48, 0.5, 0.45, 0.1, 0.1, 0.9, 0.05),
            Hair("long_straight", BLOND),
            Clothing("longsleeve", ROSE, bottom="trousers", bottom_color=NAVY),
        ),
        PersonSpec(
            "lou",
            22,
            Phenotype(1.0, 0.75, 0.5, 0.5, 0.45, 0.7, 0.1, 0.3, 0.58),
            Hair("bun", BLACK),
            Clothing("turtleneck", ROSE, bottom="long_skirt", bottom_color=PLUM),
        ),
    ]
    return {row.person: row for row in rows}


def _as(person: PersonSpec, **changes: object) -> PersonSpec:
    values = {name: getattr(person, name) for name in person.__dataclass_fields__}
    values.update(changes)
    return PersonSpec(**values)


def sample_specs() -> list[PictureSpec]:
    """The twelve bundled pictures.

    Returns
    -------
    list of PictureSpec
        Five of subset ``single_frontal``, five of ``single_pose_varied``, two of ``multiple``; two of the twelve
        are of split ``test``, showing nobody who is in ``train``.
    """
    p = _people()
    frontal, varied, multiple = "single_frontal", "single_pose_varied", "multiple"
    return [
        PictureSpec(
            "01_ada", (_as(p["ada"], smile=0.7, pose="turned_head"),), "portrait", "daylight", 600, 750, frontal
        ),
        PictureSpec("02_ben", (_as(p["ben"], smile=0.6),), "half", "studio", 576, 720, frontal),
        PictureSpec("03_chi", (_as(p["chi"], smile=0.7),), "portrait", "studio", 576, 720, frontal),
        PictureSpec("04_dede", (_as(p["dede"], smile=0.7, turn=12),), "portrait", "evening", 600, 750, frontal),
        PictureSpec("05_eli", (_as(p["eli"], smile=0.7, pose="arms_up"),), "full", "daylight", 540, 800, varied),
        PictureSpec("06_fay", (_as(p["fay"], smile=0.6, turn=-18),), "half", "overcast", 640, 720, varied),
        PictureSpec(
            "07_gus", (_as(p["gus"], smile=0.6, pose="sitting", turn=-38),), "full", "studio", 560, 720, varied
        ),
        PictureSpec(
            "08_hana", (_as(p["hana"], smile=0.7, pose="walking", turn=78),), "full", "daylight", 560, 780, varied
        ),
        PictureSpec(
            "09_ines", (_as(p["ines"], smile=0.8, pose="waving"),), "half", "overcast", 640, 760, varied, "test"
        ),
        PictureSpec("10_jon", (_as(p["jon"], smile=0.6),), "portrait", "evening", 576, 720, frontal, "test"),
        PictureSpec(
            "11_kaia_ben",
            (
                _as(p["kaia"], smile=0.6, place=(-0.24, 0.0), turn=8),
                _as(p["ben"], smile=0.7, place=(0.26, 0.10), turn=-10, seed=32),
            ),
            "half",
            "daylight",
            800,
            640,
            multiple,
        ),
        PictureSpec(
            "12_lou_eli",
            (
                _as(p["lou"], smile=0.7, place=(-0.36, 0.0), pose="hands_on_hips", turn=14),
                _as(p["eli"], smile=0.7, place=(0.36, 0.12), pose="contrapposto", turn=-12, seed=35),
            ),
            "full",
            "overcast",
            720,
            800,
            multiple,
        ),
    ]


def random_specs(count: int, seed: int) -> list[PictureSpec]:
    """Draw any number of varied pictures.

    Parameters
    ----------
    count : int
        How many; picture i is the same whatever `count` is.
    seed : int

    Returns
    -------
    list of PictureSpec
        All of split ``train``: the recipe decides splits by person. About one in eight shows two people.

    Raises
    ------
    UsageError
        If `count` or `seed` is negative.
    """
    if count < 0 or seed < 0:
        raise UsageError(f"count is {count} and seed is {seed}; neither may be negative.")
    return [_random_picture(index, seed) for index in range(count)]


def _random_picture(index: int, seed: int) -> PictureSpec:
    rng = generator(seed, index, 0x91C)
    pair = rng.random() < 0.125
    poses = (
        "standing",
        "contrapposto",
        "turned_head",
        "arms_up",
        "waving",
        "walking",
        "sitting",
        "hands_on_hips",
        "dancing",
    )
    frontal = not pair and rng.random() < 0.5
    if pair:
        calm = ("standing", "contrapposto", "turned_head")
        people = tuple(
            _random_person(f"s{seed}-{index:05d}{side}", rng, str(rng.choice(calm)), turn, (place, 0.0))
            for side, turn, place in (("a", 10.0, -0.32), ("b", -10.0, 0.32))
        )
        framing, subset, size = str(rng.choice(["full", "half"])), "multiple", (800, 720)
    elif frontal:
        people = (_random_person(f"s{seed}-{index:05d}", rng, "standing", float(rng.normal(0, 8)), (0.0, 0.0)),)
        framing, subset, size = str(rng.choice(["portrait", "half"])), "single_frontal", (640, 800)
    else:
        pose, turn = str(rng.choice(poses)), float(rng.uniform(-90, 90))
        people = (_random_person(f"s{seed}-{index:05d}", rng, pose, turn, (0.0, 0.0)),)
        framing, subset, size = str(rng.choice(["full", "half"])), "single_pose_varied", (640, 800)
    return PictureSpec(f"s{seed}_{index:05d}", people, framing, str(rng.choice(LIGHTINGS)), size[0], size[1], subset)


def _random_person(
    name: str, rng: np.random.Generator, pose: str, turn: float, place: tuple[float, float]
) -> PersonSpec:
    female = bool(rng.random() < 0.5)
    shares = rng.dirichlet((0.5, 0.5, 0.5))
    african, asian, caucasian = (float(share) for share in shares)
    # Skin follows the facial shares with wide scatter: neither decides the other.
    skin = float(np.clip(0.75 * african + 0.22 * asian + 0.15 * caucasian + rng.normal(0, 0.12), 0.0, 1.0))
    dark = skin > 0.4
    style = str(rng.choice(sorted(STYLES) if female else ["short", "short", "short", "curly", "afro", "bun"]))
    age = float(rng.uniform(0.64, 0.95))
    hair = HAIR_COLORS[int(rng.integers(2 if dark else 5))] if age < 0.88 else GREY
    colors = [CLOTH_COLORS[int(pick)] for pick in rng.choice(len(CLOTH_COLORS), 3, replace=False)]
    seated = pose == "sitting"
    bottoms = BOTTOMS if female and not seated else ("trousers", "shorts")
    return PersonSpec(
        person=name,
        seed=int(rng.integers(2**40)),
        phenotype=Phenotype(
            gender=float(np.clip((0.95 if female else 0.05) + rng.normal(0, 0.04), 0, 1)),
            age=age,
            weight=float(np.clip(rng.normal(0.5, 0.12), 0.2, 0.85)),
            height=float(np.clip(rng.normal(0.5, 0.12), 0.2, 0.8)),
            muscle=float(np.clip(rng.normal(0.5, 0.1), 0.25, 0.8)),
            african=african,
            asian=asian,
            caucasian=caucasian,
            skin=skin,
        ),
        hair=Hair(style, hair, beard=not female and bool(rng.random() < 0.35)),
        clothing=Clothing(
            top=str(rng.choice(TOPS)),
            top_color=colors[0],
            pattern=str(rng.choice(["plain", "plain", *PATTERNS])),
            second_color=colors[1],
            bottom=str(rng.choice(bottoms)),
            bottom_color=colors[2],
        ),
        pose=pose,
        turn=turn,
        smile=float(rng.uniform(0.0, 0.9)),
        place=place,
    )
