"""The exemplar prior as a MODEL, CLIP and VAE of the host, so that every sampler and every node takes it."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from ...sync_core.exemplar.prior import ExemplarConfig, ExemplarPrior
from .. import host
from ..engine.chunks import shown_rows
from ..trained import Trained

# Log prior of exemplars that a prompt does not name. Small patches of a picture weigh up to some thousands at the last
# steps: less, and a picture that looks like another exemplar would overrule the prompt.
NEVER = -1e4


class PixelLatent(host.LatentFormat):
    """A "latent" that is the image itself: three channels in [-1, 1], one cell per pixel."""

    latent_channels = 3
    scale_factor = 1.0
    spacial_downscale_ratio = 1
    taesd_decoder_name = None
    latent_rgb_factors = [[1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]]
    latent_rgb_factors_bias = None


class _ExemplarConfig(host.ModelConfig):
    unet_config = {"disable_unet_model_creation": True, "in_channels": 3}
    unet_extra_config = {}
    latent_format = PixelLatent
    memory_usage_factor = 0.5
    trained = Trained(112, 1.0)  # no training; patches of its pictures, seen in views that fit two cores


class ExemplarDiffusionModel(torch.nn.Module):
    """The prior where the host expects a network; only its weights live here."""

    def __init__(self, prior: ExemplarPrior) -> None:
        super().__init__()
        self.prior = prior
        self.dtype = torch.float32


class ExemplarBaseModel(host.BaseModel):
    """EPS model at Stable Diffusion's noise levels; the prior is exact, so no network output is rescaled.

    object_only: of views that show an object, what lies around it is not worked out."""

    def __init__(self, prior: ExemplarPrior, object_only: bool = False) -> None:
        super().__init__(_ExemplarConfig(_ExemplarConfig.unet_config), model_type=host.ModelType.EPS)
        self.diffusion_model = ExemplarDiffusionModel(prior)
        self.object_only = object_only

    def _apply_model(self, x: Tensor, t: Tensor, *args: Any, **kwargs: Any) -> Tensor:
        # The host's arguments: c_concat, c_crossattn, control, transformer_options (by place on newer hosts).
        prompt = kwargs.get("c_crossattn", args[1] if len(args) > 1 else None)
        classes = None if prompt is None else class_log_prior(prompt, self.diffusion_model.prior.n_classes)
        options = kwargs.get("transformer_options", args[3] if len(args) > 3 else None) or {}
        wanted = shown_rows(options, len(x)) if self.object_only else None
        return self.diffusion_model.prior.denoise(x.float(), t.float(), classes, wanted=wanted)

    if not hasattr(host.BaseModel, "_apply_model"):  # 2024: no inner method to override
        apply_model = _apply_model


def class_log_prior(prompt: Tensor, classes: int) -> Tensor:
    """A prompt's encoding [N, 1, classes] -> log prior of the exemplars [N, classes]."""
    return prompt[:, 0, :classes].float()


class ExemplarClip:
    """Prompt words choose exemplars: the text side of the exemplar model.

    A prompt that contains words of some exemplars' names selects those; one that contains none selects all.
    """

    # What the host's text nodes look at on a CLIP.
    layer_idx = None
    use_clip_schedule = False

    def __init__(self, names: list[str]) -> None:
        self.names = names

    def clone(self) -> ExemplarClip:
        return ExemplarClip(self.names)

    def clip_layer(self, layer_idx: int) -> None:
        """Exemplars have no layers to skip."""

    def tokenize(self, text: str, return_word_ids: bool = False, **kwargs: Any) -> dict[str, list[int]]:
        words = {w.strip(".,;:!?()[]\"'") for w in text.lower().replace("_", " ").replace("-", " ").split()}
        chosen = [i for i, name in enumerate(self.names) if words & set(name.lower().replace("_", " ").split())]
        return {"exemplar": chosen}

    def encode_from_tokens(
        self, tokens: dict[str, list[int]], return_pooled: bool = False, return_dict: bool = False
    ) -> Any:
        chosen = tokens["exemplar"] or list(range(len(self.names)))
        encoded = torch.full((1, 1, len(self.names)), NEVER)
        encoded[0, 0, chosen] = 0.0
        pooled = torch.zeros(1, 1)
        if return_dict:
            return {"cond": encoded, "pooled_output": pooled}
        return (encoded, pooled) if return_pooled else encoded

    def encode_from_tokens_scheduled(
        self, tokens: dict[str, list[int]], unprojected: bool = False, add_dict: dict[str, Any] | None = None, **_: Any
    ) -> list[Any]:
        encoded = self.encode_from_tokens(tokens, return_dict=True)
        return [[encoded.pop("cond"), {**encoded, **(add_dict or {})}]]

    def encode(self, text: str) -> Tensor:
        return self.encode_from_tokens(self.tokenize(text))


class PixelVAE:
    """Images and "latents" of pixel models: [B, H, W, 3] in [0, 1] and [B, 3, H, W] in [-1, 1]. Exact both ways."""

    latent_channels = 3
    latent_dim = 2
    downscale_ratio = 1
    upscale_ratio = 1

    def encode(self, pixels: Tensor) -> Tensor:
        return (pixels[..., :3].movedim(-1, 1) * 2.0 - 1.0).contiguous()

    def decode(self, samples: Tensor, **_: Any) -> Tensor:
        return ((samples.movedim(1, -1) + 1.0) / 2.0).clamp(0.0, 1.0).contiguous()

    def encode_tiled(self, pixels: Tensor, **_: Any) -> Tensor:
        return self.encode(pixels)

    def decode_tiled(self, samples: Tensor, **_: Any) -> Tensor:
        return self.decode(samples)

    def spacial_compression_encode(self) -> int:
        return 1

    def spacial_compression_decode(self) -> int:
        return 1

    def temporal_compression_encode(self) -> None:
        return None

    def temporal_compression_decode(self) -> None:
        return None


def exemplar_model(
    images: list[Tensor], names: list[str], config: ExemplarConfig, object_only: bool = False
) -> tuple[Any, ExemplarClip, PixelVAE]:
    """MODEL, CLIP and VAE from exemplar images [H, W, 3] in [0, 1], each with a name that prompts can call.

    Raises ValueError for another number of names than images, and as ``ExemplarPrior.from_images`` (an exemplar that
    is smaller than the smallest patch).
    """
    if len(names) != len(images):
        raise ValueError(f"{len(names)} names for {len(images)} exemplars; give one name for each image")
    pictures = [i[..., :3].movedim(-1, 0) * 2.0 - 1.0 for i in images]

    def make() -> Any:
        base = ExemplarBaseModel(ExemplarPrior.from_images(pictures, config), object_only)
        return host.ModelPatcher(base, host.load_device(), host.offload_device())

    return host.made_again_by(make(), make), ExemplarClip(names), PixelVAE()
