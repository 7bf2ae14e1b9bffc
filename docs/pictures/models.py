"""Pictures of what the models that come with the pack can show."""

from __future__ import annotations

from .recipe import More, Picture, Tile

NAMES = ("stone_wall", "meadow", "pebbles", "bark", "bricks", "water", "forest_floor", "cloudy_sky")
TOY = Tile(
    "", workflow="wide_image_checkpoint", show="8.0", set=("CanonicalSpace.width=192", "SyncTweediesSampler.seed=4")
)
TEAPOT = Tile(
    "",
    workflow="mesh_text_controlnet",
    show="19.0",
    set=("MeshTurntable.width=200", "MeshTurntable.height=150", "MeshTurntable.frames=8"),
    frames=(1,),
)
PICTURES = (
    Picture(
        "exemplars",
        ("SyncTweediesExemplarPicture", "ExemplarModel"),
        "picture",
        "Eight materials come with the pack; any picture of yours does as well.",
        Tile("", workflow="wide_image", show="material.0"),
        tuple(Tile(name, more={"material": More("SyncTweediesExemplarPicture", {"picture": name})}) for name in NAMES),
        across=4,
    ),
    Picture(
        "toy_words",
        ("ToyWorldModel",),
        "words",
        "Grounds and skies that it knows, three views wide.",
        TOY,
        tuple(
            Tile(words, set=(f"Prompt.text={words}",))
            for words in (
                "grass under a cloudy sky",
                "snow under an evening sky",
                "sand under a blue sky",
                "lava under a night sky",
            )
        ),
        across=2,
    ),
    Picture(
        "toy_materials",
        ("ToyWorldModel",),
        "materials of an object",
        "The pack's teapot, textured from one word.",
        TEAPOT,
        tuple(
            Tile(word, set=(f"ViewPrompts.prefix=a {word} teapot ",))
            for word in ("gold", "lava", "grass", "stone", "water", "wood")
        ),
        across=3,
    ),
    Picture(
        "blueprint",
        ("ToyWorldModel",),
        "blueprint",
        "The LoRA that comes with it: depth hints of four teapots, without and with it.",
        Tile("", workflow="controlnet_lora_views", show="19.0"),
        tuple(Tile(f"blueprint = {n}", set=(f"ToyWorldModel.blueprint={n}",)) for n in (0.0, 0.9)),
    ),
)
