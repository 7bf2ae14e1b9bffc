"""Blueprints of videos."""

from __future__ import annotations

from .blueprint import Blueprint
from .parts import (
    LOAD_CHECKPOINT,
    SAMPLER,
    SIZES,
    TURBO,
    change_and_hold,
    model_from,
    model_wishes,
    seed_and_quality,
    sized,
    starts_from,
)


def restyle_video() -> tuple[Blueprint, str]:
    b = Blueprint("Restyle a Video", "video_restyle")
    model_from(b, b.node("ExemplarModel"))
    sampler, space, motion = b.node(SAMPLER), b.node("VideoSpace"), b.node("VideoMotion")
    quality = sized(b, "picture")
    fit = b.add("ImageScale", "To the model's size", upscale_method="lanczos", width=384, height=64, crop="disabled")
    b.socket("video", "IMAGE", (fit, "image"), (quality, "image"))
    b.link(quality, "width", fit, "width")
    b.link(quality, "height", fit, "height")
    b.link(fit, "IMAGE", motion, "video")
    b.link(fit, "IMAGE", space, "video")
    rig = b.add("ViewRig", "Windows inside of frames", kind="windows")
    b.link(quality, "view_size", rig, "width", "height")
    b.link(quality, "stride", rig, "pixels")
    b.link(rig, "rig", sampler, "rig")
    for name in ("edit", "views"):
        b.graph.unlink(sampler, name)
    lock = starts_from(b, fit, "IMAGE", "canonical", change=0.75, coarse="haar")
    b.feeds("vae", sampler, "rgb_vae")
    b.graph.set(sampler, sampler_name="dpmpp_2m", sync_end=1.0, final_sync=True, rgb_every=2)
    frames = b.add("StitchViews", "The frames")
    for source, name in ((space, "space"), (rig, "rig"), (sampler, "views")):
        b.link(source, name, frames, name)
    b.feeds("vae", frames, "vae")
    b.widget(
        "prompt", b.node("CLIPTextEncode", "What it becomes"), "text", value="a landscape of snow under an evening sky"
    )
    b.widget("negative", b.node("CLIPTextEncode", "Negative"), "text")
    b.widget("width", quality, "width")
    seed_and_quality(b, quality)
    b.widget("loop", motion, "loop")
    b.feeds("loop", space, "loop")
    change_and_hold(b, lock)
    model_wishes(b, quality)
    b.gives("video", frames, "image")
    return b, b.text(
        "Words change what a video is made of, by any image model; what is painted stays on what it is painted on.",
        ["vid2vid", "video to video", "animation", "style transfer", "flicker", "temporal consistency", "synctweedies"],
        f"# Restyle a video\n\n{LOAD_CHECKPOINT}**video**: its frames as one batch (Load Video, then Get Video "
        "Components); sixteen to begin with, without cuts. **prompt** says what it becomes. **change**: 0.5 touches "
        "the surface, 0.75 changes materials. **keep drawing**: 1 holds light and dark of the coarse shapes. **loop**: "
        "the last frame goes on with the first.\n\nFrames are held together along their motion, pixel by pixel at "
        "every second step: a decode and two encodes a frame. Faster, and less steady: open this node and take the "
        "wire off the sampler's rgb_vae. `pip install opencv-python-headless` finds motions faster and better.\n\n"
        f"{SIZES} A width of 0 keeps the video's size where the model can.\n\n{TURBO}Connect **video** to "
        "SaveAnimatedWEBP, or to Create Video and Save Video.",
    )


MADE = (restyle_video,)
