"""Pictures of warps and of readings."""

from __future__ import annotations

from .recipe import More, Picture, Tile

CARD = Tile("", workflow="illusion_latent_checkpoint", show="through.0")
READINGS = Tile("", workflow="illusion_latent_checkpoint", show="12.1", frames=(0, 1))


def seen(node: str, /, **inputs: object) -> dict[str, More]:
    """A drawn card through a reading."""
    return {
        "card": More("LoadImage", {"image": "card.png"}),
        "square": More("CanonicalSpace", {"kind": "illusion", "width": 256, "height": 256}),
        "reading": More(node, {"prompt": "x", **inputs}),
        "through": More(
            "SyncTweediesViewImages", {"space": "square.0", "rig": "reading.0", "image": "card.0", "cell": 1}
        ),
    }


def warps(node: str, *names: str, **labels: tuple[str, dict[str, object]]) -> tuple[Tile, ...]:
    """A tile for each warp; ``labels``: warps with another label, and values of more inputs."""
    found = [Tile(name, more=seen(node, warp=name)) for name in names]
    return (*found, *(Tile(text, more=seen(node, warp=name, **more)) for name, (text, more) in labels.items()))


def through(label: str, node: More, first: str) -> Tile:
    """A picture of the toy model with another second reading."""
    wires = {f"{key}.rig": "other.0" for key in ("5", "7", "8", "12")}
    return Tile(label, set=(f"Upright.prompt={first}",), wires=wires, more={"other": node})


def hybrid(label: str, kind: str, first: str, second: str, **inputs: object) -> Tile:
    node = More("IllusionHybrid", {"kind": kind, "prompt": first, "second_prompt": second, **inputs})
    return through(label, node, first)


PICTURES = (
    Picture(
        "warps",
        ("IllusionRig",),
        "warp",
        "What the reader of this reading sees of a card; the picture itself is the first.",
        CARD,
        (
            *warps("IllusionRig", "identity", "flip_y", "flip_x", "rotate_90", "rotate_180", "rotate_270", "negate"),
            *warps("IllusionRig", skew=("skew, slope 1.5", {}), rotate=("rotate, angle 45", {})),
        ),
        across=3,
    ),
    Picture(
        "shuffles",
        ("IllusionShuffle",),
        "warp",
        "The card in pieces; shuffle chooses which go where.",
        CARD,
        (
            *warps("IllusionShuffle", "jigsaw", "patch_permute"),
            *warps("IllusionShuffle", pixel_permute=("pixel_permute", {"block": 8})),
        ),
        across=3,
    ),
    Picture(
        "hinges",
        ("IllusionHinge",),
        "warp",
        "A disc, squares or panels of the card turn where they are.",
        CARD,
        (
            *warps("IllusionHinge", "inner_circle"),
            *warps("IllusionHinge", inner_rotate=("inner_rotate, angle 45", {})),
            *warps("IllusionHinge", "square_hinge", "hinge_in_three"),
        ),
        across=2,
    ),
    Picture(
        "mirrors",
        ("IllusionMirror",),
        "warp",
        "What a mirror on the card shows, and the card unrolled.",
        CARD,
        warps("IllusionMirror", "cylinder_mirror", "cone_mirror", "polar"),
        across=3,
    ),
    Picture(
        "hybrids",
        ("IllusionHybrid",),
        "kind",
        "Each pair is one picture. From near it is pebbles, from afar snow at night; in colour it is grass by day,"
        " in grey sand at night.",
        READINGS,
        (
            hybrid("near and far", "near and far", "pebbles", "snow under a night sky", sigma=2.0),
            hybrid("colour and grey", "colour and grey", "grass under a blue sky", "sand under a night sky"),
        ),
        across=2,
    ),
    Picture(
        "two_readings",
        ("IllusionPrompts", "IllusionReport"),
        "one picture, two readings",
        "Each pair is one picture: upright, and as its second reading shows it.",
        READINGS,
        (
            Tile("flip_y"),
            Tile(
                "negate",
                set=(
                    "Upside down.warp=negate",
                    "Upright.prompt=snow under a night sky",
                    "Upside down.prompt=lava under a blue sky",
                ),
            ),
            through(
                "inner_circle",
                More("IllusionHinge", {"warp": "inner_circle", "prompt": "sand under a blue sky", "rig": "3.0"}),
                "water under an evening sky",
            ),
        ),
        across=3,
    ),
)
