"""Pictures of words for parts, of edits, and of what steers a run."""

from __future__ import annotations

from .recipe import More, Picture, Tile

SECOND = {
    "model": "13.0",
    "space": "16.0",
    "rig": "17.0",
    "positive": "words.0",
    "negative": "15.0",
    "canonical": "18.1",
    "seed": 5,
    "steps": 20,
    "cfg": 3.0,
    "sampler_name": "euler",
    "scheduler": "karras",
    "denoise": 0.75,
}
AGAIN = Tile(
    "",
    workflow="wide_image_composed",
    show="again.0",
    set=("Words.text=sand and mountains under a blue sky",),
    more={
        "words": More("CLIPTextEncode", {"text": "grass and mountains under an evening sky", "clip": "13.1"}),
        "second": More("SyncTweediesSampler", SECOND),
        "again": More("StitchViews", {"space": "16.0", "rig": "17.0", "views": "second.0", "vae": "13.2"}),
    },
)
BEFORE = Tile("before", show="19.0")


def locked(label: str, **inputs: object) -> Tile:
    return Tile(label, more={"lock": More("StructureLock", inputs)}, wires={"second.operator": "lock.0"})


def edited(label: str, **inputs: object) -> Tile:
    wish = {"source": "14.0", "source_cfg": 1.0, "finish": 0.3, **inputs}
    return Tile(label, more={"edit": More("SyncEdit", wish)}, wires={"second.edit": "edit.0"})


def denoised(value: float) -> Tile:
    return Tile(f"denoise = {value}", more={"second": More("SyncTweediesSampler", {**SECOND, "denoise": value})})


PARTS = Tile(
    "",
    workflow="wide_image_checkpoint",
    show="8.0",
    set=("CanonicalSpace.width=320", "SyncTweediesSampler.seed=4", "SyncTweediesSampler.cfg=3"),
)
WAY = {
    "a": More("CLIPTextEncode", {"text": "sand under a blue sky", "clip": "11.1"}),
    "b": More("CLIPTextEncode", {"text": "snow under an evening sky", "clip": "11.1"}),
}


def journey(label: str, **inputs: object) -> Tile:
    node = More(
        "PromptJourney", {"space": "4.0", "rig": "5.0", "first": "a.0", "last": "b.0", "blend": "estimates", **inputs}
    )
    return Tile(label, more={**WAY, "way": node}, wires={"SyncTweediesSampler.positive": "way.0"})


def regions(label: str, **inputs: object) -> Tile:
    more = {
        **WAY,
        "whole": More("SolidMask", {"value": 0.0, "width": 320, "height": 64}),
        "piece": More("SolidMask", {"value": 1.0, "width": 110, "height": 64}),
        "region": More(
            "MaskComposite", {"destination": "whole.0", "source": "piece.0", "x": 105, "y": 0, "operation": "add"}
        ),
        "rest": More("InvertMask", {"mask": "region.0"}),
        "inside": More(
            "CanonicalPrompt", {"space": "4.0", "rig": "5.0", "conditioning": "b.0", "mask": "region.0", **inputs}
        ),
        "both": More(
            "CanonicalPrompt",
            {"space": "4.0", "rig": "5.0", "conditioning": "a.0", "mask": "rest.0", "other": "inside.0"},
        ),
    }
    return Tile(label, more=more, wires={"SyncTweediesSampler.positive": "both.0"})


def prompted(label: str, prompts: str) -> Tile:
    more = {"parts": More("ViewPrompts", {"clip": "11.1", "space": "4.0", "rig": "5.0", "prompts": prompts})}
    return Tile(label, more=more, wires={"SyncTweediesSampler.positive": "parts.0"})


def visited(label: str, policy: str) -> Tile:
    node = {"visits": More("SyncVisits", {"policy": policy})} if policy else {}
    return Tile(label, more=node, wires={"SyncTweediesSampler.visits": "visits.0"} if policy else {})


MATERIALS = Tile(
    "",
    workflow="wide_image_coherent",
    show="11.0",
    set=("CanonicalSpace.width=256", "SyncTweediesSampler.steps=12"),
)
MANY = Tile(
    "",
    workflow="wide_image_checkpoint",
    show="8.0",
    set=(
        "CanonicalSpace.width=256",
        "ViewRig.pixels=8",
        "SyncTweediesSampler.sampler_name=euler",
        "SyncTweediesSampler.seed=4",
    ),
)
PICTURES = (
    Picture(
        "denoise",
        ("SyncTweediesSampler",),
        "denoise",
        "Sand by day to start from; the words ask for grass in the evening. The more, the freer the drawing.",
        AGAIN,
        (BEFORE, denoised(0.3), denoised(0.5), denoised(0.75)),
    ),
    Picture(
        "edit_ways",
        ("SyncEdit", "SyncEditGuider"),
        "ways to change a picture",
        "Denoising alone moves the horizon; the lock keeps it, and its lights and darks; SyncEdit keeps it and is"
        " free in colour; the random walk stops half way.",
        AGAIN,
        (
            BEFORE,
            Tile("denoise 0.75 alone"),
            locked("with StructureLock"),
            edited("SyncEdit, walk = falling"),
            edited("SyncEdit, walk = random", walk="random", iterations=60),
        ),
    ),
    Picture(
        "lock_level",
        ("StructureLock",),
        "level",
        "Level 1 holds small shapes, level 5 only where it is light and dark.",
        AGAIN,
        (BEFORE, Tile("without a lock"), locked("level = 1", level=1), locked("level = 5", level=5)),
    ),
    Picture(
        "lock_channels",
        ("StructureLock",),
        "channels",
        "Luminance leaves the colours to the words; all holds them too, which is for a second pass at a larger size.",
        AGAIN,
        (
            BEFORE,
            locked("channels = luminance", level=3),
            locked("channels = all", channels="all", level=3),
        ),
    ),
    Picture(
        "journey",
        ("PromptJourney",),
        "begin, end and there_and_back",
        "From sand by day to snow in the evening.",
        PARTS,
        (
            journey("begin 0, end 1"),
            journey("begin 0.4, end 0.6", begin=0.4, end=0.6),
            journey("there_and_back", there_and_back=True),
        ),
    ),
    Picture(
        "parts",
        ("ViewPrompts",),
        "prompts, on a plane",
        "A line for the left, a line for the right.",
        PARTS,
        (
            prompted("*: sand under a blue sky", "*: sand under a blue sky"),
            prompted(
                "left: sand ..., right: snow ...", "left: sand under a blue sky\nright: snow under an evening sky"
            ),
        ),
    ),
    Picture(
        "regions",
        ("CanonicalPrompt",),
        "a region of its own",
        "Sand by day, and snow in the evening where a mask on the whole picture says so.",
        PARTS,
        (prompted("without a region", "*: sand under a blue sky"), regions("the middle third: snow ...")),
    ),
    Picture(
        "visits",
        ("SyncVisits",),
        "policy",
        "Windows every 8 pixels: nearly the same picture in 5.2, 1.2, 1.8 and 4.6 seconds of this run.",
        MANY,
        (
            visited("no SyncVisits: all views at every step", ""),
            visited("policy = turning", "turning"),
            visited("policy = few then all", "few then all"),
            visited("policy = still changing", "still changing"),
        ),
        alike=True,
    ),
    Picture(
        "coherence",
        ("SyncCoherence",),
        "strength",
        "A model of three materials, and no prompt: each view chooses for itself, until they are drawn to one scene.",
        MATERIALS,
        (Tile("strength = 0", set=("SyncCoherence.strength=0",)), Tile("strength = 0.05")),
    ),
)
