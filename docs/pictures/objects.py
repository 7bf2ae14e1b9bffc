"""Pictures of options of meshes and splats."""

from __future__ import annotations

from .recipe import More, Picture, Tile

MESH = Tile(
    "",
    workflow="mesh_text_controlnet",
    show="19.0",
    set=("MeshTurntable.width=240", "MeshTurntable.height=200", "MeshTurntable.frames=6"),
    frames=(0, 2, 4),
    crop=(0.04, 0.06, 0.96, 0.92),
)
ALONE = ("SyncTweediesSampler.sync_end=0.01", "SyncTweediesSampler.final_sync=false")
NEAR = (0.2, 0.25, 0.75, 0.8)


def over(base: Tile, *changes: str) -> Tile:
    return Tile("", set=changes).over(base)


def near(base: Tile) -> Tile:
    """One frame, from near."""
    return Tile("", frames=(2,), crop=NEAR, set=("MeshTurntable.width=480", "MeshTurntable.height=400")).over(base)


def choices(name: str, *values: object, label: str = "{name} = {value}") -> tuple[Tile, ...]:
    option = name.rpartition(".")[2]
    return tuple(Tile(label.format(name=option, value=value), set=(f"{name}={value}",)) for value in values)


SPLATS = Tile(
    "",
    workflow="splats_text_controlnet",
    show="18.0",
    set=("Turntable.width=128", "Turntable.height=160"),
    frames=(0, 2, 4, 6),
    crop=(0.1, 0.05, 0.9, 0.95),
)
WHOLE = ("Upper half.y=0", "Upper half.height=4")
PICTURES = (
    Picture(
        "mesh_sync_end",
        ("SyncTweediesSampler",),
        "sync_end, on a mesh",
        "Views that go on alone add detail of their own; from the first step on, they never agree: a handle's"
        " ghost, and the white of the background on handle and spout. 0.8 is between them, and cannot be told from"
        " 1 here.",
        MESH,
        tuple(
            Tile(f"sync_end = {n}", set=(f"SyncTweediesSampler.sync_end={n}", "SyncTweediesSampler.final_sync=false"))
            for n in ("1.0", "0.01")
        ),
    ),
    Picture(
        "bake_blend",
        ("MeshTextureBake",),
        "blend",
        "Views that were denoised alone, baked in three ways. An average is soft where they disagree; two bands"
        " keeps the fine detail of the best view; best view alone keeps all of it, and its borders.",
        near(over(MESH, *ALONE)),
        choices("MeshTextureBake.blend", "average", "two bands", "best view", label="{value}"),
        across=3,
    ),
    Picture(
        "bake_exponent",
        ("MeshTextureBake",),
        "exponent",
        "At 0 a view that looks aslant counts as much as one that looks straight, and all is soft.",
        near(over(MESH, *ALONE, "MeshTextureBake.blend=average")),
        choices("MeshTextureBake.exponent", 0, 6, 32, label="{value}"),
        across=3,
    ),
    Picture(
        "bake_fill",
        ("MeshTextureBake",),
        "fill",
        "A rig of two cameras, seen from above: what neither of them saw.",
        over(MESH, "OrbitRig.azimuth_step=180", "OrbitRig.top_cameras=false", "MeshTurntable.elevation=50"),
        choices("MeshTextureBake.fill", "nothing", "nearest", "smooth"),
    ),
    Picture(
        "texture_size",
        ("MeshSpace",),
        "texture_size",
        "Views of 64 pixels hold no more than a texture of about 256; larger ones cost time and show nothing more.",
        near(MESH),
        choices("MeshSpace.texture_size", 32, 64, 256, label="{value}"),
        across=3,
    ),
    Picture(
        "orbit_exponents",
        ("OrbitRig",),
        "exponent and exponent_end",
        "How much a view that looks straight at a place counts while sampling, from the first step to the last.",
        near(MESH),
        tuple(
            Tile(f"{a} to {b}", set=(f"OrbitRig.exponent={a}", f"OrbitRig.exponent_end={b}"))
            for a, b in ((0, 0), (0, 6), (16, 16))
        ),
        across=3,
    ),
    Picture(
        "framing",
        ("OrbitRig",),
        "framing",
        "Tight cuts every view to the object: the same pixels, twice the detail.",
        MESH,
        choices("OrbitRig.framing", "reference", "tight"),
    ),
    Picture(
        "hint_strength",
        ("ControlStrengthSchedule", "MeshViews"),
        "strength of depth hints",
        "Without hints the model draws a teapot of its own into every view, and no two agree.",
        MESH,
        choices("ControlNetApplyAdvanced.strength", 0.01, 1.0),
    ),
    Picture(
        "background",
        ("ViewBackground",),
        "policy",
        "With backgrounds of their own (white here), views paint white onto the handle and the spout; random keeps"
        " it out.",
        MESH,
        choices("ViewBackground.policy", "own", "constant", "random"),
    ),
    Picture(
        "mesh_views",
        ("MeshViews",),
        "what it gives",
        "One view of each output.",
        Tile(
            "",
            workflow="mesh_text_controlnet",
            set=("OrbitRig.width=160", "OrbitRig.height=160", "OrbitRig.framing=reference"),
            show="9.0",
            frames=(1,),
        ),
        (
            Tile("depth", show="9.0"),
            Tile("normal", show="9.1"),
            Tile("mask", show="9.2", mask=True),
            Tile("position", show="9.3"),
            Tile("texture", show="9.4"),
            Tile("shading", show="9.5"),
        ),
        across=3,
    ),
    Picture(
        "light",
        ("MeshTurntable",),
        "light, background and elevation",
        "The texture's own colours are those of light none.",
        Tile("", frames=(1,)).over(MESH),
        (
            Tile("soft"),
            Tile("light = none", set=("MeshTurntable.light=none",)),
            Tile("elevation = 50", set=("MeshTurntable.background=#30343c", "MeshTurntable.elevation=50")),
        ),
        across=3,
    ),
    Picture(
        "splat_mask",
        ("SplatMask",),
        "a box",
        "Words: a tower of grass. Splats outside of the box keep every bit.",
        SPLATS,
        (
            Tile(
                "as it came",
                show="before.0",
                more={"before": More("SplatTurntable", {"splats": "4.0", "frames": 8, "width": 128, "height": 160})},
            ),
            Tile("y = 1, height = 2: the upper half"),
            Tile("y = -1, height = 2: the lower half", set=("Upper half.y=-1",)),
        ),
    ),
    Picture(
        "splat_aggregation",
        ("SplatTextureBake", "SyncTweediesSampler"),
        "aggregation, of splats",
        "Means of what is seen of each splat are soft; least squares finds the colours that show the views.",
        over(SPLATS, *WHOLE),
        tuple(
            Tile(
                f"aggregation = {n}", set=(f"SyncTweediesSampler.aggregation={n}", f"SplatTextureBake.aggregation={n}")
            )
            for n in ("mean", "least_squares")
        ),
    ),
)
