"""Models, samplers, noise levels and previews of the host."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence
from typing import Any

import comfy.conds
import comfy.latent_formats
import comfy.model_base
import comfy.model_management
import comfy.model_patcher
import comfy.sample
import comfy.samplers
import comfy.supported_models_base
import comfy.utils
import torch
from comfy.k_diffusion import sampling as k_diffusion
from torch import Tensor

from .memory import intermediate_device

KSAMPLER = comfy.samplers.KSAMPLER
KSamplerX0Inpaint = comfy.samplers.KSamplerX0Inpaint
BaseModel = comfy.model_base.BaseModel
ModelType = comfy.model_base.ModelType
ModelPatcher = comfy.model_patcher.ModelPatcher
ModelConfig = comfy.supported_models_base.BASE
LatentFormat = comfy.latent_formats.LatentFormat
LatentSD15 = comfy.latent_formats.SD15
LatentSDXL = comfy.latent_formats.SDXL
CONDRegular = comfy.conds.CONDRegular
CONDNoiseShape = comfy.conds.CONDNoiseShape
ProgressBar = comfy.utils.ProgressBar

SAMPLER_NAMES: list[str] = list(comfy.samplers.KSampler.SAMPLERS)
SCHEDULER_NAMES: list[str] = list(comfy.samplers.KSampler.SCHEDULERS)

# Image pixels per latent cell of the formats that do not say so themselves and are not 8.
_CELLS = {"ChromaRadiance": 1, "HunyuanImage21": 32, "HunyuanImage21Refiner": 16, "Wan22": 16, "LTXV": 32, "SC_B": 4}

# Frames that one latent frame joins, of formats that do not say so themselves.
_JOINED = {"Wan21": 4, "HunyuanVideo": 4, "Mochi": 6, "LTXV": 8, "Cosmos1CV8x8x8": 8}

# Samplers that integrate along a Brownian path instead of drawing fresh noise at each step.
_BROWNIAN = ("dpmpp_sde", "dpmpp_2m_sde", "dpmpp_2m_sde_heun", "dpmpp_3m_sde")


def check_interrupt() -> None:
    """Raise the host's interrupt when the user pressed cancel."""
    comfy.model_management.throw_exception_if_processing_interrupted()


def cell_of(model: Any) -> int:
    """Image pixels per latent cell of a model (8 for most; 1 for models that work on pixels)."""
    latent_format = model.get_model_object("latent_format")
    for name in ("spacial_downscale_ratio", "spatial_downscale_ratio"):
        value = getattr(latent_format, name, None)
        if isinstance(value, int):
            return value
    return _CELLS.get(type(latent_format).__name__, 8)


def frames_joined(model: Any) -> int | None:
    """How many frames of a video one latent frame of a model joins; None where nobody knows. Raises ValueError for a
    model of single pictures."""
    latent_format = model.get_model_object("latent_format")
    if getattr(latent_format, "latent_dimensions", 3) != 3:
        raise ValueError(
            "this model makes single pictures; use a video model (Wan, Hunyuan, LTX, ...), or VideoSpace's rig"
        )
    stated = getattr(latent_format, "temporal_downscale_ratio", 1)
    if stated > 1:
        return int(stated)
    families = (kind.__name__ for kind in type(latent_format).__mro__)
    return next((_JOINED[name] for name in families if name in _JOINED), None)


def luminance(network: Any, channels: int) -> Tensor | None:
    """float [C]: how much each channel of a network's latents counts for brightness, by the factors that previews are
    made with; None where there are none. Three channels are red, green and blue."""
    factors = rgb_factors(network, channels)
    return None if factors is None else factors @ torch.tensor([0.299, 0.587, 0.114])


def rgb_factors(network: Any, channels: int) -> Tensor | None:
    """float [C, 3]: about the picture of a network's latents in -1..1, cell by cell, as previews show them; None where
    nobody knows. Three channels are red, green and blue."""
    factors: Any = getattr(network.latent_format, "latent_rgb_factors", None)
    if factors is not None and len(factors) == channels:
        return torch.tensor(factors, dtype=torch.float32)
    return torch.eye(3) if channels == 3 else None


def flat_colours(network: Any, colours: Tensor, channels: int) -> Tensor:
    """float [B, C]: latents of plain colours [B, 3] in 0..1 on a network's own scale, by the factors that previews are
    made with, turned around; grey (0) where there are none. Three channels are red, green and blue."""
    factors: Any = getattr(network.latent_format, "latent_rgb_factors", None)
    wanted = colours.float() * 2 - 1
    if factors is not None and len(factors) == channels:
        bias: Any = getattr(network.latent_format, "latent_rgb_factors_bias", None)
        shift = torch.zeros(3) if bias is None else torch.tensor(bias, dtype=torch.float32)
        return (wanted - shift) @ torch.linalg.pinv(torch.tensor(factors, dtype=torch.float32))
    return wanted if channels == 3 else wanted.new_zeros(len(colours), channels)


def latent_channels(model: Any) -> int:
    return int(model.get_model_object("latent_format").latent_channels)


def fit_empty_latent(model: Any, latent: Tensor) -> Tensor:
    """Give an empty latent the channels and axes of the model's latent space."""
    return comfy.sample.fix_empty_latent_channels(model, latent)


def prepare_noise(latent: Tensor, seed: int, batch_index: Sequence[int] | None = None) -> Tensor:
    """The host's starting noise of a latent's shape, on the CPU."""
    return comfy.sample.prepare_noise(latent, seed, batch_index)


def k_sampler_sigmas(model: Any, steps: int, sampler: str, scheduler: str, denoise: float) -> Tensor:
    """The noise levels a plain KSampler would use (some samplers drop the last but one)."""
    planned = comfy.samplers.KSampler(
        model,
        steps=steps,
        device=model.load_device,
        sampler=sampler,
        scheduler=scheduler,
        denoise=denoise,
        model_options=model.model_options,
    )
    return planned.sigmas


def sampler_object(name: str) -> Any:
    return comfy.samplers.sampler_object(name)


def sample(
    model: Any,
    noise: Tensor,
    positive: Any,
    negative: Any,
    cfg: float,
    sampler: Any,
    sigmas: Tensor,
    latent: Tensor,
    mask: Tensor | None,
    callback: Callable[..., None] | None,
    seed: int,
) -> Tensor:
    """Run the host's own sampling with a SAMPLER object."""
    samples = comfy.samplers.sample(
        model,
        noise,
        positive,
        negative,
        cfg,
        model.load_device,
        sampler,
        sigmas,
        model_options=model.model_options,
        latent_image=latent,
        denoise_mask=mask,
        callback=callback,
        disable_pbar=not getattr(comfy.utils, "PROGRESS_BAR_ENABLED", True),
        seed=seed,
    )
    return samples.to(intermediate_device())


def model_sampling(wrapper: Any) -> Any:
    """How the model behind a sampler's model wrapper relates noise levels, time and clean pictures."""
    return wrapper.inner_model.inner_model.model_sampling


def max_denoise(guider: Any, sigmas: Tensor) -> bool:
    """Whether the host scales the starting noise as for a full run."""
    return bool(comfy.samplers.Sampler().max_denoise(guider, sigmas))


def sampler_name(function: Callable[..., Any]) -> str:
    """The name that users choose: 'sample_unipc' -> 'uni_pc', the closure of dpm_fast -> 'dpm_fast'."""
    return function.__name__.removeprefix("sample_").removesuffix("_function").replace("unipc", "uni_pc")


def takes_noise_sampler(function: Callable[..., Any], options: dict[str, Any] | None = None) -> bool:
    """Whether a k-diffusion sampler lets its step noise be chosen. ``options``: what it will be called with."""
    if sampler_name(function) == "dpm_adaptive":  # a closure that passes options on; it draws noise with eta only
        return bool((options or {}).get("eta"))
    return "noise_sampler" in inspect.signature(function).parameters


def noise_sampler(
    function: Callable[..., Any], like: Tensor, sigmas: Tensor, seed: int | None, apart: bool = False
) -> Callable[..., Tensor]:
    """The noise sampler that ``function`` would make for itself, for a tensor shaped like ``like``.

    So that views which are the whole picture get the very noise a plain KSampler draws. apart: of a generator of its
    own, where the host of 2024 would go on drawing from the one of all.
    """
    name = sampler_name(function)
    if name.removesuffix("_gpu") in _BROWNIAN:
        positive = sigmas[sigmas > 0]
        return k_diffusion.BrownianTreeNoiseSampler(
            like, positive.min(), sigmas.max(), seed=seed, cpu=not name.endswith("_gpu")
        )
    default: Callable[..., Any] = k_diffusion.default_noise_sampler
    if "seed" in inspect.signature(default).parameters:
        return default(like, seed=seed)
    if apart and seed is not None:
        generator = torch.Generator().manual_seed(seed)
        return lambda sigma, sigma_next: torch.randn(like.shape, generator=generator, dtype=like.dtype).to(like)
    return default(like)


def mixture(sampling: Any, sigma: float) -> tuple[float, float]:
    """(how much of the picture, how much noise) a state of a model holds at ``sigma``. sampling: its model sampling,
    which knows what a noise level means."""
    one, nothing = torch.ones(1, 1, 1, 1, dtype=torch.float64), torch.zeros(1, 1, 1, 1, dtype=torch.float64)
    level = torch.full((1, 1, 1, 1), sigma, dtype=torch.float64)
    picture, noise = (sampling.noise_scaling(level, n, p) for n, p in ((nothing, one), (one, nothing)))
    return float(picture), float(noise)


def percent_to_sigma(model: Any, percent: float) -> float:
    """The noise level at a fraction of a run (0 = noise), as the host's own nodes count it."""
    return float(model.get_model_object("model_sampling").percent_to_sigma(percent))


def times_left(network: Any, sigmas: Sequence[float]) -> list[float]:
    """The share of a model's time that is left at each noise level, 1 where all is noise, as `percent_to_sigma` counts
    it."""
    level = network.model_sampling.percent_to_sigma

    def at(sigma: float) -> float:
        done, more = 0.0, 1.0
        for _ in range(30):
            middle = (done + more) / 2
            done, more = (middle, more) if float(level(middle)) > sigma else (done, middle)
        return 1 - more

    return [at(sigma) for sigma in sigmas]


def previewer(model: Any) -> Any | None:
    """The host's latent previewer for this model, or None when previews are off."""
    try:
        import latent_preview
    except ImportError:
        from comfy.cmd import latent_preview
    return latent_preview.get_previewer(model.load_device, model.model.latent_format)


def preview_format(previewer: Any, latent: Tensor) -> Any:
    return previewer.decode_latent_to_preview_image("JPEG", latent)
