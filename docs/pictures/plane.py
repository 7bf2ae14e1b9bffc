"""Pictures of options that wide pictures show best."""

from __future__ import annotations

from .recipe import Picture, Tile

SMALL = (
    "CanonicalSpace.width=256",
    "CanonicalSpace.height=64",
    "ViewRig.width=64",
    "ViewRig.height=64",
    "ViewRig.pixels=32",
)
WALL = Tile("", workflow="wide_image", show="9.0", set=(*SMALL, "SyncTweediesSampler.steps=14"))
TOY = Tile("", workflow="wide_image_checkpoint", show="8.0")
SAND = "Prompt.text=sand and mountains under an evening sky"
SAMPLER = "SyncTweediesSampler"
CASES = (
    "1 average noise",
    "2 average clean estimate (SyncTweedies)",
    "3 average noisy image (MultiDiffusion)",
    "5 canonical clean estimate (SyncMVD)",
)


def over(base: Tile, *changes: str) -> Tile:
    return Tile("", set=changes).over(base)


def choices(name: str, *values: object) -> tuple[Tile, ...]:
    """A tile for each value of a widget of the sampler."""
    return tuple(Tile(f"{name} = {value}", set=(f"{SAMPLER}.{name}={value}",)) for value in values)


PICTURES = (
    Picture(
        "stride",
        ("ViewRig",),
        "pixels",
        "Windows of 64 that only touch do not join; half a window is enough.",
        over(TOY, SAND),
        (
            Tile("stride 64: windows only touch", set=("ViewRig.pixels=64",)),
            Tile("stride 48", set=("ViewRig.pixels=48",)),
            Tile("stride 32: half a window", set=("ViewRig.pixels=32",)),
        ),
    ),
    Picture(
        "wrap_x",
        ("CanonicalSpace",),
        "wrap_x",
        "Each twice side by side: the edges meet in the middle.",
        Tile("", twice=True).over(over(TOY, "CanonicalSpace.width=192", f"{SAMPLER}.seed=7")),
        (
            Tile("wrap_x = false", set=("CanonicalSpace.wrap_x=false",)),
            Tile("wrap_x = true", set=("CanonicalSpace.wrap_x=true",)),
        ),
    ),
    Picture(
        "process",
        (SAMPLER, "SyncTweediesSamplerWrap", "SyncTweediesPatch"),
        "process",
        "Views whose starting noise is their own (independent), where the processes part: 1 leaves the"
        " disagreement in, 2 is a little grey where views disagreed, 5 (and 4, here the same) keeps one picture"
        " from the start. With shared noise all five are alike.",
        Tile("", crop=(0, 0, 1, 0.7)).over(over(WALL, f"{SAMPLER}.noise=independent")),
        tuple(Tile(f"process {name[0]}", set=(f"{SAMPLER}.process={name}",)) for name in CASES),
    ),
    Picture(
        "noise",
        (SAMPLER, "SyncTweediesNoise"),
        "noise",
        "Where views overlap, noise of their own makes them disagree: stones melt to grey.",
        WALL,
        choices("noise", "polar", "independent"),
    ),
    Picture(
        "travel_times",
        (SAMPLER,),
        "travel_times",
        "Views whose starting noise is their own (independent): doing steps again lets them settle on one picture.",
        over(WALL, f"{SAMPLER}.noise=independent", f"{SAMPLER}.sampler_name=euler"),
        choices("travel_times", 1, 3),
    ),
    Picture(
        "step_noise",
        (SAMPLER,),
        "step_noise",
        "With an ancestral sampler. Noise that each view draws by itself blurs what they share.",
        over(WALL, f"{SAMPLER}.sampler_name=euler_ancestral"),
        choices("step_noise", "canonical", "independent"),
    ),
    Picture(
        "variance",
        (SAMPLER,),
        "variance_correction",
        "Contrast that averaging took (noise independent), given back.",
        over(WALL, f"{SAMPLER}.noise=independent"),
        choices("variance_correction", "0.0", "1.0"),
    ),
    Picture(
        "cfg",
        (SAMPLER,),
        "cfg",
        "Sand and mountains under an evening sky. Too little forgets the words, too much burns.",
        over(TOY, SAND),
        choices("cfg", 1, 3, 6),
    ),
    Picture(
        "steps",
        (SAMPLER,),
        "steps",
        "With dpmpp_2m: 4 are too few, and from 8 on nothing changes that can be seen.",
        over(TOY, SAND),
        choices("steps", 4, 6, 20),
    ),
)
