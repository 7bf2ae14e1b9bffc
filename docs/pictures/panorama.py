"""Pictures of options of panoramas."""

from __future__ import annotations

from .recipe import More, Picture, Tile

SPHERE = Tile("", workflow="panorama_text_stochastic", show="7.0")
PLAIN = ("SyncTweediesSampler.process=2 average clean estimate (SyncTweedies)", "SyncTweediesSampler.steps=16")
WORDS = ("View Prompts.prompts=top: a cloudy sky\nbottom: grass\n*: grass and mountains under a cloudy sky",)


def over(base: Tile, *changes: str) -> Tile:
    return Tile("", set=changes).over(base)


def looked(image: str) -> dict[str, More]:
    return {"look": More("EquirectViews", {"rig": "cameras.0", "image": image})}


DEPTH = Tile("", workflow="panorama_depth_controlnet", show="12.0")
PICTURES = (
    Picture(
        "panorama_process",
        ("SyncTweediesSampler",),
        "process, on a sphere",
        "",
        SPHERE,
        (
            Tile("process 2", set=PLAIN),
            Tile("StochSync"),
            Tile("each view alone", set=(*PLAIN, "SyncTweediesSampler.sync_end=0.01", "SyncTweediesSampler.final_sync=false")),
        ),
    ),
    Picture(
        "blend",
        ("EquirectStitch",),
        "blend",
        "",
        over(SPHERE, *PLAIN, "SyncTweediesSampler.sync_end=0.01", "SyncTweediesSampler.final_sync=false"),
        (
            Tile("blend = two bands", set=("EquirectStitch.blend=two bands",)),
            Tile("blend = average", set=("EquirectStitch.blend=average",)),
        ),
    ),
    Picture(
        "holes",
        ("EquirectStitch",),
        "holes",
        "",
        over(SPHERE, *PLAIN, "ViewRig.kind=ring", "ViewRig.fov=72"),
        tuple(Tile(f"holes = {n}", set=(f"EquirectStitch.holes={n}",)) for n in ("nothing", "nearest", "smooth")),
    ),
    Picture(
        "rotate",
        ("EquirectRotate",),
        "yaw and pitch",
        "",
        Tile("", workflow="panorama_depth_controlnet", show="turned.0", more={"turned": More("EquirectRotate", {"image": "12.0"})}),
        (
            Tile("as it was", show="12.0"),
            Tile("yaw = 90", more={"turned": More("EquirectRotate", {"image": "12.0", "yaw": 90.0})}),
            Tile("pitch = 60", more={"turned": More("EquirectRotate", {"image": "12.0", "pitch": 60.0})}),
            Tile("roll = 20", more={"turned": More("EquirectRotate", {"image": "12.0", "roll": 20.0})}),
        ),
        across=2,
    ),
    Picture(
        "cubemap",
        ("EquirectCubemap",),
        "layout",
        "",
        DEPTH,
        (
            Tile("panorama", show="12.0"),
            Tile("layout = cross", show="cube.0", more={"cube": More("EquirectCubemap", {"image": "12.0", "layout": "cross", "size": 80})}),
            Tile("layout = row", show="cube.0", more={"cube": More("EquirectCubemap", {"image": "12.0", "layout": "row", "size": 80})}),
        ),
    ),
    Picture(
        "depth",
        ("PanoramaDepthViews",),
        "what it gives, and what comes of it",
        "",
        DEPTH,
        (
            Tile("hints of six views", show="6.0", frames=(0, 1, 2, 3, 4, 5), across=6),
            Tile("with the hints"),
            Tile("without", set=("ControlNetApplyAdvanced.strength=0",)),
        ),
    ),
    Picture(
        "rig_kinds",
        ("ViewRig", "RigReport"),
        "kind",
        "How often each place of the sphere is seen: the brighter, the more views; black is never.",
        Tile("", workflow="panorama_exemplar", show="9.0", set=("ViewRig.width=64", "ViewRig.height=64")),
        (
            Tile("ring, fov 72: 8 views", set=("ViewRig.kind=ring", "ViewRig.fov=72")),
            Tile("sphere: 17 views"),
            Tile("fibonacci", set=("ViewRig.kind=fibonacci",)),
            Tile("custom: 6 views", set=("ViewRig.kind=custom",)),
        ),
        across=2,
    ),
    Picture(
        "view_prompts",
        ("ViewPrompts",),
        "prompts by direction",
        "",
        over(SPHERE, *PLAIN),
        (
            Tile("*: grass under a blue sky", set=("ViewPrompts.prompts=top: a blue sky\nbottom: grass\n*: grass under a blue sky",)),
            Tile("front: sand, back: snow, *: grass", set=("ViewPrompts.prompts=top: a blue sky\nbottom: grass\nfront: sand under a blue sky\nback: snow under a blue sky\n*: grass under a blue sky",)),
        ),
    ),
)
