"""What several blueprints have in common: the model's sockets, sizes from one choice, starting from what is there."""

from __future__ import annotations

from typing import Any

from .blueprint import Blueprint

Node = dict[str, Any]
SAMPLER = "SyncTweediesSampler"
LOAD_CHECKPOINT = (
    "**What to load**: Load Checkpoint (MODEL, CLIP, VAE), or the loaders of any other model; sizes, steps and cfg "
    "follow it. *Toy World Model* comes with the pack and runs at once: it knows a few words (see its help page). "
    "Without a model ComfyUI marks this node and says `Required input is missing`.\n\n"
)
TURBO = (
    "Turbo, lightning and other distilled models: guidance 1, quality draft. Flow models (SD 3, Flux, Qwen): open this "
    "node and set the sampler's scheduler to simple.\n\n"
)
DEPTH = (
    "**control_net** may stay empty. A depth ControlNet of your model's family (Load ControlNet Model) holds the "
    "shape, which without it only the outline tells.\n\n"
)
SIZES = (
    "**quality**: draft 10 steps, good 20, best 35 and more views. **width**, **view size**, **guidance** of 0 are "
    "what suits the model."
)


def model_from(b: Blueprint, loader: Node, *, control_net: bool = False) -> None:
    """MODEL, CLIP, VAE in the place of a loader's."""
    for name, output in (("model", "MODEL"), ("clip", "CLIP"), ("vae", "VAE")):
        b.takes(name, loader, output)
    if control_net:
        b.takes("control_net", loader, "CONTROL_NET")


def sized(b: Blueprint, result: str) -> Node:
    """Size and Quality, wired to the sampler, and to the model's socket where there is one."""
    sampler = b.node(SAMPLER)
    quality = b.add("SyncTweediesQuality", "Sizes, steps and views", result=result, quality="good")
    b.link(quality, "steps", sampler, "steps")
    if any(door.name == "model" for door in b.doors):
        b.feeds("model", quality, "model")
        b.link(quality, "cfg", sampler, "cfg")
    return quality


def canvas_from(b: Blueprint, quality: Node) -> None:
    """Size of a plane or a panorama and of its views."""
    b.link(quality, "width", b.node("CanonicalSpace"), "width")
    b.link(quality, "height", b.node("CanonicalSpace"), "height")
    rig = b.node("ViewRig")
    b.link(quality, "view_size", rig, "width", "height")
    b.link(quality, "stride", rig, "pixels")
    b.link(quality, "overlap", rig, "view_overlap")


def views_from(b: Blueprint, quality: Node) -> None:
    """Size and number of an object's views, from all sides."""
    rig = b.graph.set(b.node("OrbitRig"), kind="orbit_sphere", framing="tight")
    b.link(quality, "view_size", rig, "width", "height")
    b.link(quality, "views", rig, "views")


def seed_and_quality(b: Blueprint, quality: Node) -> None:
    b.widget("seed", b.node(SAMPLER), "seed")
    b.widget("quality", quality, "quality")


def model_wishes(b: Blueprint, quality: Node) -> None:
    b.widget("guidance", quality, "guidance")
    b.widget("view_size", quality, "view_size")


def may_follow_depth(b: Blueprint, source: Node, hint: str, strength: float) -> Node:
    """A ControlNet that may be left out, between the prompts and the sampler, in the place of one that may not."""
    prompts, sampler = b.node("ViewPrompts"), b.node(SAMPLER)
    control = b.add("SyncTweediesControlNet", "Depth, if there is a ControlNet", strength=strength)
    for side in ("positive", "negative"):
        b.link(prompts, side, control, side)
        b.link(control, side, sampler, side)
    b.link(source, hint, control, "image")
    for door, socket in (("control_net", "control_net"), ("vae", "vae")):
        b.feeds(door, control, socket)
    return control


def starts_from(b: Blueprint, pictures: Node, output: str, start: str, *, change: float, coarse: str) -> Node:
    """The sampler starts from pictures, encoded, and keeps their drawing -> the lock."""
    sampler = b.node(SAMPLER)
    encode = b.add("VAEEncode")
    b.link(pictures, output, encode, "pixels")
    b.feeds("vae", encode, "vae")
    lock = b.add("StructureLock", "Keeps the drawing", filter=coarse)
    b.link(encode, "LATENT", sampler, start)
    b.link(lock, "operator", sampler, "operator")
    b.graph.set(sampler, denoise=change)
    return lock


def change_and_hold(b: Blueprint, lock: Node) -> None:
    """How much changes, and how firmly the drawing is held."""
    b.widget("change", b.node(SAMPLER), "denoise")
    b.widget("hold", lock, "strength", "keep drawing")
