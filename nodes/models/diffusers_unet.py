"""A diffusers folder's U-Net as a MODEL of the host: a true BaseModel, so samplers, guidance, masks and LoRAs apply."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from ...renderers.scene import Scene
from ...sync_core.noise import polar_noise
from .. import host
from ..host.errors import SyncError
from ..trained import UNKNOWN, Trained
from .diffusers_facts import Facts, read_facts
from .diffusers_folders import UNET, VAE, Missing, find_folder, first_line, read_json, read_weights
from .diffusers_schedule import clip_after_guidance
from .exemplar import PixelVAE

NO_LIBRARY = (
    "the library diffusers is not installed; install the extra 'diffusers' of this pack into ComfyUI's Python: "
    'pip install "diffusers<0.40"'
)
_SAMPLING = {"epsilon": "EPS", "v_prediction": "V_PREDICTION", "sample": "EPS"}


class _FolderConfig(host.ModelConfig):
    unet_config = {"disable_unet_model_creation": True}
    unet_extra_config = {}


class DiffusersBaseModel(host.BaseModel):
    """The host's model around a diffusers network: its noise levels, its latent space, its conditionings."""

    def __init__(self, facts: Facts, network: torch.nn.Module, cast: torch.dtype | None) -> None:
        config: Any = _FolderConfig({**_FolderConfig.unet_config, "in_channels": facts.channels + facts.extra})
        config.latent_format = facts.latent
        config.trained = Trained(facts.side, UNKNOWN.cfg)
        config.manual_cast_dtype = cast
        config.memory_usage_factor = 0.8 if facts.unet.get("addition_embed_type") == "text_time" else 1.0
        super().__init__(config, model_type=getattr(host.ModelType, _SAMPLING[facts.schedule.prediction]))
        if facts.schedule.prediction == "sample":
            self.model_sampling = host.X0Sampling(config)
        self.model_sampling.set_sigmas(facts.schedule.sigmas())
        self.model_sampling.num_timesteps = len(facts.schedule.alphas_cumprod)
        self.diffusion_model = network
        self.facts = facts
        if facts.inpaint:
            self.set_inpaint()

    def extra_conds(self, **given: Any) -> dict[str, Any]:
        """What the network is called with, from a CONDITIONING entry's values (see the host's BaseModel)."""
        conds = super().extra_conds(**given)
        tokens = given.get("cross_attn")
        width = None if tokens is None else tokens.shape[-1]
        if width != self.facts.token_width:
            raise SyncError(
                f"LoadDiffusersUNet: the CONDITIONING has tokens of width {width}, this model reads "
                f"{self.facts.token_width}; encode the prompt with LoadDiffusersText of the same folder"
            )
        # Not the host's CONDCrossAttn: it repeats tokens to a common length, which is no identity for every U-Net.
        conds["c_crossattn"] = host.CONDRegular(tokens)
        if self.facts.unet.get("addition_embed_type") == "text_time":
            conds.update(self._sizes(given))
        if self.facts.noising is not None:
            conds.update(low_resolution_conds(self.facts.noising, given))
        return conds

    def _sizes(self, given: dict[str, Any]) -> dict[str, Any]:
        """SDXL's micro-conditioning. Whole numbers, because the host casts others to half precision."""
        pooled, unet = given.get("pooled_output"), self.facts.unet
        wanted = int(unet["projection_class_embeddings_input_dim"]) - 6 * int(unet["addition_time_embed_dim"])
        if pooled is None or pooled.shape[-1] != wanted:
            found = "no pooled output" if pooled is None else f"a pooled output of width {pooled.shape[-1]}"
            raise SyncError(
                f"LoadDiffusersUNet: the CONDITIONING has {found}, this model (SDXL) reads one of width {wanted}; "
                "encode the prompt with LoadDiffusersText of the same folder"
            )
        height, width = given.get("height", 768), given.get("width", 768)
        sizes = (
            *(height, width, given.get("crop_h", 0), given.get("crop_w", 0)),
            *(given.get("target_height", height), given.get("target_width", width)),
        )
        ids = torch.tensor([[int(s) for s in sizes]], dtype=torch.long).repeat(pooled.shape[0], 1)
        return {"text_embeds": host.CONDRegular(pooled), "time_ids": host.CONDRegular(ids)}


def low_resolution_conds(alphas_cumprod: Tensor, given: dict[str, Any]) -> dict[str, Any]:
    """Second stage of a cascade: the first stage's pictures, noised at the level that the network is told.

    ``given``: ``concat_image`` [N, 3, h, w] in [-1, 1], ``noise_level`` (a timestep), ``noise`` of the run's shape,
    ``seed``, ``device``, and maybe ``concat_scene``: the Scene whose views these are, which then share the noise as
    they share the picture. Returns c_concat [N, 3, H, W] and class_labels [N].
    """
    image, noise = given.get("concat_image"), given["noise"]
    if image is None:
        raise SyncError(
            "LoadDiffusersUNet: this model enlarges a picture and the CONDITIONING has none; put SyncTweediesUpscale "
            "before the sampler"
        )
    level = int(given.get("noise_level", 50))
    if not 0 <= level < len(alphas_cumprod):
        raise SyncError(f"LoadDiffusersUNet: noise_level {level} is outside 0 to {len(alphas_cumprod) - 1}")
    if noise.shape[0] % image.shape[0]:
        raise SyncError(
            f"LoadDiffusersUNet: {image.shape[0]} low-resolution pictures for {noise.shape[0]} views; give one, or one "
            "per view"
        )
    image = torch.nn.functional.interpolate(image.float(), noise.shape[-2:], mode="bilinear", align_corners=True)
    image = image.repeat(noise.shape[0] // image.shape[0], 1, 1, 1)
    # Not the sampler's own seed: its first noise would be the same.
    generator = torch.Generator().manual_seed(((given.get("seed") or 0) + 0x9E3779B9) % 2**63)
    fresh = _noise_of_pictures(given.get("concat_scene"), tuple(image.shape), generator).to(image.device)
    kept = float(alphas_cumprod[level])
    noised = kept**0.5 * image + (1.0 - kept) ** 0.5 * fresh
    labels = torch.full((image.shape[0],), level, dtype=torch.long)
    return {
        "c_concat": host.CONDNoiseShape(noised.to(given["device"])),
        "class_labels": host.CONDRegular(labels.to(given["device"])),
    }


def _noise_of_pictures(scene: Scene | None, shape: tuple[int, ...], generator: torch.Generator) -> Tensor:
    """White noise [N, 3, H, W] for the pictures of N views: of each alone, or shared where a scene is given."""
    fresh = torch.randn(shape, generator=generator)
    if scene is None:
        return fresh
    views = scene.views_of_batch(shape)
    whole = torch.randn(shape[0] // views.count, shape[1], *views.canonical, generator=generator)
    return polar_noise(views, whole, lambda: fresh)


def load_model(name: str) -> tuple[Any, Any]:
    """(MODEL, VAE) from the folder of that name below models/diffusers.

    The VAE is a `Missing` when the folder's is of a kind that the host cannot build. Raises ValueError (one line).
    """
    folder = find_folder(name, "unet")
    try:
        from .diffusers_network import DiffusersNetwork
    except ImportError as error:
        raise ValueError(NO_LIBRARY) from error
    facts = read_facts(folder)

    def make() -> Any:
        base = DiffusersBaseModel(facts, *_load_network(DiffusersNetwork, folder, facts))
        return host.ModelPatcher(base, host.load_device(), host.offload_device())

    model = host.made_again_by(make(), make)
    if facts.pixels and facts.schedule.clipping:
        model.set_model_sampler_post_cfg_function(clip_after_guidance(facts.schedule.clipping))
    return model, PixelVAE() if facts.pixels else load_vae(folder)


def _load_network(network_class: Any, folder: Path, facts: Facts) -> tuple[Any, torch.dtype | None]:
    """The network with its weights, in the host's choice of dtype (and the type to compute in)."""
    try:
        with torch.device("meta"):
            network = network_class.from_config(facts.unet)
        if any(b.is_meta for b in network.buffers()):  # tables that are computed, not stored
            network = network_class.from_config(facts.unet)
    except Exception as error:
        raise ValueError(f"unet/config.json does not describe a U-Net ({first_line(error)})") from error
    network.latent_channels = facts.channels
    dtype, cast = host.network_dtypes(sum(p.numel() for p in network.parameters()))
    weights = read_weights(folder / "unet", UNET, dtype in (torch.float16, torch.bfloat16), dtype)
    _check_weights(network, weights)
    network.load_state_dict(weights, assign=True)
    host.use_cast_layers(network, cast is not None)
    return network.eval().requires_grad_(False), cast


def _check_weights(network: torch.nn.Module, weights: dict[str, Tensor]) -> None:
    wanted = {k: tuple(v.shape) for k, v in network.state_dict().items()}
    got = {k: tuple(v.shape) for k, v in weights.items()}
    wrong = [k for k in wanted if wanted[k] != got.get(k)] + [k for k in got if k not in wanted]
    if wrong:
        first = wrong[0]
        raise ValueError(
            f"the weights in unet do not fit unet/config.json: {len(wrong)} differ, first '{first}' "
            f"(config {wanted.get(first, 'none')}, file {got.get(first, 'none')}); copy the whole folder again"
        )


def load_vae(folder: Path) -> Any:
    """The host's VAE from the folder's weights, or a `Missing` that says why the host cannot build it."""
    config = read_json(folder / "vae" / "config.json")
    widths = list(config.get("block_out_channels", [64]))
    per_block, channels = int(config.get("layers_per_block", 1)), int(config.get("latent_channels", 4))
    kind = config.get("_class_name")
    usual_layout = kind == "AutoencoderKL" and len(widths) == 4 and per_block == 2
    if not usual_layout or config.get("use_quant_conv") is False or widths[0] % 32:
        return Missing(f"LoadDiffusersUNet: the host cannot build this folder's VAE ({kind}); use VAELoader")
    try:
        weights = read_weights(folder / "vae", VAE, False)
    except ValueError as error:
        return Missing(f"LoadDiffusersUNet: no VAE ({error}); use VAELoader")
    arguments = {
        "ddconfig": {
            **{"double_z": True, "z_channels": channels, "resolution": 256, "in_channels": 3, "out_ch": 3},
            **{"ch": widths[0], "ch_mult": [w // widths[0] for w in widths], "num_res_blocks": per_block},
            **{"attn_resolutions": [], "dropout": 0.0},
        },
        "embed_dim": channels,
    }
    standard = widths == [128, 256, 512, 512] and channels == 4
    return host.vae(weights, None if standard else arguments)
