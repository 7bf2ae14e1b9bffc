"""Blueprints of panoramas, pictures and illusions."""

from __future__ import annotations

from .blueprint import Blueprint
from .parts import (
    LOAD_CHECKPOINT,
    SIZES,
    TURBO,
    canvas_from,
    change_and_hold,
    model_from,
    model_wishes,
    seed_and_quality,
    sized,
    starts_from,
)

PANORAMA_TEXT = "panorama_text"
_DIRECTIONS = (
    "**prompt**: one line for all around, or a line each for what is above and below: `top: a blue sky`, `bottom: "
    "grass`, `*: mountains` (front, left, right, back and heights in degrees as well).\n\n"
)
_LOOK = "Connect **image** to Preview 360 to look around, and to Save Panorama for a photo sphere."


def panorama_from_words() -> tuple[Blueprint, str]:
    b = Blueprint("Panorama from Words", PANORAMA_TEXT)
    model_from(b, b.node("ToyWorldModel"))
    quality = sized(b, "panorama")
    canvas_from(b, quality)
    b.widget("prompt", b.node("ViewPrompts"), "prompts")
    b.widget("negative", b.node("ViewPrompts"), "negative")
    b.widget("width", quality, "width")
    seed_and_quality(b, quality)
    model_wishes(b, quality)
    b.gives("image", b.node("EquirectStitch"), "image")
    return b, b.text(
        "A 360 degree panorama from words, twice as wide as high, without a seam: many views of the sphere are "
        "denoised together by your model.",
        ["360", "equirectangular", "hdri", "skybox", "vr", "text to panorama", "sphere", "synctweedies"],
        f"# Panorama from words\n\n{LOAD_CHECKPOINT}{_DIRECTIONS}{SIZES}\n\n{TURBO}{_LOOK}",
    )


def panorama_from_picture() -> tuple[Blueprint, str]:
    b = Blueprint("Panorama from a Picture", "panorama_from_picture")
    model_from(b, b.node("ToyWorldModel"))
    front, control = b.node("EquirectFromPicture"), b.node("SyncTweediesControlNet")
    quality, sampler = b.node("SyncTweediesQuality"), b.node("SyncTweediesSampler", "The rest of the sphere")
    b.socket("control_net", "CONTROL_NET", (control, "control_net"))
    b.takes("image", b.node("StitchViews"), "image")
    b.socket("depth", "IMAGE", (front, "depth"))
    b.widget("prompt", b.node("ViewPrompts"), "prompts")
    b.widget("negative", b.node("ViewPrompts"), "negative")
    b.widget("width", quality, "width", value=0)
    b.widget("seed", sampler, "seed")
    b.widget("quality", quality, "quality")
    b.widget("fov", front, "fov", "picture's degrees", value=75.0)
    b.widget("depth_strength", control, "strength")
    model_wishes(b, quality)
    b.gives("image", b.node("ImageCompositeMasked"), "IMAGE")
    return b, b.text(
        "A 360 degree panorama around a picture: the picture is its front and stays as it is, the rest is made from "
        "words.",
        ["360", "outpaint", "image to panorama", "photo to 360", "skybox", "uncrop", "synctweedies"],
        f"# Panorama from a picture\n\n{LOAD_CHECKPOINT}**picture's degrees**: how wide the lens saw; 65 to 75 for a "
        f"phone, 40 for a portrait. Where the camera looked up: open this node, elevation in Picture to Panorama."
        f"\n\n{_DIRECTIONS}"
        "**Depth, when wanted**: place ComfyUI's own *Image Depth Estimation (MoGe)* or *(Depth Anything 3)*, give it "
        "the picture, and connect what it makes to **depth**; connect a depth ControlNet of your model's family to "
        f"**control_net**. Both or none.\n\n{SIZES}\n\n{TURBO}{_LOOK}",
    )


def wide_image() -> tuple[Blueprint, str]:
    b = Blueprint("Wide or Tileable Image", "wide_image_checkpoint")
    model_from(b, b.node("ToyWorldModel"))
    quality = sized(b, "picture")
    canvas_from(b, quality)
    space = b.node("CanonicalSpace")
    b.widget("prompt", b.node("CLIPTextEncode", "Prompt"), "text")
    b.widget("negative", b.node("CLIPTextEncode", "Negative"), "text")
    b.widget("width", quality, "width")
    b.widget("height", quality, "height")
    seed_and_quality(b, quality)
    b.widget("tile_x", space, "wrap_x", "tiles left to right")
    b.widget("tile_y", space, "wrap_y", "tiles top to bottom")
    model_wishes(b, quality)
    b.gives("image", b.node("StitchViews"), "image")
    return b, b.text(
        "A picture of any size and shape from words, as sharp as the model's own size everywhere; it can tile.",
        ["seamless", "tileable", "texture", "ultrawide", "large image", "panoramic", "multidiffusion", "synctweedies"],
        f"# Wide or tileable image\n\n{LOAD_CHECKPOINT}**tiles**: opposite edges meet, for seamless textures and "
        f"backgrounds.\n\n{SIZES} A width of 0 is four of the model's pictures, a height of 0 one.\n\n{TURBO}",
    )


def restyle_picture() -> tuple[Blueprint, str]:
    b = Blueprint("Restyle a Picture", "wide_image_checkpoint")
    model_from(b, b.node("ToyWorldModel"))
    quality = sized(b, "picture")
    canvas_from(b, quality)
    fit = b.add("ImageScale", "To the canvas", upscale_method="lanczos", width=384, height=64, crop="disabled")
    b.socket("image", "IMAGE", (fit, "image"), (quality, "image"))
    b.link(quality, "width", fit, "width")
    b.link(quality, "height", fit, "height")
    lock = starts_from(b, fit, "IMAGE", "canonical", change=0.75, coarse="haar")
    b.widget("prompt", b.node("CLIPTextEncode", "Prompt"), "text")
    b.widget("negative", b.node("CLIPTextEncode", "Negative"), "text")
    b.widget("width", quality, "width")
    seed_and_quality(b, quality)
    change_and_hold(b, lock)
    model_wishes(b, quality)
    b.gives("image", b.node("StitchViews"), "image")
    return b, b.text(
        "Words change what a picture of any size is made of; its drawing stays.",
        ["img2img", "style transfer", "edit", "large image", "keep structure", "synctweedies"],
        f"# Restyle a picture\n\n{LOAD_CHECKPOINT}**prompt** says what the picture becomes. **change**: 0.5 touches "
        "the surface, 0.75 changes materials, 1 keeps nothing but what **keep drawing** holds (1: light and dark of "
        f"the coarse shapes, 0: nothing).\n\n{SIZES} A width of 0 keeps the picture's size where the model can."
        f"\n\n{TURBO}",
    )


def restyle_panorama() -> tuple[Blueprint, str]:
    b = Blueprint("Restyle a Panorama", PANORAMA_TEXT)
    model_from(b, b.node("ToyWorldModel"))
    quality = sized(b, "panorama")
    canvas_from(b, quality)
    looks = b.add("EquirectViews", "What the views see")
    b.link(b.node("ViewRig"), "rig", looks, "rig")
    b.socket("image", "IMAGE", (looks, "image"))
    lock = starts_from(b, looks, "images", "views", change=0.75, coarse="haar")
    b.widget("prompt", b.node("ViewPrompts"), "prompts", value="a landscape of snow under an evening sky")
    b.widget("negative", b.node("ViewPrompts"), "negative")
    b.widget("width", quality, "width")
    seed_and_quality(b, quality)
    change_and_hold(b, lock)
    model_wishes(b, quality)
    b.gives("image", b.node("EquirectStitch"), "image")
    return b, b.text(
        "Words change what a 360 degree panorama is made of; its drawing stays, and no seam appears.",
        ["360", "img2img", "style transfer", "edit panorama", "skybox", "synctweedies"],
        f"# Restyle a panorama\n\n{LOAD_CHECKPOINT}**image**: a panorama, twice as wide as high (Load Image).\n\n"
        f"{_DIRECTIONS}**change**: 0.5 touches the surface, 0.75 changes materials. **keep drawing**: 1 holds light "
        f"and dark of the coarse shapes.\n\n{SIZES}\n\n{TURBO}{_LOOK}",
    )


def two_readings() -> tuple[Blueprint, str]:
    b = Blueprint("Two Readings in one Picture", "illusion_latent_checkpoint")
    model_from(b, b.node("ToyWorldModel"))
    quality = sized(b, "illusion")
    b.link(quality, "width", b.node("CanonicalSpace"), "width")
    b.link(quality, "height", b.node("CanonicalSpace"), "height")
    upright, other = b.node("IllusionRig"), b.node("IllusionRig", "Upside down")
    words = b.node("IllusionPrompts")
    b.widget("prompt", upright, "prompt", "prompt upright")
    b.widget("prompt_2", other, "prompt", "prompt turned")
    b.widget("turn", other, "warp")
    b.widget("style", words, "prefix")
    b.widget("negative", words, "negative")
    b.widget("width", quality, "width", "size")
    seed_and_quality(b, quality)
    b.widget("guidance", quality, "guidance")
    b.gives("image", b.node("StitchViews"), "image")
    b.gives("readings", b.node("IllusionReport"), "readings")
    b.gives("film", b.node("IllusionFrames"), "frames")
    return b, b.text(
        "One picture that shows one thing upright and another turned over, mirrored, turned a quarter or in negative.",
        ["illusion", "visual anagram", "upside down", "ambigram", "optical illusion", "flip", "synctweedies"],
        f"# Two readings in one picture\n\n{LOAD_CHECKPOINT}**turn**: how the second reading is seen. **style** stands "
        "before both prompts: one painterly style (`an oil painting of `) and simple subjects help. Try some seeds.\n\n"
        f"**readings**: both, side by side as a batch; **film**: one becoming the other.\n\n{SIZES}\n\n{TURBO}",
    )


MADE = (panorama_from_words, panorama_from_picture, wide_image, restyle_picture, restyle_panorama, two_readings)
