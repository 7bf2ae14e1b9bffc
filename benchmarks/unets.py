"""Networks of the host's own classes with random weights, as large as a benchmark wants them."""

from __future__ import annotations

import importlib
import os
import sys
from pathlib import Path
from typing import Any

import torch

sys.path.insert(0, str(Path(__file__).resolve().parent))
from run_all import name_pack

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "tests"))

SIZES: dict[str, dict[str, Any]] = {
    # Stable Diffusion 1.5, as its checkpoint declares itself.
    "sd15": dict(
        model_channels=320,
        num_res_blocks=[2, 2, 2, 2],
        channel_mult=[1, 2, 4, 4],
        transformer_depth=[1, 1, 1, 1, 1, 1, 0, 0],
        transformer_depth_middle=1,
        transformer_depth_output=[1, 1, 1, 1, 1, 1, 1, 1, 1, 0, 0, 0],
        context_dim=768,
        num_heads=8,
    ),
    # The same shape, a hundredth of the work: for runs of many views.
    "small": dict(
        model_channels=64,
        num_res_blocks=[1, 1],
        channel_mult=[1, 2],
        transformer_depth=[1, 1],
        transformer_depth_middle=1,
        transformer_depth_output=[1, 1, 1, 1],
        context_dim=64,
        num_heads=4,
    ),
}


def start_host() -> None:
    """Import the ComfyUI host into this process, as the tests do."""
    name_pack()
    importlib.import_module("helpers.hosting")


def random_unet(size: str) -> Any:
    """A MODEL (ModelPatcher) with a random UNet of that size; prompts are [1, 77, context_dim]."""
    start_host()
    import comfy.model_base
    import comfy.model_management
    import comfy.model_patcher
    import comfy.supported_models

    sizes = SIZES[size]
    config = comfy.supported_models.SD15(
        dict(
            image_size=32,
            in_channels=4,
            out_channels=4,
            num_head_channels=-1,
            use_spatial_transformer=True,
            use_temporal_attention=False,
            use_linear_in_transformer=False,
            adm_in_channels=None,
            legacy=False,
            dtype=torch.float32,
            **sizes,
        )
    )
    config.unet_config.update(num_heads=sizes["num_heads"], num_head_channels=-1)
    torch.manual_seed(0)
    model = comfy.model_base.BaseModel(config, model_type=comfy.model_base.ModelType.EPS)
    with torch.no_grad():
        for weight in model.diffusion_model.parameters():
            weight.normal_(0.0, 0.02)
    device = comfy.model_management.get_torch_device()
    return comfy.model_patcher.ModelPatcher(model, device, comfy.model_management.unet_offload_device())


def prompt(size: str, seed: int) -> list[Any]:
    """A CONDITIONING of random numbers."""
    generator = torch.Generator().manual_seed(seed)
    return [[torch.randn(1, 77, SIZES[size]["context_dim"], generator=generator), {}]]


def pixel_model(std: float = 0.5) -> Any:
    """A MODEL of pictures themselves (3 channels, a cell is a pixel) that are noise of that strength: costs nearly
    nothing, and keeps nothing."""
    start_host()
    import comfy.model_base
    from helpers.host_models import AnalyticModel, patcher
    from syncpack.nodes.models.exemplar import PixelLatent

    class Pixels(AnalyticModel):
        def _apply_model(self, x: Any, t: Any, *args: Any, **kwargs: Any) -> Any:
            sigma = t.reshape(-1, *[1] * (x.ndim - 1))
            return x * (std**2 / (std**2 + sigma**2))

        if not hasattr(comfy.model_base.BaseModel, "_apply_model"):
            apply_model = _apply_model

    model = Pixels(lambda x, sigma: x, "EPS")
    model.latent_format = PixelLatent()
    return patcher(model)


def peak_memory_mib() -> float:
    """The most memory this process has held so far."""
    if os.name == "nt":
        import psutil

        return psutil.Process().memory_info().peak_wset / 2**20
    import resource

    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / 2**20 if sys.platform == "darwin" else peak / 2**10
