"""Write the templates of published methods, ``workflows/method_*.json``: ``.venv/bin/python docs/make_methods.py``.

Each is made of another workflow and of the table of methods (sync_core/presets.py), whose settings its widgets say. A
test holds the files to what this writes. docs/published.md, the table that people read, is written too.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import the_pack
from layout.apply import lay_out
from workflow_graphs import FOLDER, ROOT, Graph
from your_models import with_your_models

the_pack.importable()

from syncpack.sync_core.presets import PRESETS, Preset  # noqa: E402
from syncpack.sync_core.processes import process  # noqa: E402
from syncpack.sync_core.steering.edits import Edit  # noqa: E402
from syncpack.sync_core.steering.structure_lock import CoarseLock  # noqa: E402
from syncpack.sync_core.synchronizer import SyncPlan  # noqa: E402
from syncpack.sync_core.visits.policy import Visits  # noqa: E402


def label_of(plan: SyncPlan) -> str:
    """What the process widget says."""
    return "SyncSDE (each view leans on the one before)" if plan.coupling else process(plan.process).label


def sampled(graph: Graph, sampler: dict[str, Any], method: Preset) -> None:
    """A sampler node set to the plan of a method."""
    plan = method.plan
    if method.sampler in ("ddim", "ddpm"):
        graph.set(sampler, scheduler="ddim_uniform")
    graph.set(
        sampler,
        steps=method.steps,
        cfg=method.cfg,
        sampler_name=method.sampler,
        denoise=method.denoise,
        process=label_of(plan),
        aggregation=plan.aggregation,
        noise=plan.noise,
        sync_end=plan.schedule.end,
    )


def told(graph: Graph, method: Preset, text: str) -> None:
    """The note: whose method this is, what the file shows, and in what it differs."""
    parts = [f"{method.name} as published ({method.source}), in the terms of this pack.", text]
    if method.differs:
        parts.append(f"What is different: {method.differs}.")
    graph.set(graph.node("MarkdownNote"), text="\n\n".join(parts))
    for node in graph.data["nodes"]:
        values = node.get("widgets_values") or [""]
        if str(values[0]).startswith("SyncTweedies/"):
            values[0] = f"SyncTweedies/{method.workflow}"


def wide(method: Preset, width: int, text: str) -> Graph:
    graph = with_your_models("wide_image_checkpoint")
    graph.set(graph.node("CanonicalSpace"), width=width, height=512)
    graph.set(graph.node("ViewRig"), kind="windows", **method.views)
    sampled(graph, graph.node("SyncTweediesSampler"), method)
    told(graph, method, text)
    return graph


def multidiffusion(method: Preset) -> Graph:
    return wide(method, 2048, "What windows overlap in is averaged after every step. Euler and ddim are that step.")


def synctweedies_wide(method: Preset) -> Graph:
    return wide(method, 3072, "41 windows, the largest of the paper's wide pictures: each step costs 41 model calls.")


def spotdiffusion(method: Preset) -> Graph:
    visits = method.steering
    assert isinstance(visits, Visits)
    rig = {name: value for name, value in method.views.items() if name != "wrap_x"}
    graph = with_your_models("wide_image_checkpoint")
    graph.set(graph.node("CanonicalSpace"), width=2048, height=512, wrap_x=True)
    graph.set(graph.node("ViewRig"), kind="windows", **rig)
    graph.set(graph.node("StitchViews"), decode="whole picture")
    graph.remove(graph.node("SyncReport"))
    sampler = graph.node("SyncTweediesSampler")
    node = graph.add(
        "SyncVisits",
        (1190, 430),
        (300, 154),
        policy=visits.policy,
        overlap=visits.overlap,
        last=visits.last,
        leave=visits.leave,
    )
    graph.link(node, "VISITS", sampler, "visits")
    sampled(graph, sampler, method)
    told(
        graph,
        method,
        "Four windows that only touch are denoised at each step, somewhere else each time, around a picture whose left "
        "and right border meet: 4 model calls a step, where MultiDiffusion's windows take 25. The rig's 256 windows "
        "are the places where one may stand.\n\nThe last step's borders may show; set overlap of Sync Visits to "
        "0.125 for one or two calls more. Stitch Views decodes the picture in one piece, as one that wraps.",
    )
    return graph


def syncsde(method: Preset) -> Graph:
    return wide(method, 2048, "Windows at strides of half a window; each is drawn to what the one before it shows.")


def edited(method: Preset, checkpoint: str, size: tuple[int, int], text: str) -> tuple[Graph, dict[str, Any]]:
    """(A wide picture that is loaded, encoded and edited; its SyncEdit)."""
    edit = method.steering
    assert isinstance(edit, Edit)
    graph = with_your_models("wide_image_checkpoint")
    width, height = size
    graph.set(graph.node("CheckpointLoaderSimple"), ckpt_name=checkpoint)
    graph.set(graph.node("CanonicalSpace"), width=width, height=height)
    graph.remove(graph.node("SyncReport"))
    sampler = graph.node("SyncTweediesSampler")
    picture = graph.add("LoadImage", (40, 660), (320, 314), image="picture.png", upload="image")
    scaled = graph.add("ImageScale", (400, 660), (300, 130), upscale_method="lanczos", width=width, height=height)
    graph.set(scaled, crop="center")
    encoded = graph.add("VAEEncode", (400, 840), (210, 60))
    source = graph.add("CLIPTextEncode", (750, 880), (300, 90), "What the picture shows now", text="")
    options = {k: getattr(edit, k) for k in ("walk", "finish", "averages", "baseline", "noise", "kernel")}
    node = graph.add("SyncEdit", (1190, 230), (340, 420), source_cfg=method.views["source_cfg"], **options)
    loader = graph.node("CheckpointLoaderSimple")
    graph.link(picture, "IMAGE", scaled, "image")
    graph.link(scaled, "IMAGE", encoded, "pixels")
    graph.link(loader, "VAE", encoded, "vae")
    graph.link(loader, "CLIP", source, "clip")
    graph.link(encoded, "LATENT", sampler, "canonical")
    graph.link(source, "CONDITIONING", node, "source")
    graph.link(node, "EDIT", sampler, "edit")
    sampled(graph, sampler, method)
    told(graph, method, text)
    return graph, node


def flowedit(method: Preset) -> Graph:
    graph, _ = edited(
        method,
        "sd3_medium_incl_clips_t5xxlfp8.safetensors",
        (2048, 1024),
        "The picture walks from its own prompt to the other without ever being noise. Write what it shows now into the "
        "lower prompt, what it is to show into the upper one. Two model calls per view and step.",
    )
    graph.set(graph.node("ViewRig"), width=1024, height=1024, pixels=256)
    return graph


def csd_edit(method: Preset) -> Graph:
    graph, node = edited(
        method,
        "instruct-pix2pix-00-22000.safetensors",
        (2048, 512),
        "Four windows are drawn in each of 200 iterations; the kernel, as published, mixes what is found in them. cfg "
        "follows the words, source_cfg the picture. Write an instruction into the upper prompt; the lower ones stay "
        "empty.",
    )
    rig = {k: v for k, v in method.views.items() if k != "source_cfg"}
    graph.set(graph.node("ViewRig"), kind="windows", **rig)
    graph.set(graph.node("CLIPTextEncode", "Prompt"), text="make it winter, with deep snow")
    graph.set(graph.node("CLIPTextEncode", "Negative"), text="")
    reads = graph.add("InstructPixToPixConditioning", (750, 1020), (300, 110))
    graph.remove(graph.node("CLIPTextEncode", "What the picture shows now"))
    sampler = graph.node("SyncTweediesSampler")
    graph.link(graph.node("CLIPTextEncode", "Prompt"), "CONDITIONING", reads, "positive")
    graph.link(graph.node("CLIPTextEncode", "Negative"), "CONDITIONING", reads, "negative")
    graph.link(graph.node("CheckpointLoaderSimple"), "VAE", reads, "vae")
    graph.link(graph.node("ImageScale"), "IMAGE", reads, "pixels")
    graph.link(reads, "positive", sampler, "positive")
    graph.link(graph.node("CLIPTextEncode", "Negative"), "CONDITIONING", sampler, "negative")
    graph.link(reads, "negative", node, "source")
    graph.link(graph.node("CLIPTextEncode", "Negative"), "CONDITIONING", node, "source_negative")
    return graph


def deepfloyd(method: Preset, text: str) -> Graph:
    graph = Graph("illusion_deepfloyd")
    for title in ("Stage 1", "Stage 2"):
        sampled(graph, graph.node("SyncTweediesSampler", title), method)
    told(graph, method, f"{text}\n\n{graph.node('MarkdownNote')['widgets_values'][0]}")
    return graph


def synctweedies_illusion(method: Preset) -> Graph:
    return deepfloyd(method, "Clean estimates of all readings are averaged at every step.")


def visual_anagrams(method: Preset) -> Graph:
    return deepfloyd(method, "One picture; the noise predictions of its readings are averaged at every step.")


def factorized(method: Preset) -> Graph:
    graph = deepfloyd(
        method, "One picture; each reading gives a band of its noise prediction, the near and the far one."
    )
    upright, turned = (graph.node("IllusionRig", title) for title in ("Upright", "Turned clockwise"))
    hybrid = graph.add(
        "IllusionHybrid",
        (400, 260),
        (300, 330),
        **{"kind": "near and far", "prompt": "a waterfall", "second_prompt": "the face of an old man", "sigma": 2.0},
    )
    for number, _, _, target, slot, _ in list(graph.data["links"]):
        node = next((n for n in graph.data["nodes"] if n["id"] == target), None)
        if node is not None and node is not turned and number in turned["outputs"][0]["links"]:
            graph.link(hybrid, "rig", node, node["inputs"][slot]["name"])
    graph.remove(upright)
    graph.remove(turned)
    return graph


def panorama(method: Preset) -> Graph:
    graph = with_your_models("panorama_depth_controlnet")
    sampler = graph.node("SyncTweediesSampler")
    sampled(graph, sampler, method)
    attention = graph.add(
        "CrossViewAttention",
        (1110, 880),
        (320, 270),
        **{"weight": 1.0, "neighbours": 0, "reference": 0, "end": 0.2, "reference_end": 0.2},
    )
    for source, output, name in (
        ("CheckpointLoaderSimple", "MODEL", "model"),
        ("CanonicalSpace", "CANONICAL_SPACE", "space"),
        ("ViewRig", "VIEW_RIG", "rig"),
    ):
        graph.link(graph.node(source), output, attention, name)
    graph.link(attention, "MODEL", sampler, "model")
    told(
        graph,
        method,
        "A panorama that follows a depth map of the whole sphere (2:1, near = white). Every view gets its own hint: "
        "distances along the ray become depth along the camera's axis, normalised over all views together.\n\n"
        "For 16-bit PNG, EXR, NPY or .dpt write the file's name (in the input folder) into file; values = distance for "
        "metric depth.",
    )
    return graph


def stochsync(method: Preset) -> Graph:
    graph = with_your_models("panorama_text_stochastic")
    sampler = graph.node("SyncTweediesSampler")
    graph.set(sampler, steps=method.steps, cfg=method.cfg, sampler_name=method.sampler, denoise=method.denoise)
    told(
        graph,
        method,
        "A panorama from words alone: new noise at every step replaces what a set of views that hardly overlap can "
        "see. 427 model calls, each on about a quarter of the views.",
    )
    return graph


def mesh(method: Preset, attention: dict[str, Any], text: str) -> Graph:
    graph = with_your_models("mesh_text_controlnet")
    views = method.views
    graph.set(graph.node("MeshSpace"), texture_size=1024, latent_size=1536)
    orbit = {k: v for k, v in views.items() if k in ("kind", "width", "height", "exponent", "exponent_end")}
    graph.set(graph.node("OrbitRig"), **orbit)
    graph.set(graph.node("ViewBackground"), policy="random", freeze_at=0.4)
    graph.set(graph.node("CrossViewAttention"), **attention)
    sampled(graph, graph.node("SyncTweediesSampler"), method)
    told(graph, method, text)
    return graph


def synctweedies_mesh(method: Preset) -> Graph:
    text = "Ten cameras at 768 pixels, a depth hint for each. Clean estimates are averaged on the texture for 0.8 of "
    text += "the steps; then every view goes on alone and the pictures are baked."
    attention = {"neighbours": 2, "reference": 0, "end": 0.8, "reference_end": 0.2, "overlaps": False}
    return mesh(method, attention, text)


def syncmvd(method: Preset) -> Graph:
    text = "The state is a latent texture of 1536; it is given up for its views at 0.8 of the steps, which then go on "
    text += "alone. Weights sharpen on the way (exponent 0 to 6), neighbours look at each other, and all at the front."
    attention = {"neighbours": 1, "reference": 0, "end": 0.8, "reference_end": 0.8, "overlaps": False}
    graph = mesh(method, attention, text)
    graph.set(graph.node("ControlStrengthSchedule"), start=0.7, end=0.9)
    return graph


def splats(method: Preset) -> Graph:
    graph = with_your_models("splats_text_controlnet")
    graph.set(graph.node("OrbitRig"), kind="orbit_sphere", views=50)
    for kind in ("SetLatentNoiseMask", "SplatMask", "VAEEncode", "CameraFileRig"):
        graph.remove(graph.node(kind))
    sampler = graph.node("SyncTweediesSampler")
    sampled(graph, sampler, method)
    graph.link(graph.node("CheckpointLoaderSimple"), "VAE", sampler, "rgb_vae")
    told(
        graph,
        method,
        "50 views of 512, each with a depth hint; clean estimates are decoded and the colours solved for, for 0.8 of "
        "the steps. Camera File Rig takes the cameras a scene was recorded with.",
    )
    return graph


def diffusehigh(method: Preset) -> Graph:
    assert isinstance(method.steering, CoarseLock)
    graph = with_your_models("wide_image_checkpoint")
    graph.set(graph.node("CanonicalSpace"), width=1024, height=512)
    graph.set(graph.node("ViewRig"), width=512, height=512, pixels=256)
    first, stitch = graph.node("SyncTweediesSampler"), graph.node("StitchViews")
    graph.remove(graph.node("SyncReport"))
    large = graph.add("CanonicalSpace", (1190, 430), (300, 154), "Twice as large", width=2048, height=1024)
    second = graph.twin(first, (1900, 40), "Second pass")
    result = graph.twin(stitch, (2340, 40))
    enlarged = graph.add(
        "ImageScale", (1190, 230), (300, 130), upscale_method="lanczos", width=2048, height=1024, crop="disabled"
    )
    encoded = graph.add("VAEEncode", (1550, 230), (210, 60))
    steering = method.steering
    lock = graph.add(
        "StructureLock",
        (1550, 340),
        (300, 250),
        **{"until": steering.until, "fade": steering.fade, "channels": steering.channels, "level": steering.level},
    )
    graph.link(large, "CANONICAL_SPACE", second, "space")
    graph.link(large, "CANONICAL_SPACE", result, "space")
    graph.link(stitch, "IMAGE", enlarged, "image")
    graph.link(enlarged, "IMAGE", encoded, "pixels")
    graph.link(graph.node("CheckpointLoaderSimple"), "VAE", encoded, "vae")
    graph.link(encoded, "LATENT", second, "canonical")
    graph.link(lock, "CANONICAL_OPERATOR", second, "operator")
    graph.link(second, "views", result, "views")
    saved = graph.node("SaveImage")
    saved["pos"] = [2660, 40]
    graph.link(result, "IMAGE", saved, "images")
    sampled(graph, second, method)
    graph.set(first, steps=method.steps, cfg=method.cfg, sampler_name=method.sampler)
    told(
        graph,
        method,
        "A first pass at the size the model knows; its picture, enlarged, is noised to 0.7 and denoised again at twice "
        "the size, while the coarse part of every estimate is drawn to the picture's, less and less until half way.",
    )
    return graph


MAKERS: dict[str, Callable[[Preset], Graph]] = {
    "method_multidiffusion": multidiffusion,
    "method_synctweedies_wide": synctweedies_wide,
    "method_synctweedies_illusion": synctweedies_illusion,
    "method_synctweedies_panorama": panorama,
    "method_synctweedies_mesh": synctweedies_mesh,
    "method_synctweedies_splats": splats,
    "method_visual_anagrams": visual_anagrams,
    "method_factorized": factorized,
    "method_syncmvd": syncmvd,
    "method_stochsync": stochsync,
    "method_csd_edit": csd_edit,
    "method_flowedit": flowedit,
    "method_spotdiffusion": spotdiffusion,
    "method_syncsde": syncsde,
    "method_diffusehigh": diffusehigh,
}


def table() -> str:
    """docs/published.md."""
    rows = [
        "# Published methods as settings",
        "",
        "Every row is a template of the same name; its widgets are the settings, and a test holds each plan to the "
        "update that its paper prints. Made by `docs/make_methods.py` from `sync_core/presets.py`.",
        "",
        "| method | published | process | steps, cfg, sampler | beside the plan | template |",
        "|---|---|---|---|---|---|",
    ]
    for method in PRESETS:
        plan = "StochSync" if method.plan.stochastic else label_of(method.plan)
        until = f", until {method.plan.schedule.end:g}" if method.plan.schedule.end < 1 else ""
        beside = "; ".join(part for part in (method.beside, method.differs and f"differs: {method.differs}") if part)
        rows.append(
            f"| {method.name} | {method.source} | {plan}{until} | {method.steps}, {method.cfg:g}, {method.sampler} | "
            f"{beside or '-'} | `{method.workflow}` |"
        )
    return "\n".join(rows) + "\n"


def texts() -> dict[str, str]:
    """The text of every template, by its name."""
    return {m.workflow: lay_out(MAKERS[m.workflow](m).data, m.workflow) for m in PRESETS if m.workflow in MAKERS}


def main() -> None:
    for name, text in texts().items():
        (FOLDER / f"{name}.json").write_text(text, encoding="utf-8")
    (ROOT / "docs" / "published.md").write_text(table(), encoding="utf-8")


if __name__ == "__main__":
    main()
