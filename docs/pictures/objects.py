"""Pictures of options of meshes and splats."""

from __future__ import annotations

from .recipe import More, Picture, Tile

MESH = Tile("", workflow="mesh_text_controlnet", show="19.0", set=("MeshTurntable.width=200", "MeshTurntable.height=160", "MeshTurntable.frames=6"), frames=(0, 2, 4))
ALONE = ("SyncTweediesSampler.sync_end=0.01", "SyncTweediesSampler.final_sync=false")


def over(base: Tile, *changes: str) -> Tile:
    return Tile("", set=changes).over(base)


PICTURES = (
    Picture("bake_blend", ("MeshTextureBake",), "blend", "", over(MESH, *ALONE),
        tuple(Tile(f"blend = {n}", set=(f"MeshTextureBake.blend={n}",)) for n in ("two bands", "average", "best view"))),
    Picture("bake_exponent", ("MeshTextureBake",), "exponent", "", over(MESH, *ALONE, "MeshTextureBake.blend=average"),
        tuple(Tile(f"exponent = {n}", set=(f"MeshTextureBake.exponent={n}",)) for n in (0, 6, 32))),
    Picture("bake_fill", ("MeshTextureBake",), "fill", "", over(MESH, "OrbitRig.azimuth_step=180", "OrbitRig.top_cameras=false", "MeshTurntable.elevation=50"),
        tuple(Tile(f"fill = {n}", set=(f"MeshTextureBake.fill={n}",)) for n in ("nothing", "nearest", "smooth"))),
    Picture("texture_size", ("MeshSpace",), "texture_size", "", MESH,
        tuple(Tile(f"texture_size = {n}", set=(f"MeshSpace.texture_size={n}",), frames=(0,)) for n in (64, 128, 256)), across=3),
    Picture("orbit_exponents", ("OrbitRig",), "exponent and exponent_end", "", MESH,
        tuple(Tile(f"exponent {a}, exponent_end {b}", set=(f"OrbitRig.exponent={a}", f"OrbitRig.exponent_end={b}")) for a, b in ((0, 0), (0, 6), (16, 16)))),
    Picture("framing", ("OrbitRig",), "framing", "", MESH,
        tuple(Tile(f"framing = {n}", set=(f"OrbitRig.framing={n}",)) for n in ("reference", "tight"))),
    Picture("hint_strength", ("ControlStrengthSchedule",), "strength of the hints", "", MESH,
        tuple(Tile(f"strength = {n}", set=(f"ControlNetApplyAdvanced.strength={n}",)) for n in (0, 0.5, 1))),
    Picture("background", ("ViewBackground",), "policy", "", MESH,
        tuple(Tile(f"policy = {n}", set=(f"ViewBackground.policy={n}",)) for n in ("own", "constant", "random"))),
    Picture("cross_view", ("CrossViewAttention",), "weight", "", MESH,
        tuple(Tile(f"weight = {n}", set=(f"CrossViewAttention.weight={n}",)) for n in (0, 1))),
    Picture("mesh_views", ("MeshViews",), "what it gives", "", Tile("", workflow="mesh_text_controlnet", set=("OrbitRig.width=160", "OrbitRig.height=160", "OrbitRig.framing=reference"), show="9.0", frames=(1,)),
        (Tile("depth", show="9.0"), Tile("normal", show="9.1"), Tile("mask", show="9.2", mask=True), Tile("position", show="9.3"), Tile("texture", show="9.4"), Tile("shading", show="9.5")), across=3),
    Picture("light", ("MeshTurntable",), "light and background", "", over(MESH, "MeshTurntable.background=white"),
        (Tile("light = soft"), Tile("light = none", set=("MeshTurntable.light=none",)), Tile("background = #30343c", set=("MeshTurntable.background=#30343c",)))),
    Picture("materials", ("ToyWorldModel",), "words", "", MESH,
        tuple(Tile(n, set=(f"ViewPrompts.prefix=a {n} teapot ",)) for n in ("gold", "lava", "snow", "leaves")), across=1),
    Picture("splat_mask", ("SplatMask",), "a box", "", Tile("", workflow="splats_text_controlnet", show="18.0", set=("SplatTurntable.width=128", "SplatTurntable.height=160"), frames=(0, 2, 4, 6)),
        (Tile("as it came", show="before.0", more={"before": More("SplatTurntable", {"splats": "4.0", "frames": 8, "width": 128, "height": 160})}),
         Tile("y = 1, height = 2: the upper half"),
         Tile("y = -1, height = 2: the lower half", set=("Upper half.y=-1",)),
         Tile("everything", set=("Upper half.y=0", "Upper half.height=4")))),
    Picture("splat_aggregation", ("SplatTextureBake", "SyncTweediesSampler"), "aggregation", "", Tile("", workflow="splats_text_controlnet", show="18.0", set=("SplatTurntable.width=128", "SplatTurntable.height=160", "Upper half.y=0", "Upper half.height=4"), frames=(0, 2, 4, 6)),
        tuple(Tile(f"aggregation = {n}", set=(f"SyncTweediesSampler.aggregation={n}", f"SplatTextureBake.aggregation={n}",)) for n in ("mean", "least_squares"))),
)
