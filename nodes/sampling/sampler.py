"""The doors to the engine, as nodes."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from ...renderers.scene import Scene
from .. import host
from ..engine.chunks import views_at_once
from ..engine.conds import concat_views
from ..engine.doors import SyncNoise, SyncSampler, patch_model
from ..engine.latents import empty_canonical, keep_unmasked, starting_latents, to_canonical, to_views
from ..engine.noise import starting_noise
from ..engine.rgb_domain import RgbDomain
from ..engine.run import SyncSettings
from ..host.errors import named
from .plan import PLAN_INPUTS, PLAN_OPTIONS, plan_from

SCENE: dict[str, Any] = {
    "space": ("CANONICAL_SPACE", {"tooltip": "The picture that the views share."}),
    "rig": ("VIEW_RIG", {"tooltip": "The views."}),
}
# Views as pictures: decoded here, or images made elsewhere.
VIEW_PICTURES: dict[str, Any] = {
    "views": ("LATENT", {"tooltip": "View latents in rig order; needs the VAE."}),
    "vae": ("VAE", {"tooltip": "Decodes the view latents."}),
    "images": (
        "IMAGE",
        {"tooltip": "View images in rig order, instead of latents, at any resolution of the views' shape."},
    ),
}
_SEED = (
    "INT",
    {
        "default": 0,
        "min": 0,
        "max": 2**64 - 1,
        "control_after_generate": True,
        "tooltip": "Seed of the canonical noise.",
    },
)


def settings_from(
    space: Any, rig: Any, views_per_batch: int = 0, rgb_vae: Any = None, rgb_every: int = 1, **plan: Any
) -> SyncSettings:
    rgb = None if rgb_vae is None else RgbDomain(rgb_vae, rgb_every)
    return SyncSettings(Scene(space, rig), plan_from(**plan), views_per_batch, rgb=rgb)


class SyncTweediesSampler:
    CATEGORY = "SyncTweedies/sampling"
    DESCRIPTION = (
        "Denoises all views of the rig together so that they agree on one canonical picture. "
        "Costs one model call per view and step; the synchronisation itself is far below a thousandth of that."
    )
    RETURN_TYPES = ("LATENT", "LATENT")
    RETURN_NAMES = ("views", "canonical")
    OUTPUT_TOOLTIPS = (
        "One latent per view, in rig order; connect to Stitch Views.",
        "The canonical picture as one latent; for a plane it can go straight to VAE Decode.",
    )
    FUNCTION = "sample"
    SEARCH_ALIASES = ["multidiffusion", "tiled diffusion", "wide image", "synctweedies"]

    @classmethod
    def INPUT_TYPES(cls) -> dict[str, Any]:
        return {
            "required": {
                "model": ("MODEL", {"tooltip": "Any image model, with its LoRAs and patches."}),
                **SCENE,
                "positive": ("CONDITIONING", {"tooltip": "What every view should show."}),
                "negative": ("CONDITIONING", {"tooltip": "What no view should show."}),
                "seed": _SEED,
                "steps": ("INT", {"default": 20, "min": 1, "max": 10000, "tooltip": "Steps of the sampler."}),
                "cfg": (
                    "FLOAT",
                    {
                        "default": 7.5,
                        "min": 0.0,
                        "max": 100.0,
                        "step": 0.1,
                        "round": 0.01,
                        "tooltip": "Guidance: how strongly the prompt is followed. 1 halves the cost.",
                    },
                ),
                "sampler_name": (
                    host.SAMPLER_NAMES,
                    {"default": "euler", "tooltip": "Any sampler of the host; a process that cannot use it says so."},
                ),
                "scheduler": (host.SCHEDULER_NAMES, {"tooltip": "How the noise levels fall."}),
                "denoise": (
                    "FLOAT",
                    {
                        "default": 1.0,
                        "min": 0.0,
                        "max": 1.0,
                        "step": 0.01,
                        "tooltip": "Below 1 the canonical latent is changed instead of replaced; connect it then.",
                    },
                ),
                **PLAN_INPUTS,
            },
            "optional": {
                "canonical": (
                    "LATENT",
                    {
                        "tooltip": "The picture to start from, encoded whole, with its noise mask if it has one. "
                        "Empty: start from noise."
                    },
                ),
                "batch_size": (
                    "INT",
                    {
                        "default": 1,
                        "min": 1,
                        "max": 4096,
                        "tooltip": "Canonical pictures at once, when none is connected.",
                    },
                ),
                **PLAN_OPTIONS,
                "views": (
                    "LATENT",
                    {
                        "tooltip": "The views to start from, each encoded by itself, in rig order (MeshViews, "
                        "SplatViews or SyncTweediesViewImages, then VAE Encode), with their noise mask. Instead of "
                        "canonical."
                    },
                ),
            },
        }

    def sample(
        self,
        model: Any,
        space: Any,
        rig: Any,
        positive: Any,
        negative: Any,
        seed: int,
        steps: int,
        cfg: float,
        sampler_name: str,
        scheduler: str,
        denoise: float,
        canonical: dict[str, Any] | None = None,
        batch_size: int = 1,
        views: dict[str, Any] | None = None,
        **plan: Any,
    ) -> tuple[dict[str, Any], dict[str, Any]]:
        with named("SyncTweediesSampler"):
            settings = settings_from(space, rig, **plan)
            scene = settings.scene
            whole, latent = starting_latents(scene, model, canonical, views, denoise, batch_size)
            if whole.get("batch_index") is not None:
                settings = replace(settings, batch_index=tuple(whole["batch_index"]))
            samples = latent["samples"]
            view_set = scene.views_of_batch(tuple(samples.shape))
            noise = starting_noise(settings, view_set, samples.cpu(), seed)
            sigmas = host.k_sampler_sigmas(model, steps, sampler_name, scheduler, denoise)
            sampler = SyncSampler(host.sampler_object(sampler_name), settings, "SyncTweediesSampler")
            at_once = settings.views_per_batch
            sized = host.with_memory_estimate(model, lambda shape: views_at_once(model, at_once, shape))
            positive, negative = (concat_views(scene, text, tuple(samples.shape)) for text in (positive, negative))
            result = host.sample(
                sized, noise, positive, negative, cfg, sampler, sigmas, samples, latent.get("noise_mask"), None, seed
            )
            joined = to_canonical(scene, result)[0]
            joined = joined if views is not None else keep_unmasked(scene, whole, joined)
            return {**latent, "samples": result}, {**whole, "samples": joined}


class SyncTweediesSamplerWrap:
    CATEGORY = "SyncTweedies/sampling"
    DESCRIPTION = (
        "Makes any SAMPLER synchronise the views, for SamplerCustomAdvanced with any guider. "
        "Costs far below a thousandth of the model's own time."
    )
    RETURN_TYPES = ("SAMPLER",)
    OUTPUT_TOOLTIPS = ("The same sampler, synchronised.",)
    FUNCTION = "wrap"

    @classmethod
    def INPUT_TYPES(cls) -> dict[str, Any]:
        return {
            "required": {"sampler": ("SAMPLER", {"tooltip": "The sampler to synchronise."}), **SCENE, **PLAN_INPUTS},
            "optional": PLAN_OPTIONS,
        }

    def wrap(self, sampler: Any, space: Any, rig: Any, **plan: Any) -> tuple[Any]:
        with named("SyncTweediesSamplerWrap"):
            return (SyncSampler(sampler, settings_from(space, rig, **plan), "SyncTweediesSamplerWrap"),)


class SyncTweediesNoise:
    CATEGORY = "SyncTweedies/sampling"
    DESCRIPTION = "Starting noise that the views share, for SamplerCustomAdvanced. Costs nothing."
    RETURN_TYPES = ("NOISE",)
    OUTPUT_TOOLTIPS = ("Connect to SamplerCustomAdvanced.",)
    FUNCTION = "build"

    @classmethod
    def INPUT_TYPES(cls) -> dict[str, Any]:
        return {"required": {**SCENE, "noise_seed": _SEED, "noise": PLAN_INPUTS["noise"]}}

    def build(self, space: Any, rig: Any, noise_seed: int, noise: str) -> tuple[SyncNoise]:
        with named("SyncTweediesNoise"):
            plan = {k: v[1]["default"] for k, v in PLAN_INPUTS.items()}
            return (SyncNoise(noise_seed, settings_from(space, rig, **{**plan, "noise": noise})),)


class SyncTweediesPatch:
    CATEGORY = "SyncTweedies/sampling"
    DESCRIPTION = (
        "Makes a MODEL synchronise the views in whatever node samples it, a plain KSampler too (its noise is replaced "
        "by noise the views share). Costs next to nothing. ComfyUI from 2024: process 2 only."
    )
    RETURN_TYPES = ("MODEL",)
    OUTPUT_TOOLTIPS = ("A copy of the model; the one you connected stays as it is.",)
    FUNCTION = "patch"

    @classmethod
    def INPUT_TYPES(cls) -> dict[str, Any]:
        return {
            "required": {"model": ("MODEL", {"tooltip": "The model to patch."}), **SCENE, **PLAN_INPUTS},
            "optional": PLAN_OPTIONS,
        }

    def patch(self, model: Any, space: Any, rig: Any, **plan: Any) -> tuple[Any]:
        with named("SyncTweediesPatch"):
            return (patch_model(model, settings_from(space, rig, **plan), "SyncTweediesPatch"),)


class SyncTweediesViewLatents:
    CATEGORY = "SyncTweedies/sampling"
    DESCRIPTION = (
        "The latents of all views: cut from a canonical latent, or empty. For the host's own sampler nodes. "
        "Costs nothing."
    )
    RETURN_TYPES = ("LATENT", "INT")
    RETURN_NAMES = ("views", "count")
    OUTPUT_TOOLTIPS = ("One latent per view, in rig order.", "Number of views of one canonical picture.")
    FUNCTION = "build"

    @classmethod
    def INPUT_TYPES(cls) -> dict[str, Any]:
        return {
            "required": {
                **SCENE,
                "batch_size": (
                    "INT",
                    {
                        "default": 1,
                        "min": 1,
                        "max": 4096,
                        "tooltip": "Canonical pictures at once, when none is connected.",
                    },
                ),
            },
            "optional": {
                "model": (
                    "MODEL",
                    {
                        "tooltip": "Tells the size and channels of an empty latent; "
                        "without it 8 pixels per cell and 4 channels."
                    },
                ),
                "canonical": (
                    "LATENT",
                    {"tooltip": "The picture to start from, encoded whole, with its noise mask if it has one."},
                ),
            },
        }

    def build(
        self, space: Any, rig: Any, batch_size: int, model: Any = None, canonical: dict[str, Any] | None = None
    ) -> tuple[dict[str, Any], int]:
        with named("SyncTweediesViewLatents"):
            scene = Scene(space, rig)
            whole = canonical or empty_canonical(scene, model, batch_size)
            views = to_views(scene, whole)
            return views, views["samples"].shape[0] // whole["samples"].shape[0]


NODES = {
    "SyncTweediesSampler": SyncTweediesSampler,
    "SyncTweediesSamplerWrap": SyncTweediesSamplerWrap,
    "SyncTweediesNoise": SyncTweediesNoise,
    "SyncTweediesPatch": SyncTweediesPatch,
    "SyncTweediesViewLatents": SyncTweediesViewLatents,
}
NAMES = {
    "SyncTweediesSampler": "SyncTweedies Sampler",
    "SyncTweediesSamplerWrap": "SyncTweedies Sampler Wrap",
    "SyncTweediesNoise": "SyncTweedies Noise",
    "SyncTweediesPatch": "SyncTweedies Patch Model",
    "SyncTweediesViewLatents": "SyncTweedies View Latents",
}
