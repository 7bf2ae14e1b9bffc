"""Small models made of the host's own classes. Import them from `hosting`, which imports the host first."""

from __future__ import annotations

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import comfy.cldm.cldm
import comfy.conds
import comfy.controlnet
import comfy.latent_formats
import comfy.model_base
import comfy.model_management
import comfy.model_patcher
import comfy.sd
import comfy.sd1_clip
import comfy.supported_models
import comfy.supported_models_base
import torch
from torch import Tensor

CHANNELS, TOKENS, CONTEXT = 4, 4, 16
UNET = dict(
    image_size=32,
    in_channels=CHANNELS,
    out_channels=CHANNELS,
    model_channels=32,
    num_res_blocks=[1, 1],
    channel_mult=[1, 2],
    transformer_depth=[1, 1],
    transformer_depth_middle=1,
    transformer_depth_output=[1, 1, 1, 1],
    num_heads=4,
    num_head_channels=-1,
    context_dim=CONTEXT,
    use_spatial_transformer=True,
    use_temporal_attention=False,
    use_linear_in_transformer=False,
    adm_in_channels=None,
    legacy=False,
    dtype=torch.float32,
)


def patcher(model: Any) -> Any:
    device = comfy.model_management.get_torch_device()
    return comfy.model_patcher.ModelPatcher(model, device, comfy.model_management.unet_offload_device())


def randomise(module: torch.nn.Module, seed: int = 0) -> None:
    """Random weights everywhere (a fresh network ends in zeros, and would return its input)."""
    generator = torch.Generator().manual_seed(seed)
    for weight in module.parameters():
        weight.data.copy_(torch.randn(weight.shape, generator=generator) * (0.1 if weight.ndim > 1 else 0.02))


def tiny_unet(model_type: str = "EPS") -> Any:
    """A MODEL with the host's own U-Net, two levels deep, with random weights."""
    config = comfy.supported_models.SD15(dict(UNET))
    config.unet_config.update(num_heads=4, num_head_channels=-1)
    model = comfy.model_base.BaseModel(config, model_type=getattr(comfy.model_base.ModelType, model_type))
    randomise(model.diffusion_model)
    return patcher(model)


def tiny_controlnet(seed: int) -> Any:
    """A CONTROL_NET with the host's own network for the hints, with random weights."""
    settings = {k: v for k, v in UNET.items() if k not in ("out_channels", "transformer_depth_output")}
    network = comfy.cldm.cldm.ControlNet(hint_channels=3, **settings)
    randomise(network, seed)
    return comfy.controlnet.ControlNet(network, load_device=comfy.model_management.get_torch_device())


def with_hints(conditioning: Any, shape: tuple[int, ...], *nets: Any) -> Any:
    """Each net gets random hints of a shape, [views, 3, height, width]; the later one is chained to the earlier."""
    previous = None
    for i, net in enumerate(nets):
        hint = torch.rand(shape, generator=torch.Generator().manual_seed(20 + i))
        copy = net.copy().set_cond_hint(hint, 0.7 + 0.2 * i, (0.0, 1.0))
        previous = copy.set_previous_controlnet(previous)
    own = {"control": previous, "control_apply_to_uncond": True}
    return [[tokens, {**options, **own}] for tokens, options in conditioning]


def tiny_clip() -> Any:
    """A CLIP with the host's own text model and tokenizer, one layer of the width that `tiny_unet` reads, random."""
    text_model = dict(
        hidden_act="quick_gelu",
        hidden_size=CONTEXT,
        intermediate_size=2 * CONTEXT,
        max_position_embeddings=77,
        num_attention_heads=2,
        num_hidden_layers=1,
        vocab_size=49408,
        eos_token_id=49407,
    )
    target = SimpleNamespace(
        clip=comfy.sd1_clip.SD1ClipModel,
        tokenizer=comfy.sd1_clip.SD1Tokenizer,
        params={"textmodel_json_config": text_model, "clip_model": comfy.sd1_clip.SDClipModel},
    )
    with torch.no_grad():
        clip = comfy.sd.CLIP(target)
    randomise(clip.cond_stage_model)
    # As distinct as a trained text model's: words differ, and the last norm decides how strong tokens are.
    text = clip.cond_stage_model.clip_l.transformer.text_model
    text.embeddings.token_embedding.weight.data.mul_(10.0)
    text.final_layer_norm.weight.data.fill_(3.0)
    return clip


class PlainLatent(comfy.latent_formats.LatentFormat):
    """A latent space that the host neither scales nor shifts; 8 pixels a cell."""

    latent_channels = CHANNELS
    scale_factor = 1.0


class _PlainConfig(comfy.supported_models_base.BASE):
    unet_config = {"disable_unet_model_creation": True, "in_channels": CHANNELS}
    unet_extra_config = {}
    latent_format = PlainLatent


class AnalyticModel(comfy.model_base.BaseModel):
    """A real model of the host whose clean estimate is ``clean(x [N, C, (1,) h, w], sigma [N, 1, (1,) 1, 1])``.

    ``calls`` keeps what every call was given. ``fails`` maps the number of a call to a function that is called with x
    and may raise, or return another estimate.
    """

    def __init__(self, clean: Callable[[Tensor, Tensor], Tensor], model_type: str) -> None:
        super().__init__(
            _PlainConfig(_PlainConfig.unet_config), model_type=getattr(comfy.model_base.ModelType, model_type)
        )
        self.diffusion_model = torch.nn.Identity()
        self.diffusion_model.dtype = torch.float32
        self.clean = clean
        self.calls: list[tuple[Tensor, float]] = []
        self.fails: Callable[[int, Tensor], Tensor | None] | None = None

    def get_dtype(self) -> torch.dtype:
        return torch.float32

    def _apply_model(self, x: Tensor, t: Tensor, *args: Any, **kwargs: Any) -> Tensor:
        self.calls.append((x.clone(), float(t.reshape(-1)[0])))
        failed = self.fails(len(self.calls), x) if self.fails else None
        return self.clean(x, t.reshape(-1, *[1] * (x.ndim - 1))) if failed is None else failed

    if not hasattr(comfy.model_base.BaseModel, "_apply_model"):
        apply_model = _apply_model


def analytic(clean: Callable[[Tensor, Tensor], Tensor], model_type: str = "EPS") -> Any:
    return patcher(AnalyticModel(clean, model_type))


def gaussian(std: float = 1.0, model_type: str = "EPS") -> Any:
    """A MODEL whose pictures are white noise of that strength: its clean estimate is exact."""

    def clean(x: Tensor, sigma: Tensor) -> Tensor:
        signal = 1.0 - sigma if model_type == "FLOW" else torch.ones_like(sigma)
        return x * signal * std**2 / ((signal * std) ** 2 + sigma**2)

    return analytic(clean, model_type)


def opinionated(model_type: str = "EPS") -> Any:
    """A MODEL that is not linear, and sees other things at other places of a view: views disagree."""

    def clean(x: Tensor, sigma: Tensor) -> Tensor:
        rows = torch.linspace(0.3, 1.0, x.shape[-2])[:, None]
        columns = torch.linspace(1.0, 0.2, x.shape[-1])
        scaled = x / (1.0 + sigma**2).sqrt()
        return torch.tanh(scaled * rows + 0.3 * columns) + 0.2 * scaled.roll(1, -1)

    return analytic(clean, model_type)


def prompt(seed: int, rows: int = 1, **options: Any) -> list[list[Any]]:
    """A CONDITIONING of one entry with random tokens; ``rows`` of them are one prompt per view."""
    generator = torch.Generator().manual_seed(seed)
    return [[torch.randn(rows, TOKENS, CONTEXT, generator=generator), options]]


POSITIVE, NEGATIVE = prompt(1), prompt(2)


class WordedModel(AnalyticModel):
    """Its pictures are noise of strength ``std`` around what the first token of a prompt says of each channel, and
    differ a little from place to place: views disagree, and no estimate is linear. ``linear``: neither of it."""

    def __init__(self, model_type: str = "EPS", std: float = 0.7, linear: bool = False) -> None:
        super().__init__(lambda x, sigma: x, model_type)
        self.flow, self.std, self.linear = model_type == "FLOW", std, linear
        # Added to the estimate: so much of the picture that the conditioning brings (InstructPix2Pix).
        self.reads = 0.0
        self.prompts: list[Tensor] = []

    def _apply_model(self, x: Tensor, t: Tensor, *args: Any, **kwargs: Any) -> Tensor:
        words = kwargs.get("c_crossattn", args[1] if len(args) > 1 else None)
        mean = words[:, 0, :CHANNELS].reshape(-1, CHANNELS, *[1] * (x.ndim - 2)).to(x)
        self.prompts.append(words)
        sigma = t.reshape(-1, *[1] * (x.ndim - 1))
        keep = 1 - sigma if self.flow else torch.ones_like(sigma)
        gain = keep * self.std**2 / ((keep * self.std) ** 2 + sigma**2)
        clean = mean + gain * (x - keep * mean)
        if not self.linear:
            clean = clean + 0.2 * torch.tanh(x.roll(1, -1) * torch.linspace(0.3, 1.0, x.shape[-1]))
        beside = kwargs.get("c_concat", args[0] if args else None)
        if self.reads:
            clean = clean + self.reads * beside
        self.calls.append((x.clone(), float(t.reshape(-1)[0])))
        failed = self.fails(len(self.calls), x) if self.fails else None
        return clean if failed is None else failed

    if not hasattr(comfy.model_base.BaseModel, "_apply_model"):
        apply_model = _apply_model

    def extra_conds(self, **kwargs: Any) -> dict[str, Any]:
        out = super().extra_conds(**kwargs)
        if "c_crossattn" not in out:
            out["c_crossattn"] = comfy.conds.CONDCrossAttn(kwargs["cross_attn"])
        if self.reads:
            picture = kwargs.get("concat_latent_image")
            out["c_concat"] = comfy.conds.CONDNoiseShape(
                torch.zeros_like(kwargs["noise"]) if picture is None else picture
            )
        return out


def worded(model_type: str = "EPS", **options: Any) -> Any:
    return patcher(WordedModel(model_type, **options))
