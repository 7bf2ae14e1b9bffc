"""The networks of the toy world: the host's U-Net and ControlNet on patches of pixels, and a text encoder.

The U-Net's own part of a call is F; together they give the clean estimate

    D(x, sigma) = s² / (sigma² + s²) x + sigma / sqrt(sigma² + s²) F(x / sqrt(sigma² + 1), t),    s = 0.15,

which is F at high noise and x - sigma n at low noise (the preconditioning of Karras et al. 2022, with an s below the
data's deviation). At high noise a patch of pixels holds more noise than a narrow network can carry through, so that one
which predicts noise, or v, learns nothing there.
"""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ... import host
from ...host.errors import SyncError

# Pixels in [-1, 1] times this are what the networks see.
SCALE = 1.5
SIGMA_DATA = 0.15


@dataclass(frozen=True)
class Sizes:
    """channels of the first level; patch: pixels a side of one cell; context: width of the text's tokens; tokens: how
    many a prompt has, the first being the whole prompt's; words: how many the encoder knows."""

    words: int
    channels: int = 64
    patch: int = 4
    context: int = 64
    tokens: int = 20

    def unet(self) -> dict[str, Any]:
        """Arguments of the host's U-Net. Attention is on the lower of its two levels."""
        decoder = {"out_channels": 3 * self.patch**2, "transformer_depth_output": [0, 0, 1, 1]}
        return {**self.encoder(), **decoder}

    def encoder(self) -> dict[str, Any]:
        """Those of them that a ControlNet has as well."""
        return {
            **{"image_size": 32, "in_channels": 3 * self.patch**2, "model_channels": self.channels},
            **{"num_res_blocks": [1, 1], "channel_mult": [1, 2], "transformer_depth": [0, 1]},
            **{"transformer_depth_middle": 1, "num_heads": 4, "num_head_channels": -1, "context_dim": self.context},
            **{"use_spatial_transformer": True, "use_linear_in_transformer": False, "legacy": False},
            **{"adm_in_channels": self.context, "num_classes": "sequential", "use_scale_shift_norm": True},
            "dtype": torch.float32,
        }

    def control(self) -> dict[str, Any]:
        """The same without attention: where something is does not depend on words."""
        return {**self.encoder(), "transformer_depth": [0, 0], "transformer_depth_middle": -1}

    def to_json(self) -> dict[str, int]:
        return asdict(self)


class NoiseLevels:
    """What the host needs to know of a model's noise levels: Stable Diffusion's curve, up to sigma 105, so that a
    picture's overall colour drowns in noise as well."""

    sampling_settings = {"linear_start": 0.00085, "linear_end": 0.0225}


def noise_levels() -> Any:
    """The host's model_sampling of these networks."""
    return host.X0Sampling(NoiseLevels)  # pyright: ignore[reportArgumentType]


def check_patches(x: Tensor, patch: int) -> None:
    """Raise SyncError (one line) for pictures [.., h, w] that do not divide into patches."""
    height, width = x.shape[-2:]
    if height % patch or width % patch or min(height, width) < 2 * patch:
        raise SyncError(
            f"ToyWorldModel: a view of {width} x {height} pixels does not divide into patches of {patch}; set the "
            f"view size to a multiple of {2 * patch}, 64 is best"
        )


class ToyUNet(host.UNetModel):
    """The host's U-Net inside the formula above, on patches of pixels."""

    def __init__(self, sizes: Sizes) -> None:
        super().__init__(**sizes.unet(), operations=host.Operations)
        self.patch = sizes.patch
        self.register_buffer("sigmas", noise_levels().sigmas.float(), persistent=False)

    def forward(
        self,
        x: Tensor,
        timesteps: Tensor,
        context: Tensor | None = None,
        y: Tensor | None = None,
        control: Any = None,
        transformer_options: dict[str, Any] | None = None,
        **more: Any,
    ) -> Tensor:
        """x [B, 3, h, w] / sqrt(sigma² + 1), timesteps [B], context [B, tokens, width], y [B, width] -> D [B, 3, h, w].

        Raises SyncError for sizes that do not divide into patches.
        """
        options = transformer_options or {}
        return host.run_network(self._run, self, options, x, timesteps, context, y, control, options, **more)

    def _run(
        self, x: Tensor, timesteps: Tensor, context: Any, y: Any, control: Any, options: dict[str, Any], **more: Any
    ) -> Tensor:
        check_patches(x, self.patch)
        patches = F.pixel_unshuffle(x, self.patch)
        made = host.unet_inside(self, patches, timesteps, context, y, control, options, **more)
        last = len(self.sigmas) - 1
        sigma = self.sigmas[timesteps.round().long().clamp(0, last)].reshape(-1, 1, 1, 1).to(x.dtype)
        spread = sigma**2 + SIGMA_DATA**2
        keep = SIGMA_DATA**2 / spread * (sigma**2 + 1).sqrt()
        return keep * x + sigma / spread.sqrt() * F.pixel_shuffle(made, self.patch).to(x.dtype)


class ToyControl(host.ControlNetwork):
    """The host's ControlNet on the same patches; its hint is a picture in 0..1 of the size of the view."""

    def __init__(self, sizes: Sizes) -> None:
        super().__init__(hint_channels=3, **sizes.control(), operations=host.Operations)
        self.patch, c = sizes.patch, sizes.channels
        conv, act = host.Operations.Conv2d, nn.SiLU()
        self.input_hint_block = host.TimestepSequential(
            *(nn.PixelUnshuffle(self.patch), conv(3 * self.patch**2, c, 3, padding=1), act),
            *(conv(c, c, 3, padding=1), act, conv(c, c, 3, padding=1)),
        )

    def forward(self, x: Tensor, hint: Tensor, timesteps: Tensor, context: Tensor, y: Any = None, **more: Any) -> Any:
        check_patches(x, self.patch)
        if y is None or y.shape[-1] != self.label_emb[0][0].in_features:
            raise SyncError(
                "ToyWorldModel: this CONTROL_NET belongs to the toy world's own model and text; for another "
                "checkpoint load its ControlNet with ControlNetLoader"
            )
        return super().forward(F.pixel_unshuffle(x, self.patch), hint, timesteps, context, y, **more)


class _Layer(nn.Module):
    def __init__(self, width: int, heads: int = 4) -> None:
        super().__init__()
        self.heads = heads
        self.norm1, self.norm2 = nn.LayerNorm(width), nn.LayerNorm(width)
        self.qkv, self.out = nn.Linear(width, 3 * width), nn.Linear(width, width)
        self.inner, self.outer = nn.Linear(width, 4 * width), nn.Linear(4 * width, width)

    def forward(self, x: Tensor) -> Tensor:
        b, n, d = x.shape
        q, k, v = self.qkv(self.norm1(x)).reshape(b, n, 3, self.heads, d // self.heads).permute(2, 0, 3, 1, 4)
        seen = F.scaled_dot_product_attention(q, k, v).transpose(1, 2).reshape(b, n, d)
        x = x + self.out(seen)
        return x + self.outer(F.gelu(self.inner(self.norm2(x))))


class TextNetwork(nn.Module):
    """Words to tokens: ids [B, tokens] -> [B, tokens, context]; the first token stands for the whole prompt."""

    def __init__(self, sizes: Sizes) -> None:
        super().__init__()
        self.token = nn.Embedding(sizes.words, sizes.context)
        self.place = nn.Parameter(torch.randn(sizes.tokens, sizes.context) * 0.3)
        self.layers = nn.ModuleList(_Layer(sizes.context) for _ in range(2))
        self.norm = nn.LayerNorm(sizes.context)

    def forward(self, ids: Tensor) -> Tensor:
        x = self.token(ids) + self.place
        for layer in self.layers:
            x = layer(x)
        return self.norm(x)


_STARTS_AT_ZERO = ("out_layers.3", "proj_out", "out.2", "label_emb.0.2", "middle_block_out.0")


def initialise(network: nn.Module, seed: int) -> None:
    """Weights to start training from, as the host leaves them undefined: uniform by fan-in, the last layer of every
    block and all that a ControlNet adds at zero."""
    torch.manual_seed(seed)
    for name, module in network.named_modules():
        if isinstance(module, nn.GroupNorm | nn.LayerNorm):
            nn.init.ones_(module.weight)
            nn.init.zeros_(module.bias)
        elif isinstance(module, nn.Conv2d | nn.Linear):
            nn.init.kaiming_uniform_(module.weight, a=math.sqrt(5))
            if module.bias is not None:
                nn.init.zeros_(module.bias)
            if name.endswith(_STARTS_AT_ZERO) or "zero_convs" in name:
                nn.init.zeros_(module.weight)
