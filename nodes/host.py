"""The one module that imports ComfyUI. Differences between its releases (mid-2024 to today) end here."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence
from typing import Any

import comfy.conds
import comfy.latent_formats
import comfy.model_base
import comfy.model_management
import comfy.model_patcher
import comfy.model_sampling
import comfy.ops
import comfy.sample
import comfy.samplers
import comfy.supported_models_base
import comfy.utils
import torch
from comfy.k_diffusion import sampling as k_diffusion
from torch import Tensor

try:
    import comfy.patcher_extension as patcher_extension
except ImportError:  # 2024: models cannot carry wrappers
    patcher_extension = None

HAS_WRAPPERS = patcher_extension is not None
WRAPPER_KEY = "sync_tweedies"

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

# Samplers that integrate along a Brownian path instead of drawing fresh noise at each step.
_BROWNIAN = ("dpmpp_sde", "dpmpp_2m_sde", "dpmpp_2m_sde_heun", "dpmpp_3m_sde")


def check_interrupt() -> None:
    """Raise the host's interrupt when the user pressed cancel."""
    comfy.model_management.throw_exception_if_processing_interrupted()


def out_of_memory_error() -> type[BaseException] | None:
    """The exception an exhausted device raises; None where it cannot be told from others."""
    error = comfy.model_management.OOM_EXCEPTION
    return None if error is Exception else error


def empty_cache() -> None:
    comfy.model_management.soft_empty_cache()


def free_memory(device: torch.device) -> float:
    """Bytes free on a device, as the host counts them."""
    free: Any = comfy.model_management.get_free_memory(device)
    return float(free)


def memory_beside(model: Any) -> float:
    """Bytes that a device holds beside a fully loaded MODEL and what the host keeps for others."""
    management = comfy.model_management
    total: Any = management.get_total_memory(model.load_device)
    return float(total) - float(management.minimum_inference_memory()) - float(model.model_size())


def with_memory_estimate(model: Any, views: Callable[[Sequence[int]], int]) -> Any:
    """A clone of a MODEL whose loading makes room for ``views(shape of the batch)`` views instead of the whole batch.

    The host would reserve memory for all views at once, and push the model's weights off a small card for it.
    """
    clone = model.clone()
    if HAS_WRAPPERS:

        def prepare(executor: Any, patcher: Any, noise_shape: Sequence[int], *args: Any, **kwargs: Any) -> Any:
            return executor(patcher, [views(noise_shape), *noise_shape[1:]], *args, **kwargs)

        add_wrapper(clone, "PREPARE_SAMPLING", prepare)
        return clone

    def memory_required(input_shape: Sequence[int]) -> float:
        # The host of 2024 asks for twice the batch: with and without the prompt.
        rows = min(input_shape[0], 2 * views([max(1, input_shape[0] // 2), *input_shape[1:]]))
        return model.memory_required([rows, *input_shape[1:]])

    clone.memory_required = memory_required
    return clone


def load_device() -> torch.device:
    return comfy.model_management.get_torch_device()


def offload_device() -> torch.device:
    return comfy.model_management.unet_offload_device()


def intermediate_device() -> torch.device:
    return comfy.model_management.intermediate_device()


def cell_of(model: Any) -> int:
    """Image pixels per latent cell of a model (8 for most; 1 for models that work on pixels)."""
    latent_format = model.get_model_object("latent_format")
    for name in ("spacial_downscale_ratio", "spatial_downscale_ratio"):
        value = getattr(latent_format, name, None)
        if isinstance(value, int):
            return value
    return _CELLS.get(type(latent_format).__name__, 8)


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
    function: Callable[..., Any], like: Tensor, sigmas: Tensor, seed: int | None
) -> Callable[..., Tensor]:
    """The noise sampler that ``function`` would make for itself, for a tensor shaped like ``like``.

    So that views which are the whole picture get the very noise a plain KSampler draws.
    """
    name = sampler_name(function)
    if name.removesuffix("_gpu") in _BROWNIAN:
        positive = sigmas[sigmas > 0]
        return k_diffusion.BrownianTreeNoiseSampler(
            like, positive.min(), sigmas.max(), seed=seed, cpu=not name.endswith("_gpu")
        )
    default: Callable[..., Any] = k_diffusion.default_noise_sampler
    return default(like, seed=seed) if "seed" in inspect.signature(default).parameters else default(like)


def loaded_models() -> list[Any]:
    """The models that the run in progress keeps on the device."""
    return comfy.model_management.loaded_models(only_currently_used=True)


def load_models(models: Sequence[Any], memory_required: float) -> None:
    """Load models again that something else pushed out, leaving that many bytes for their activations."""
    comfy.model_management.load_models_gpu(models, memory_required=int(memory_required))


def add_wrapper(model: Any, kind: str, wrapper: Callable[..., Any]) -> None:
    """Register one of the host's wrappers on a (cloned) model, replacing ours if it is there already."""
    assert patcher_extension is not None
    wrapper_type = getattr(patcher_extension.WrappersMP, kind)
    model.remove_wrappers_with_key(wrapper_type, WRAPPER_KEY)
    model.add_wrapper_with_key(wrapper_type, WRAPPER_KEY, wrapper)


def with_wrapper(model_options: dict[str, Any], kind: str, wrapper: Callable[..., Any]) -> dict[str, Any]:
    """A copy of model_options that carries one more wrapper for this run only."""
    assert patcher_extension is not None
    wrapper_type = getattr(patcher_extension.WrappersMP, kind)
    options = dict(model_options)
    transformer = dict(options.get("transformer_options", {}))
    wrappers = {k: dict(v) for k, v in transformer.get("wrappers", {}).items()}
    wrappers.setdefault(wrapper_type, {})[WRAPPER_KEY] = [wrapper]
    transformer["wrappers"] = wrappers
    options["transformer_options"] = transformer
    return options


def text_encoder(clip: Any) -> Callable[[str], list[list[Any]]]:
    """Text -> CONDITIONING, as CLIPTextEncode does it. Raises ValueError when there is no CLIP."""
    if clip is None:
        raise ValueError("clip is None: the checkpoint holds no text encoder; load one with CLIPLoader")

    def encode(text: str) -> list[list[Any]]:
        tokens = clip.tokenize(text)
        if hasattr(clip, "encode_from_tokens_scheduled"):
            return clip.encode_from_tokens_scheduled(tokens)
        encoded, pooled = clip.encode_from_tokens(tokens, return_pooled=True)
        return [[encoded, {"pooled_output": pooled}]]

    return encode


def has_wrapper(model_options: dict[str, Any], kind: str) -> bool:
    """Whether model_options carry wrappers of that kind; False where the host has none, or not this kind."""
    wrapper_type = getattr(getattr(patcher_extension, "WrappersMP", None), kind, None)
    wrappers = model_options.get("transformer_options", {}).get("wrappers", {})
    return wrapper_type is not None and any(wrappers.get(wrapper_type, {}).values())


def previewer(model: Any) -> Any | None:
    """The host's latent previewer for this model, or None when previews are off."""
    try:
        import latent_preview
    except ImportError:
        from comfy.cmd import latent_preview
    return latent_preview.get_previewer(model.load_device, model.model.latent_format)


def preview_format(previewer: Any, latent: Tensor) -> Any:
    return previewer.decode_latent_to_preview_image("JPEG", latent)


def temp_path(prefix: str, width: int, height: int, kind: str = "temp") -> tuple[str, str, int, str]:
    """(folder, file name, counter, subfolder) for a new picture in the host's temp folder, or the output folder."""
    folder_paths = _folder_paths()
    root = folder_paths.get_output_directory() if kind == "output" else folder_paths.get_temp_directory()
    return folder_paths.get_save_image_path(prefix, root, width, height)[:4]


def input_folder() -> str:
    return _folder_paths().get_input_directory()


def _folder_paths() -> Any:
    try:
        import folder_paths
    except ImportError:
        from comfy.cmd import folder_paths
    return folder_paths


class X0Sampling(comfy.model_sampling.ModelSamplingDiscrete, comfy.model_sampling.EPS):
    """Discrete noise levels of a network whose output is the clean estimate itself."""

    def calculate_denoised(self, sigma: Tensor, model_output: Tensor, model_input: Tensor) -> Tensor:
        return model_output


def model_folders(kind: str) -> list[str]:
    """The folders where users keep models of a kind ('diffusers', 'checkpoints', ...)."""
    return [str(p) for p in _folder_paths().get_folder_paths(kind)]


def network_dtypes(parameters: int) -> tuple[torch.dtype, torch.dtype | None]:
    """(type of the weights, type to compute in or None for the same) that the host chooses for a network.

    Half precision where it would choose 8 bits, which only its own networks can be stored in.
    """
    weights = comfy.model_management.unet_dtype(model_params=parameters)
    weights = torch.float16 if weights.itemsize < 2 else weights
    return weights, comfy.model_management.unet_manual_cast(weights, load_device())


def use_cast_layers(module: torch.nn.Module, cast: bool) -> None:
    """Turn torch's own layers inside ``module`` into the host's, in place and with the same weights.

    The host can then keep part of the weights off the device and, with ``cast``, compute in another type than they
    are stored in. Layers of other classes stay as they are.
    """
    ops = comfy.ops.manual_cast if cast else comfy.ops.disable_weight_init
    known: dict[type, Any] = {}
    for name in ("Linear", "Conv2d", "GroupNorm", "LayerNorm"):
        for source in (torch.nn, comfy.ops.manual_cast, comfy.ops.disable_weight_init):
            known[getattr(source, name)] = getattr(ops, name)
    for layer in module.modules():
        layer.__class__ = known.get(type(layer), type(layer))


def run_network(
    call: Callable[..., Tensor], network: Any, options: dict[str, Any], *inputs: Any, **conds: Any
) -> Tensor:
    """Call a network through the wrappers that the host lets users put around it, where it has them."""
    if patcher_extension is None:
        return call(*inputs, **conds)
    wrappers = patcher_extension.get_all_wrappers(patcher_extension.WrappersMP.DIFFUSION_MODEL, options)
    return patcher_extension.WrapperExecutor.new_class_executor(call, network, wrappers).execute(*inputs, **conds)


def vae(state: dict[str, Tensor], config: dict[str, Any] | None) -> Any:
    """The host's VAE from a state dict; ``config`` (its AutoencoderKL's arguments) where the size is not the usual."""
    from comfy import sd

    return sd.VAE(sd=state, config=None if config is None else {"params": config})


def clip(tokenizer: Callable[..., Any], encoder: Callable[..., Any]) -> Any:
    """The host's CLIP around a tokenizer and a text encoder that follow its protocol (both given as factories)."""
    from comfy import sd

    target: Any = comfy.supported_models_base.ClipTarget(tokenizer, encoder)
    return sd.CLIP(target)


def weighted_parts(text: str) -> list[tuple[str, float]]:
    """A prompt cut where the host's '(words:1.2)' notation changes the weight."""
    from comfy import sd1_clip

    parts: Any = sd1_clip.token_weights(sd1_clip.escape_important(text), 1.0)
    return [(sd1_clip.unescape_important(part), weight) for part, weight in parts]


def text_device() -> torch.device:
    return comfy.model_management.text_encoder_device()


def text_dtype(device: torch.device) -> torch.dtype:
    """Float32 on a CPU, which is slow in half precision; else what the host chooses."""
    return torch.float32 if device.type == "cpu" else comfy.model_management.text_encoder_dtype(device)
