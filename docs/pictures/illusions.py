"""Pictures of warps and of readings."""

from __future__ import annotations

from .recipe import More, Picture, Tile


def seen(node: str, /, **inputs: object) -> dict[str, More]:
    """A drawn card through a reading."""
    return {
        "card": More("LoadImage", {"image": "card.png"}),
        "square": More("CanonicalSpace", {"kind": "illusion", "width": 256, "height": 256}),
        "reading": More(node, {"prompt": "x", **inputs}),
        "through": More("SyncTweediesViewImages", {"space": "square.0", "rig": "reading.0", "image": "card.0", "cell": 1}),
    }


CARD = Tile("", workflow="illusion_latent_checkpoint", show="through.0")


def warps(kind: str, *given: tuple[str, dict[str, object]]) -> tuple[Tile, ...]:
    return tuple(Tile(label, more=seen(kind, **inputs)) for label, inputs in given)


PLAIN = ("identity", "flip_y", "flip_x", "rotate_90", "rotate_180", "rotate_270", "negate", "skew", "rotate")
PICTURES = (
    Picture("warps", ("IllusionRig",), "warp", "", CARD, warps("IllusionRig", *((n, {"warp": n}) for n in PLAIN)), across=3),
    Picture(
        "shuffles", ("IllusionShuffle",), "warp", "", CARD,
        warps("IllusionShuffle", ("jigsaw", {"warp": "jigsaw"}), ("patch_permute", {"warp": "patch_permute"}), ("pixel_permute, block 8", {"warp": "pixel_permute", "block": 8})), across=3),
    Picture(
        "hinges", ("IllusionHinge",), "warp", "", CARD,
        warps("IllusionHinge", ("inner_circle", {"warp": "inner_circle"}), ("inner_rotate, 45", {"warp": "inner_rotate"}), ("square_hinge", {"warp": "square_hinge"}), ("hinge_in_three", {"warp": "hinge_in_three"})), across=2),
    Picture(
        "mirrors", ("IllusionMirror",), "warp", "", CARD,
        warps("IllusionMirror", ("cylinder_mirror", {"warp": "cylinder_mirror"}), ("cone_mirror", {"warp": "cone_mirror"}), ("polar", {"warp": "polar"})), across=3),
    Picture(
        "hybrids", ("IllusionHybrid",), "kind", "", CARD,
        tuple(
            Tile(n, more=seen("IllusionHybrid", kind=n, second_prompt="y", sigma=2.0), frames=(0, 1))
            for n in ("near and far", "colour and grey", "still and moving", "blurred", "thumbnail")
        ), across=2),
    Picture(
        "two_readings", ("IllusionPrompts", "IllusionReport"), "one picture, two readings", "",
        Tile("", workflow="illusion_latent_checkpoint", show="12.1", frames=(0, 1)),
        (
            Tile("flip_y"),
            Tile("rotate_90", set=("Upside down.warp=rotate_90", "Upright.prompt=grass under a blue sky", "Upside down.prompt=sand under an evening sky")),
            Tile("negate", set=("Upside down.warp=negate", "Upright.prompt=snow under a night sky", "Upside down.prompt=lava under a blue sky")),
            Tile("inner_circle", set=("Upright.prompt=water under an evening sky", ), wires={"IllusionPrompts.rig": "hinge.0", "SyncTweediesSampler.rig": "hinge.0", "8.rig": "hinge.0", "12.rig": "hinge.0"},
                 more={"hinge": More("IllusionHinge", {"warp": "inner_circle", "prompt": "sand under a blue sky", "rig": "3.0"})}),
        ), across=2),
)
