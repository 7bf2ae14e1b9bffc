"""Pictures of options that wide pictures show best."""

from __future__ import annotations

from .recipe import More, Picture, Tile

TOY = Tile("", workflow="wide_image_checkpoint", show="8.0")
SAND = ("Prompt.text=sand and mountains under an evening sky", "CanonicalSpace.width=384")
WALL = Tile(
    "",
    workflow="wide_image",
    show="9.0",
    set=("CanonicalSpace.width=256", "CanonicalSpace.height=64", "SyncTweediesSampler.steps=14", "ViewRig.width=64", "ViewRig.height=64", "ViewRig.pixels=32"),
)
SAMPLER = ("SyncTweediesSampler",)
CASES = {
    1: "1 average noise",
    2: "2 average clean estimate (SyncTweedies)",
    3: "3 average noisy image (MultiDiffusion)",
    4: "4 canonical noise (Visual Anagrams)",
    5: "5 canonical clean estimate (SyncMVD)",
}
LOCK = {"lock": More("StructureLock")}


def over(base: Tile, *changes: str) -> Tile:
    return Tile("", set=changes).over(base)


PICTURES = (
    Picture(
        "process",
        (*SAMPLER, "SyncTweediesSamplerWrap", "SyncTweediesPatch"),
        "process",
        "Views that start from noise of their own.",
        over(WALL, "SyncTweediesSampler.noise=independent"),
        tuple(Tile(f"process {n}", set=(f"SyncTweediesSampler.process={name}",)) for n, name in CASES.items()),
    ),
    Picture(
        "noise",
        (*SAMPLER, "SyncTweediesNoise"),
        "noise",
        "",
        over(WALL, "SyncTweediesSampler.final_sync=true"),
        tuple(Tile(f"noise = {n}", set=(f"SyncTweediesSampler.noise={n}",)) for n in ("polar", "projected", "independent")),
    ),
    Picture(
        "sync_end",
        SAMPLER,
        "sync_end",
        "",
        WALL,
        tuple(Tile(f"sync_end = {n}", set=(f"SyncTweediesSampler.sync_end={n}",)) for n in ("1.0", "0.6", "0.2")),
    ),
    Picture(
        "variance",
        SAMPLER,
        "variance_correction",
        "",
        over(WALL, "SyncTweediesSampler.noise=independent"),
        tuple(Tile(f"variance_correction = {n}", set=(f"SyncTweediesSampler.variance_correction={n}",)) for n in ("0.0", "0.5", "1.0")),
    ),
    Picture(
        "step_noise",
        SAMPLER,
        "step_noise",
        "",
        over(WALL, "SyncTweediesSampler.sampler_name=euler_ancestral"),
        tuple(Tile(f"step_noise = {n}", set=(f"SyncTweediesSampler.step_noise={n}",)) for n in ("canonical", "independent")),
    ),
    Picture(
        "stride",
        ("ViewRig",),
        "pixels",
        "",
        WALL,
        (
            Tile("stride 64: windows only touch", set=("ViewRig.pixels=64",)),
            Tile("stride 48", set=("ViewRig.pixels=48",)),
            Tile("stride 32", set=("ViewRig.pixels=32",)),
        ),
    ),
    Picture(
        "stride_toy",
        ("ViewRig",),
        "pixels",
        "",
        over(TOY, *SAND),
        (
            Tile("stride 64: windows only touch", set=("ViewRig.pixels=64",)),
            Tile("stride 48", set=("ViewRig.pixels=48",)),
            Tile("stride 32", set=("ViewRig.pixels=32",)),
        ),
    ),
    Picture(
        "cfg",
        SAMPLER,
        "cfg",
        "",
        over(TOY, *SAND),
        tuple(Tile(f"cfg = {n}", set=(f"SyncTweediesSampler.cfg={n}",)) for n in (1, 3, 6)),
    ),
    Picture(
        "steps",
        SAMPLER,
        "steps",
        "",
        over(TOY, *SAND),
        tuple(Tile(f"steps = {n}", set=(f"SyncTweediesSampler.steps={n}",)) for n in (4, 8, 20)),
    ),
    Picture(
        "wrap_x",
        ("CanonicalSpace",),
        "wrap_x",
        "Twice side by side: the seam is in the middle.",
        Tile("", workflow="wide_image_advanced", show="15.0", twice=True, set=("CanonicalSpace.width=192", "CanonicalSpace.height=96", "ViewRig.width=64", "ViewRig.height=64", "ViewRig.pixels=32")),
        (Tile("wrap_x = false", set=("CanonicalSpace.wrap_x=false",)), Tile("wrap_x = true", set=("CanonicalSpace.wrap_x=true",))),
    ),
    Picture(
        "journey",
        ("PromptJourney",),
        "begin and end",
        "",
        Tile("", workflow="wide_image_journey", show="9.0",
        set=("CanonicalSpace.width=256", "CanonicalSpace.height=64", "SyncTweediesSampler.steps=14", "ViewRig.width=64", "ViewRig.height=64", "ViewRig.pixels=32")),
        (
            Tile("begin 0, end 1", set=()),
            Tile("begin 0.4, end 0.6", set=("PromptJourney.begin=0.4", "PromptJourney.end=0.6")),
            Tile("there_and_back", set=("PromptJourney.there_and_back=true", "CanonicalSpace.wrap_x=true")),
        ),
    ),
    Picture(
        "lock",
        ("StructureLock",),
        "level",
        "",
        Tile(
            "",
            workflow="wide_image_composed",
            show="again.0",
            more={
                "words": More("CLIPTextEncode", {"text": "snow under a night sky", "clip": "13.1"}),
                "lock": More("StructureLock", {}),
                "second": More("SyncTweediesSampler", {
                    "model": "13.0", "space": "16.0", "rig": "17.0", "positive": "words.0", "negative": "15.0", "canonical": "18.1",
                    "seed": 5, "steps": 20, "cfg": 3.0, "sampler_name": "dpmpp_2m", "scheduler": "karras", "denoise": 0.8}),
                "again": More("StitchViews", {"space": "16.0", "rig": "17.0", "views": "second.0", "vae": "13.2"}),
            },
        ),
        (
            Tile("what the run starts from", show="19.0"),
            Tile("without a lock"),
            *(Tile(f"level = {n}", more={"lock": More("StructureLock", {"level": n})}, wires={"second.operator": "lock.0"}) for n in (1, 3, 5)),
        ),
    ),
)
