"""Pictures of options of panoramas."""

from __future__ import annotations

from .recipe import More, Picture, Tile

SPHERE = Tile("", workflow="panorama_text_stochastic", show="7.0")
PLAIN = ("SyncTweediesSampler.process=2 average clean estimate (SyncTweedies)", "SyncTweediesSampler.steps=16")
ALONE = (*PLAIN, "SyncTweediesSampler.sync_end=0.01", "SyncTweediesSampler.final_sync=false")
DEPTH = Tile("", workflow="panorama_depth_controlnet", show="12.0")
AROUND = (
    "ViewPrompts.prompts=top: a blue sky\nbottom: grass\nazimuth -100..100: sand under an evening sky\n"
    "*: grass under a blue sky"
)


def over(base: Tile, *changes: str) -> Tile:
    return Tile("", set=changes).over(base)


def turned(label: str, **degrees: float) -> Tile:
    return Tile(label, show="turned.0", more={"turned": More("EquirectRotate", {"image": "7.0", **degrees})})


def cube(layout: str) -> Tile:
    node = More("EquirectCubemap", {"image": "12.0", "layout": layout, "size": 80})
    return Tile(f"layout = {layout}", show="cube.0", more={"cube": node})


PICTURES = (
    Picture(
        "view_prompts",
        ("ViewPrompts",),
        "prompts by direction",
        "One prompt all around, then another for the front half; zenith and ground have lines of their own in both.",
        over(SPHERE, *PLAIN),
        (
            Tile("*: grass", set=("ViewPrompts.prompts=top: a blue sky\nbottom: grass\n*: grass under a blue sky",)),
            Tile("azimuth -100..100: sand, evening sky", set=(AROUND,)),
        ),
    ),
    Picture(
        "rig_kinds",
        ("ViewRig", "RigReport"),
        "kind",
        "How often each place of the sphere is seen, as Rig Report shows it: the brighter, the more views; black"
        " is a hole.",
        Tile("", workflow="panorama_exemplar", show="9.1", set=("ViewRig.width=64", "ViewRig.height=64")),
        (
            Tile("ring, fov 72", set=("ViewRig.kind=ring", "ViewRig.fov=72")),
            Tile("sphere, fov 90"),
            Tile("fibonacci, fov 90", set=("ViewRig.kind=fibonacci",)),
            Tile("custom: six cameras", set=("ViewRig.kind=custom",)),
        ),
        across=2,
    ),
    Picture(
        "rig_preview",
        ("RigPreview",),
        "what it draws",
        "Around an object its cameras; on a panorama the outlines of the views, brighter where more of them see.",
        Tile("", workflow="mesh_exemplar"),
        (
            Tile("Orbit Rig", show="17.0", set=("RigPreview.size=512",)),
            Tile("View Rig, kind = sphere", workflow="panorama_exemplar", show="17.0", set=("RigPreview.size=512",)),
        ),
    ),
    Picture(
        "panorama_process",
        ("SyncTweediesSampler",),
        "process, on a sphere",
        "Views of words alone, without depth. Alone, the hills do not meet and the clouds have edges; process 2"
        " joins them; StochSync composes the sphere anew at every step, in ten times the time.",
        SPHERE,
        (Tile("each view alone", set=ALONE), Tile("process 2", set=PLAIN), Tile("StochSync")),
    ),
    Picture(
        "blend",
        ("EquirectStitch",),
        "blend",
        "A part of a panorama whose views were denoised alone: an average is soft, two bands is not.",
        Tile("", crop=(0.35, 0.55, 0.65, 0.85)).over(over(SPHERE, *ALONE)),
        (
            Tile("average", set=("EquirectStitch.blend=average",)),
            Tile("two bands", set=("EquirectStitch.blend=two bands",)),
        ),
        across=2,
    ),
    Picture(
        "holes",
        ("EquirectStitch",),
        "holes",
        "A ring of cameras sees neither sky nor ground.",
        over(SPHERE, *PLAIN, "ViewRig.kind=ring", "ViewRig.fov=72"),
        tuple(Tile(f"holes = {n}", set=(f"EquirectStitch.holes={n}",)) for n in ("nothing", "nearest", "smooth")),
    ),
    Picture(
        "rotate",
        ("EquirectRotate",),
        "yaw, pitch and roll",
        "What comes to the middle.",
        over(SPHERE, *PLAIN, AROUND),
        (
            Tile("as it was"),
            turned("yaw = 180", yaw=180.0),
            turned("pitch = 60", pitch=60.0),
            turned("roll = 20", roll=20.0),
        ),
        across=2,
    ),
    Picture(
        "cubemap",
        ("EquirectCubemap",),
        "layout",
        "Six faces of the panorama above them.",
        DEPTH,
        (Tile("panorama"), cube("cross"), cube("row")),
    ),
    Picture(
        "depth",
        ("PanoramaDepthViews",),
        "hints, and what comes of them",
        "With hints the towers stand where the depth has them; without, one in the middle of each view.",
        DEPTH,
        (
            Tile("hints of six views", show="6.0", frames=(0, 1, 2, 3, 4, 5), across=6),
            Tile("with the hints"),
            Tile("without", set=("ControlNetApplyAdvanced.strength=0",)),
        ),
    ),
)
