"""The hair styles as numbers; `hair` grows them."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class HairStyle:
    """How strands leave the scalp, fall and curl; lengths in metres.

    Parameters
    ----------
    length : float
        Of a strand rooted on top of the head.
    side_length : float
        At the sides and the nape, as a share of `length`.
    lift, comb_side, comb_back : float
        Shares of the scalp normal, of the way from the parting and of the way to the back in the first direction.
    part : float
        Where the parting is, x in the template.
    gravity : float
        How soon a strand gives in to its weight: 0 never, 1 at once.
    layer : float
        Greatest distance of the lowest hair to the outermost above the skin: the volume.
    wave, wave_length : float
        Amplitude and wave length of waves or curls (0: straight).
    curl : bool
        Helical curls instead of flat waves.
    clump : float
        How far strands run together towards their lock's tip, 0 to 1.
    noise : float
        Stray of the single strand at its tip, metres.
    count : int
        Strands.
    steps : int
        Control points of a strand.
    wind : tuple of float
        Added to gravity, in the scene's axes.
    gather : {"", "tail", "bun"}
        Whether the hair is combed to a tie at the back.
    """

    length: float
    side_length: float = 1.0
    lift: float = 0.5
    comb_side: float = 0.6
    comb_back: float = 0.3
    part: float = 0.0
    gravity: float = 0.3
    layer: float = 0.012
    wave: float = 0.0
    wave_length: float = 0.1
    curl: bool = False
    clump: float = 0.4
    noise: float = 0.006
    count: int = 16000
    steps: int = 16
    wind: tuple[float, float, float] = (0.0, 0.0, 0.0)
    gather: str = ""


STYLES: dict[str, HairStyle] = {
    "short": HairStyle(
        0.050,
        0.36,
        lift=0.50,
        comb_side=0.45,
        comb_back=-0.20,
        part=0.035,
        gravity=0.10,
        layer=0.012,
        noise=0.006,
        clump=0.35,
        count=20000,
        steps=8,
    ),
    "bob": HairStyle(
        0.25, 0.62, lift=0.55, comb_side=0.8, part=0.022, gravity=0.34, layer=0.018, clump=0.35, count=10000
    ),
    "long_straight": HairStyle(
        0.46,
        0.92,
        lift=0.45,
        comb_side=0.8,
        comb_back=0.25,
        gravity=0.36,
        layer=0.014,
        noise=0.008,
        steps=18,
        count=8000,
    ),
    "long_wavy": HairStyle(
        0.44,
        0.90,
        lift=0.6,
        comb_side=0.7,
        comb_back=0.3,
        part=-0.02,
        gravity=0.34,
        layer=0.015,
        wave=0.011,
        wave_length=0.13,
        clump=0.6,
        noise=0.009,
        steps=24,
        count=8000,
    ),
    "afro": HairStyle(
        0.088,
        0.9,
        lift=1.0,
        comb_side=0.0,
        comb_back=0.0,
        gravity=0.0,
        layer=0.0,
        wave=0.0048,
        wave_length=0.016,
        curl=True,
        clump=0.25,
        noise=0.012,
        count=11000,
        steps=36,
    ),
    "curly": HairStyle(
        0.23,
        0.8,
        lift=0.6,
        comb_side=0.7,
        comb_back=0.2,
        part=0.015,
        gravity=0.30,
        layer=0.034,
        wave=0.0085,
        wave_length=0.036,
        curl=True,
        clump=0.55,
        noise=0.014,
        count=8500,
        steps=36,
    ),
    "ponytail": HairStyle(
        0.34, count=11000, gather="tail", layer=0.008, noise=0.010, wave=0.005, wave_length=0.16, steps=26
    ),
    "bun": HairStyle(0.30, count=11000, gather="bun", layer=0.007, noise=0.004, steps=30),
    "windblown": HairStyle(
        0.38,
        0.85,
        lift=0.7,
        comb_side=0.45,
        comb_back=0.4,
        part=0.02,
        gravity=0.22,
        layer=0.028,
        wave=0.011,
        wave_length=0.13,
        clump=0.5,
        noise=0.028,
        steps=22,
        count=9000,
        wind=(1.25, 0.25, 0.55),
    ),
}
