"""The doors to the engine, as nodes."""

from __future__ import annotations

from typing import Any

from ...renderers.scene import Scene
from .. import host
from ..declare import Choice, Node, Number, Socket, Whole, defaults
from ..engine.doors import SyncNoise, SyncSampler, patch_model
from ..engine.latents import empty_canonical, to_views
from ..widgets import SCENE, SEED
from .k_sampling import StepWishes, sampled
from .plan import LAST, PATCHED, PLAN_INPUTS, PLAN_OPTIONS, settings_from

_BATCH = Whole(1, 1, 4096).says("Canonical pictures at once, when none is connected.")


@Node(
    "SyncTweedies Sampler",
    "sampling",
    inputs={
        "model": Socket("MODEL").says("Any image model, with its LoRAs and patches."),
        **SCENE,
        "positive": Socket("CONDITIONING").says("What every view should show."),
        "negative": Socket("CONDITIONING").says("What no view should show."),
        "seed": SEED,
        "steps": Whole(20, 1, 10000).says("Steps of the sampler."),
        "cfg": Number(7.5, 0.0, 100.0, 0.1, round=0.01).says(
            "Guidance: how strongly the prompt is followed. 1 halves the cost."
        ),
        "sampler_name": Choice(host.SAMPLER_NAMES, default="euler").says(
            "Any sampler of the host; a process that cannot use it says so."
        ),
        "scheduler": Choice(host.SCHEDULER_NAMES).says("How the noise levels fall."),
        "denoise": Number(1.0, 0.0, 1.0).says(
            "Below 1 the canonical latent is changed instead of replaced; connect it then."
        ),
        **PLAN_INPUTS,
    },
    optional={
        "canonical": Socket("LATENT").says(
            "The picture to start from, encoded whole, with its noise mask if it has one. Empty: start from noise."
        ),
        "batch_size": _BATCH.given(advanced=True),
        **PLAN_OPTIONS,
        "views": Socket("LATENT").says(
            "The views to start from, each encoded by itself, in rig order (MeshViews, SplatViews or "
            "SyncTweediesViewImages, then VAE Encode), with their noise mask. Instead of canonical."
        ),
        **LAST,
    },
    outputs={
        "views": Socket("LATENT").says("One latent per view, in rig order; connect to Stitch Views."),
        "canonical": Socket("LATENT").says(
            "The canonical picture as one latent; for a plane it can go straight to VAE Decode."
        ),
    },
    search=[
        "sampler",
        "ksampler",
        "multidiffusion",
        "mixture of diffusers",
        "tiled diffusion",
        "demofusion",
        "wide image",
        "ultrawide",
        "large image",
        "big image",
        "high resolution",
        "panorama",
        "outpaint",
        "outpainting",
        "extend image",
    ],
)
class SyncTweediesSampler:
    """Denoises all views of the rig together so that they agree on one canonical picture. Costs one model call per view
    and step; the synchronisation itself is far below a thousandth of that."""

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
        wishes = StepWishes(seed, steps, cfg, sampler_name, scheduler, denoise)
        settings = settings_from(space, rig, **plan)
        return sampled(model, settings, (positive, negative), wishes, canonical, views, batch_size)


@Node(
    "SyncTweedies Sampler Wrap",
    "sampling",
    inputs={"sampler": Socket("SAMPLER").says("The sampler to synchronise."), **SCENE, **PLAN_INPUTS},
    optional={**PLAN_OPTIONS, **LAST},
    outputs={"SAMPLER": Socket("SAMPLER").says("The same sampler, synchronised.")},
    search=["SamplerCustomAdvanced", "custom sampler", "any sampler", "multidiffusion", "tiled diffusion", "flux"],
)
class SyncTweediesSamplerWrap:
    """Makes any SAMPLER synchronise the views, for SamplerCustomAdvanced with any guider. Costs far below a thousandth
    of the model's own time."""

    def wrap(self, sampler: Any, space: Any, rig: Any, edit: Any = None, **plan: Any) -> tuple[Any]:
        plan["edit"] = None if edit is None else edit.bare()
        return (SyncSampler(sampler, settings_from(space, rig, **plan), type(self).__name__),)


@Node(
    "SyncTweedies Noise",
    "sampling",
    inputs={**SCENE, "noise_seed": SEED, "noise": PLAN_INPUTS["noise"].given(advanced=False)},
    outputs={"NOISE": Socket("NOISE").says("Connect to SamplerCustomAdvanced.")},
    search=["shared noise", "RandomNoise", "SamplerCustomAdvanced", "seed"],
)
class SyncTweediesNoise:
    """Starting noise that the views share, for SamplerCustomAdvanced. Costs nothing."""

    def build(self, space: Any, rig: Any, noise_seed: int, noise: str) -> tuple[SyncNoise]:
        return (SyncNoise(noise_seed, settings_from(space, rig, **{**defaults(PLAN_INPUTS), "noise": noise})),)


@Node(
    "SyncTweedies Patch Model",
    "sampling",
    inputs={"model": Socket("MODEL").says("The model to patch."), **SCENE, **PLAN_INPUTS},
    optional={**PLAN_OPTIONS, **PATCHED},
    outputs={"MODEL": Socket("MODEL").says("A copy of the model; the one you connected stays as it is.")},
    search=["KSampler", "plain sampler", "tiled diffusion", "multidiffusion", "mixture of diffusers", "patch model"],
)
class SyncTweediesPatch:
    """Makes a MODEL synchronise the views in whatever node samples it, a plain KSampler too (its noise is replaced by
    noise the views share). Costs next to nothing. ComfyUI from 2024: process 2 only."""

    def patch(self, model: Any, space: Any, rig: Any, **plan: Any) -> tuple[Any]:
        return (patch_model(model, settings_from(space, rig, **plan), type(self).__name__),)


@Node(
    "SyncTweedies View Latents",
    "sampling",
    inputs={**SCENE, "batch_size": _BATCH},
    optional={
        "model": Socket("MODEL").says(
            "Tells the size and channels of an empty latent; without it 8 pixels per cell and 4 channels."
        ),
        "canonical": Socket("LATENT").says(
            "The picture to start from, encoded whole, with its noise mask if it has one."
        ),
    },
    outputs={
        "views": Socket("LATENT").says("One latent per view, in rig order."),
        "count": Socket("INT").says("Number of views of one canonical picture."),
    },
    search=["empty latent", "EmptyLatentImage", "latent tiles", "KSampler"],
)
class SyncTweediesViewLatents:
    """The latents of all views: cut from a canonical latent, or empty. For the host's own sampler nodes. Costs
    nothing."""

    def build(
        self, space: Any, rig: Any, batch_size: int, model: Any = None, canonical: dict[str, Any] | None = None
    ) -> tuple[dict[str, Any], int]:
        scene = Scene(space, rig)
        whole = canonical or empty_canonical(scene, model, batch_size)
        views = to_views(scene, whole)
        return views, scene.views_of_batch(tuple(views["samples"].shape)).count
