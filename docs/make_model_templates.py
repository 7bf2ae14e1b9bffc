"""Write the templates of applications for SDXL, Flux and Wan, ``workflows/sdxl_*.json``, ``flux_*.json`` and
``wan_*.json``: ``.venv/bin/python docs/make_model_templates.py``. Each is a workflow that runs with the pack's small
model, with the loader swapped and sizes as the model likes them; a test holds the files to what this writes.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from layout.apply import lay_out
from workflow_graphs import FOLDER, Graph
from your_models import with_your_models

SDXL, SDXL_DEPTH = "sd_xl_base_1.0.safetensors", "control-lora-depth-rank256.safetensors"
FLUX, FLUX_DEPTH = "flux1-dev-fp8.safetensors", "flux-depth-controlnet-v3.safetensors"
WAN, WAN_TEXT, WAN_VAE = (
    "wan2.1_t2v_1.3B_fp16.safetensors",
    "umt5_xxl_fp8_e4m3fn_scaled.safetensors",
    "wan_2.1_vae.safetensors",
)
_RUN = {"seed": 1, "steps": 30, "cfg": 7.0, "sampler_name": "dpmpp_2m", "scheduler": "karras"}
_FLUX_RUN = {"seed": 1, "steps": 20, "cfg": 1.0, "sampler_name": "euler", "scheduler": "simple"}
_LOADED = "The loaders offer their files for download where they are missing."


def told(graph: Graph, *paragraphs: str) -> Graph:
    graph.set(graph.node("MarkdownNote"), text="\n\n".join((*paragraphs, _LOADED)))
    return graph


def saved(graph: Graph, name: str) -> Graph:
    """Files begin with the template's name."""
    for node in graph.data["nodes"]:
        values = node.get("widgets_values") or [""]
        if str(values[0]).startswith("SyncTweedies/"):
            end = next((e for e in ("_texture", "_turn", "_readings", "_film") if str(values[0]).endswith(e)), "")
            values[0] = f"SyncTweedies/{name}{end}"
    return graph


def seeing(graph: Graph, **widgets: Any) -> None:
    """Windows that see each other and know where they lie."""
    attention = graph.add("CrossViewAttention", (0, 0), (320, 270), **widgets)
    for kind, output, name in (
        ("CheckpointLoaderSimple", "MODEL", "model"),
        ("CanonicalSpace", "CANONICAL_SPACE", "space"),
        ("ViewRig", "VIEW_RIG", "rig"),
    ):
        graph.link(graph.node(kind), output, attention, name)
    graph.link(attention, "MODEL", graph.node("SyncTweediesSampler"), "model")


def guided(graph: Graph, target: str, source: str, output: str) -> None:
    """Flux's guidance between a positive prompt and the node that reads it."""
    node = graph.add("FluxGuidance", (0, 0), (300, 60), guidance=3.5)
    graph.link(graph.node(source), output, node, "conditioning")
    graph.link(node, "CONDITIONING", graph.node(target), "positive")


def sdxl_wide_image() -> Graph:
    graph = with_your_models("wide_image_checkpoint", SDXL)
    graph.set(graph.node("CanonicalSpace"), width=4096, height=1024)
    graph.set(graph.node("ViewRig"), width=1024, height=1024, pixels=256)
    graph.set(graph.node("SyncTweediesSampler"), **_RUN)
    return told(
        graph,
        "A wide image from words with SDXL: thirteen windows of 1024 pixels, denoised together.",
        "A stride of 512 in View Rig halves the time; wrap_x in Canonical Space makes a picture that tiles.",
    )


def sdxl_panorama() -> Graph:
    graph = with_your_models("panorama_text", SDXL)
    graph.set(graph.node("CanonicalSpace"), width=4096, height=2048)
    graph.set(graph.node("ViewRig"), width=1024, height=1024)
    graph.set(
        graph.node("ViewPrompts"),
        prompts="top: a clear evening sky with light clouds\nbottom: grass and small stones seen from above\n"
        "*: a mountain valley with a lake, evening light",
        negative="blurry, frame, text",
        suffix=", photograph",
    )
    graph.set(graph.node("SyncTweediesSampler"), **_RUN)
    return told(
        graph,
        "A 360 degree panorama from words with SDXL: 17 views of 1024 pixels, denoised together. Drag in the viewer to "
        "look around.",
        "View Prompts tells views that look up of the sky, those that look down of the ground, all others (*) of the "
        "land. 2048 x 1024 in Canonical Space is enough for a first look.",
        "Should places not fit together: the process StochSync in the sampler.",
    )


def sdxl_mesh() -> Graph:
    graph = with_your_models("mesh_text_controlnet", SDXL, SDXL_DEPTH)
    graph.set(graph.node("MeshSpace"), texture_size=2048, latent_size=2048)
    graph.set(graph.node("OrbitRig"), width=1024, height=1024)
    graph.set(graph.node("ControlNetApplyAdvanced"), strength=0.7)
    graph.set(graph.node("SyncTweediesSampler"), **_RUN)
    return told(
        graph,
        "A mesh textured from words with SDXL, its shape told by a depth Control-LoRA: views of 1024 pixels, a texture "
        "of 2048.",
        "Put your own file into Load Mesh (its upload button), the subject into View Prompts' prefix.",
    )


def sdxl_splats() -> Graph:
    graph = with_your_models("splats_text_controlnet", SDXL, SDXL_DEPTH)
    graph.set(graph.node("OrbitRig"), width=1024, height=1024)
    graph.set(graph.node("ControlNetApplyAdvanced"), strength=0.7)
    graph.set(graph.node("SyncTweediesSampler"), **_RUN)
    return told(
        graph,
        "Splats with new colours from words with SDXL, their shape told by a depth Control-LoRA. Splat Mask keeps the "
        "change to the upper half; all other splats keep their bits.",
        "Camera File Rig (muted) takes the cameras a scene was recorded with; connect it instead of Orbit Rig.",
    )


def sdxl_illusion() -> Graph:
    graph = with_your_models("illusion_latent_checkpoint", SDXL)
    graph.set(graph.node("CanonicalSpace"), width=1024, height=1024)
    graph.set(graph.node("IllusionRig", "Upright"), prompt="a waterfall in a forest")
    graph.set(graph.node("IllusionRig", "Upside down"), prompt="an old man with a long beard")
    graph.set(graph.node("IllusionPrompts"), prefix="an oil painting of", negative="blurry, text")
    graph.set(graph.node("SyncTweediesSampler"), **{**_RUN, "sampler_name": "euler"})
    return told(
        graph,
        "An ambiguous picture with SDXL: a waterfall upright, an old man upside down.",
        "Caution: a flipped latent is not the latent of the flipped picture, so readings are averaged as pictures "
        "(rgb_vae): one decode and two encodes for each reading and step. Without rgb_vae runs are faster and may show "
        "blotches. Pixel models (illusion_deepfloyd) make the cleanest illusions.",
        "One painterly style for both and simple subjects help; expect to try some seeds.",
    )


def flux_wide_image() -> Graph:
    graph = with_your_models("wide_image_checkpoint", FLUX)
    graph.set(graph.node("CanonicalSpace"), width=4096, height=1024)
    graph.set(graph.node("ViewRig"), width=1024, height=1024, pixels=512)
    guided(graph, "SyncTweediesSampler", "CLIPTextEncode", "CONDITIONING")
    graph.set(graph.node("CLIPTextEncode", "Negative"), text="")
    graph.set(graph.node("SyncTweediesSampler"), **_FLUX_RUN)
    seeing(graph, neighbours=2, group=4)
    return told(
        graph,
        "A wide image from words with Flux, a diffusion transformer: seven windows of 1024 pixels, denoised together.",
        "Cross-view Attention tells each window where it lies and lets it see two neighbours in its group of four. "
        "With neighbours 0 windows know of each other only by being averaged (MultiDiffusion) and need less memory; "
        "with group 0 and all six neighbours Flux paints the whole canvas at once.",
        "Guidance stands in Flux Guidance, so cfg stays at 1 and the negative prompt is not read. A stride of 256 in "
        "View Rig joins windows better at twice the calls.",
    )


def flux_panorama_depth() -> Graph:
    graph = with_your_models("panorama_depth_controlnet", FLUX, FLUX_DEPTH)
    graph.remove(graph.node("LoadImage"))
    graph.set(graph.node("CanonicalSpace"), width=4096, height=2048)
    graph.set(graph.node("ViewRig"), width=1024, height=1024, fov=90.0)
    graph.set(graph.node("PanoramaDepthViews"), values="distance", range="joint", file="towers_depth.npy")
    graph.set(
        graph.node("ViewPrompts"),
        prompts="top: a clear sky\nbottom: grass seen from above\n*: old stone towers on a meadow, evening light",
        negative="",
    )
    guided(graph, "ControlNetApplyAdvanced", "ViewPrompts", "positive")
    graph.set(graph.node("ControlNetApplyAdvanced"), strength=0.7, end_percent=0.6)
    graph.set(graph.node("SyncTweediesSampler"), **_FLUX_RUN)
    return told(
        graph,
        "A panorama with Flux that follows the depth of the whole sphere, told to each view by a depth ControlNet.",
        "towers_depth.npy comes with the pack. Your own: its name (in the input folder; 16-bit PNG, EXR, NPY, .dpt) "
        "into file, or a picture into image (2:1, near = white: values = inverse).",
        "Guidance stands in Flux Guidance, so cfg stays at 1.",
    )


def wan_long_video() -> Graph:
    graph = Graph("wide_image_checkpoint")
    for kind in ("ToyWorldModel", "CanonicalSpace", "ViewRig", "SyncReport", "SaveImage"):
        graph.remove(graph.node(kind))
    network = graph.add("UNETLoader", (0, 0), (320, 82), unet_name=WAN, weight_dtype="default")
    words = graph.add("CLIPLoader", (0, 0), (320, 106), clip_name=WAN_TEXT, type="wan", device="default")
    vae = graph.add("VAELoader", (0, 0), (320, 58), vae_name=WAN_VAE)
    model = graph.add("ModelSamplingSD3", (0, 0), (320, 58), shift=8.0)
    space = graph.add("VideoSpace", (0, 0), (320, 130), width=832, height=480, frames=209)
    clips = graph.add("VideoClips", (0, 0), (320, 130), length=81, overlap=17)
    sampler, join = graph.node("SyncTweediesSampler"), graph.node("StitchViews")
    film = graph.add("SaveAnimatedWEBP", (0, 0), (320, 370), "The video")
    graph.set(
        film, filename_prefix="SyncTweedies/wan_long_video", fps=16.0, lossless=False, quality=85, method="default"
    )
    graph.link(network, "MODEL", model, "model")
    for node in (clips, sampler):
        graph.link(model, "MODEL", node, "model")
    prompt = "a steam train crosses a valley at sunset, the camera follows it"
    for title, text in (("Prompt", prompt), ("Negative", "")):
        node = graph.node("CLIPTextEncode", title)
        graph.set(node, text=text)
        graph.link(words, "CLIP", node, "clip")
    for node in (clips, sampler, join):
        graph.link(space, "space", node, "space")
    for node in (sampler, join):
        graph.link(clips, "rig", node, "rig")
    graph.link(vae, "VAE", join, "vae")
    graph.link(join, "image", film, "images")
    graph.set(sampler, seed=1, steps=30, cfg=6.0, sampler_name="uni_pc", scheduler="simple", sync_end=1.0)
    return told(
        graph,
        "A video of thirteen seconds with Wan 2.1, which makes five: three clips of 81 frames that share 17 with the "
        "next are denoised together. The memory is that of one clip.",
        "Longer: frames in Video Space, 4 k + 1 of them (273 are four clips, 401 six). A video without an end: set "
        "loop there and frames to 4 k, 192 for three clips.",
        "From a picture: Wan Image To Video (its length is the whole video's) between the prompts and the sampler, its "
        "latent into canonical. Another video model works the same way, at the length it was trained for.",
    )


MAKERS: dict[str, Callable[[], Graph]] = {
    "flux_panorama_depth": flux_panorama_depth,
    "flux_wide_image": flux_wide_image,
    "sdxl_illusion": sdxl_illusion,
    "sdxl_mesh": sdxl_mesh,
    "sdxl_panorama": sdxl_panorama,
    "sdxl_splats": sdxl_splats,
    "sdxl_wide_image": sdxl_wide_image,
    "wan_long_video": wan_long_video,
}


def texts() -> dict[str, str]:
    """The text of every template, by its name."""
    return {name: lay_out(saved(make(), name).data, name) for name, make in MAKERS.items()}


def main() -> None:
    for name, text in texts().items():
        (FOLDER / f"{name}.json").write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
