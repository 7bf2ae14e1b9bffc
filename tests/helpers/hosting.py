"""A ComfyUI host in this process, and its nodes run as a user would, for the tests marked `host`.

The host is the checkout in COMFYUI_DIR, else the importable package ``comfy``. Importing this module skips the test
file when neither is there.
"""

from __future__ import annotations

import importlib
import importlib.util
import os
import sys
import tempfile
from types import ModuleType
from typing import Any

import pytest
import torch
from torch import Tensor

# What the host reads and writes in this process, so that nothing lands in this repository or in a user's folders.
_FOLDERS = tempfile.TemporaryDirectory(prefix="synctweedies-host-")


def _import_host() -> None:
    checkout = os.environ.get("COMFYUI_DIR")
    if checkout:
        sys.path.insert(0, os.path.abspath(checkout))
    if importlib.util.find_spec("comfy") is None:
        pytest.skip("no ComfyUI host: set COMFYUI_DIR or install comfyui==0.0.1", allow_module_level=True)
    given, sys.argv, here = sys.argv, ["x", "--cpu"], os.getcwd()
    # The packaged host makes its folders where it is imported.
    os.chdir(_FOLDERS.name)
    try:
        import comfy.options

        comfy.options.enable_args_parsing()
        import comfy.model_management

        folders = host_module("folder_paths", "comfy.cmd.folder_paths")
    finally:
        sys.argv = given
        os.chdir(here)
    for kind in ("input", "output", "temp"):
        folder = os.path.join(_FOLDERS.name, kind)
        os.makedirs(folder, exist_ok=True)
        getattr(folders, f"set_{kind}_directory")(folder)


def host_module(official: str, packaged: str) -> ModuleType:
    """A module that the two hosts keep under different names."""
    return importlib.import_module(official if os.environ.get("COMFYUI_DIR") else packaged)


_import_host()

import comfy.cli_args  # noqa: E402
import comfy.model_management  # noqa: E402
import comfy.sample  # noqa: E402
import comfy.samplers  # noqa: E402
import comfy.utils  # noqa: E402
from helpers.host_models import (  # noqa: E402
    NEGATIVE,
    POSITIVE,
    AnalyticModel,
    analytic,
    gaussian,
    opinionated,
    patcher,
    prompt,
    tiny_clip,
    tiny_controlnet,
    tiny_unet,
    with_hints,
    worded,
)
from syncpack.nodes import host  # noqa: E402
from syncpack.nodes.declare import defaults  # noqa: E402
from syncpack.nodes.sampling.plan import LAST, PLAN_INPUTS, PLAN_OPTIONS, PROCESS_LABELS  # noqa: E402
from syncpack.nodes.sampling.sampler import (  # noqa: E402
    SyncTweediesNoise,
    SyncTweediesPatch,
    SyncTweediesSampler,
    SyncTweediesSamplerWrap,
)
from syncpack.renderers.plane.space import Plane, Windows  # noqa: E402
from syncpack.renderers.scene import Scene  # noqa: E402
from syncpack.sync_core.aggregate import Aggregator  # noqa: E402

__all__ = [
    "NEGATIVE",
    "POSITIVE",
    "AnalyticModel",
    "Plane",
    "Windows",
    "analytic",
    "gaussian",
    "opinionated",
    "patcher",
    "prompt",
    "tiny_clip",
    "tiny_controlnet",
    "tiny_unet",
    "with_hints",
    "worded",
]

PLAN: dict[str, Any] = defaults(PLAN_INPUTS)
LABELS: dict[int, str] = {int(label.split()[0]): label for label in PROCESS_LABELS if label[0].isdigit()}


def custom_sampler_nodes() -> ModuleType:
    return host_module("comfy_extras.nodes_custom_sampler", "comfy_extras.nodes.nodes_custom_sampler")


def interrupted_error() -> type[BaseException]:
    """The exception by which the host cancels a run."""
    comfy.model_management.interrupt_current_processing()
    try:
        comfy.model_management.throw_exception_if_processing_interrupted()
    except BaseException as error:  # (the test wants its type, whatever that is)
        return type(error)
    raise AssertionError("the host did not interrupt")


def run_node(model: Any, space: Plane, rig: Windows, **changes: Any) -> tuple[dict[str, Any], dict[str, Any]]:
    """The all-in-one node with its defaults, 3 steps of euler and cfg 1. ``process`` may be a number."""
    inputs: dict[str, Any] = dict(
        positive=POSITIVE,
        negative=NEGATIVE,
        seed=5,
        steps=3,
        cfg=1.0,
        sampler_name="euler",
        scheduler="normal",
        denoise=1.0,
        **PLAN,
    )
    inputs.update(changes)
    if isinstance(inputs["process"], int):
        inputs["process"] = LABELS[inputs["process"]]
    with torch.inference_mode():
        return SyncTweediesSampler().sample(model=model, space=space, rig=rig, **inputs)


class OwnNoise:
    """A NOISE as the host's RandomNoise makes it: nothing shared between views."""

    def __init__(self, seed: int) -> None:
        self.seed = seed

    def generate_noise(self, latent: dict[str, Any]) -> Tensor:
        return host.prepare_noise(latent["samples"], self.seed)


def _take_plan(options: dict[str, Any]) -> dict[str, Any]:
    return {**PLAN, **{k: options.pop(k) for k in (*PLAN, *PLAN_OPTIONS, *LAST) if k in options}}


def advanced(
    model: Any,
    noise: Any,
    sampler: Any,
    latent: dict[str, Any],
    steps: int = 3,
    cfg: float = 1.0,
    name: str = "euler",
    scheduler: str = "normal",
) -> Tensor:
    """The host's own SamplerCustomAdvanced with a CFG guider."""
    with torch.inference_mode():
        guider = comfy.samplers.CFGGuider(model)
        guider.set_conds(POSITIVE, NEGATIVE)
        guider.set_cfg(cfg)
        sigmas = host.k_sampler_sigmas(model, steps, name, scheduler, 1.0)
        return (
            custom_sampler_nodes().SamplerCustomAdvanced().sample(noise, guider, sampler, sigmas, latent)[0]["samples"]
        )


def run_advanced(
    model: Any, space: Plane, rig: Windows, latent: dict[str, Any], seed: int = 5, name: str = "euler", **options: Any
) -> Tensor:
    """The SAMPLER and NOISE doors."""
    plan = _take_plan(options)
    (sampler,) = SyncTweediesSamplerWrap().wrap(comfy.samplers.sampler_object(name), space, rig, **plan)
    (noise,) = SyncTweediesNoise().build(space, rig, seed, plan["noise"])
    return advanced(model, noise, sampler, latent, name=name, **options)


def plain_sample(
    model: Any, latent: Tensor, name: str = "euler", seed: int = 5, steps: int = 3, cfg: float = 1.0, **options: Any
) -> Tensor:
    """What a plain KSampler does."""
    with torch.inference_mode():
        noise = comfy.sample.prepare_noise(latent, seed)
        return comfy.sample.sample(
            model, noise, steps, cfg, name, "normal", POSITIVE, NEGATIVE, latent, seed=seed, **options
        )


def run_patched(model: Any, space: Plane, rig: Windows, latent: Tensor, **options: Any) -> Tensor:
    """The MODEL door, sampled by a plain KSampler."""
    plan = _take_plan(options)
    (patched,) = SyncTweediesPatch().patch(model, space, rig, **plan)
    return plain_sample(patched, latent, **options)


def disagreement(space: Plane, rig: Windows, samples: Tensor) -> float:
    """The largest difference of views [B*N, C, h, w] from what their common picture shows in them."""
    views = Scene(space, rig).views_of_batch(tuple(samples.shape))
    return float((views.project(Aggregator(views)(samples)) - samples).abs().max())


def relative_error(actual: Tensor, expected: Tensor) -> float:
    return float((actual - expected).abs().max() / expected.abs().max())


def one_line(error: BaseException, node: str, *parts: str) -> str:
    """Check that an error is one line, begins with the node, and holds the value and the fix. Returns the line."""
    text = str(error)
    assert "\n" not in text, text
    assert text.startswith(f"{node}: "), text
    for part in parts:
        assert part in text, f"'{part}' is not in: {text}"
    return text
