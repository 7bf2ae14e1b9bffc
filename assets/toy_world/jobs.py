"""What is trained: the model with its text encoder, a depth ControlNet for it, and a LoRA."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ...nodes import host
from ...nodes.models.toy.networks import (
    SCALE,
    SIGMA_DATA,
    Sizes,
    TextNetwork,
    ToyControl,
    ToyUNet,
    initialise,
    noise_levels,
)
from .training import Batch
from .words import TOKENS, WORDS

SIZES = Sizes(words=len(WORDS.known), tokens=TOKENS)
Report = Callable[[Path, int], dict[str, float]]
# Noise levels are drawn around exp(mean), with this deviation of their logarithm.
_LEVELS = {"model": (0.6, 1.5), "controlnet": (1.2, 1.4), "lora": (0.6, 1.5)}


def networks(device: torch.device, seed: int = 0) -> tuple[ToyUNet, TextNetwork]:
    """The model's two networks with weights to start from, fit for gradients."""
    unet = ToyUNet(SIZES)
    initialise(unet, seed)
    torch.manual_seed(seed + 1)
    text = TextNetwork(SIZES)
    return host.keep_what_norms_saw(unet).to(device), text.to(device)  # pyright: ignore[reportReturnType]


class Denoising:
    """The loss of a clean estimate, on the network's own scale: all noise levels weigh the same there."""

    def __init__(self, name: str, unet: ToyUNet, text: TextNetwork, report: Report | None) -> None:
        self.name, self.unet, self.text, self.own_report = name, unet, text, report
        self.levels = noise_levels().to(next(unet.parameters()).device)

    def report(self, folder: Path, step: int) -> dict[str, float]:
        return {} if self.own_report is None else self.own_report(folder, step)

    def control(self, x: Tensor, hint: Tensor, t: Tensor, context: Tensor) -> Any:
        return None

    def look(self, picture: Tensor) -> Tensor:
        """What is learned of a picture [B, 3, h, w] in -1..1."""
        return picture

    def loss(self, batch: Batch, levels: Tensor) -> Tensor:
        picture, hint, ids = batch
        mean, deviation = _LEVELS[self.name]
        drawn = torch.exp(mean + deviation * torch.special.ndtri(levels.clamp(1e-4, 1 - 1e-4)))
        t = self.levels.timestep(drawn.clamp(0.03, float(self.levels.sigma_max)))
        sigma = self.levels.sigmas[t].float().reshape(-1, 1, 1, 1)
        clean = SCALE * self.look(picture)
        x = (clean + sigma * torch.randn_like(clean)) / (sigma**2 + 1).sqrt()
        context = self.text(ids)
        control = self.control(x, hint, t.float(), context)
        made = self.unet(x, t.float(), context, context[:, 0], control)
        weight = 1 + SIGMA_DATA**2 / sigma**2
        return (weight * (made.float() - clean) ** 2).mean()


class ModelJob(Denoising):
    """U-Net and text encoder together."""

    def __init__(self, device: torch.device, report: Report | None = None) -> None:
        super().__init__("model", *networks(device), report)
        self.groups: Sequence[tuple[list[nn.Parameter], float]] = [
            ([*self.unet.parameters(), *self.text.parameters()], 1.0)
        ]


class ControlJob(Denoising):
    """A ControlNet that starts as the model's encoder; the model stays as it is."""

    def __init__(self, unet: ToyUNet, text: TextNetwork, report: Report | None = None) -> None:
        super().__init__("controlnet", unet.requires_grad_(False), text.requires_grad_(False), report)
        made = ToyControl(SIZES)
        initialise(made, 1)
        own = made.state_dict()
        own.update({k: v for k, v in unet.state_dict().items() if k in own and own[k].shape == v.shape})
        made.load_state_dict(own)
        self.network = host.keep_what_norms_saw(made).to(next(unet.parameters()).device)
        # (what starts at zero learns six times as fast, or nothing is heard of the hint for long)
        fresh = [p for n, p in made.named_parameters() if "zero_convs" in n or "middle_block_out" in n]
        known = {id(p) for p in fresh}
        self.groups = [(fresh, 6.0), ([p for p in made.parameters() if id(p) not in known], 1.0)]

    def control(self, x: Tensor, hint: Tensor, t: Tensor, context: Tensor) -> Any:
        return residuals(self.network(x, hint, t, context, context[:, 0]))


def residuals(out: Any) -> dict[str, list[Tensor]]:
    """A ControlNet's answer on any host -> what the U-Net takes. (Hosts of 2024 give a list, the middle last.)"""
    return dict(out) if isinstance(out, dict) else {"output": list(out[:-1]), "middle": [out[-1]]}


def blueprint(picture: Tensor) -> Tensor:
    """[B, 3, h, w] in -1..1 -> the same as a blueprint: white lines and tones on deep blue."""
    light = (picture * picture.new_tensor([0.3, 0.59, 0.11])[:, None, None]).sum(1, keepdim=True) / 2 + 0.5
    across = F.pad((light[..., 1:] - light[..., :-1]).abs(), (0, 1))
    down = F.pad((light[..., 1:, :] - light[..., :-1, :]).abs(), (0, 0, 0, 1))
    tone = (0.1 + 0.28 * (1 - light) + 2.2 * (across + down)).clamp(0, 1)
    dark, bright = (picture.new_tensor(c)[:, None, None] for c in ([0.04, 0.16, 0.5], [0.94, 0.97, 1.0]))
    return (dark + (bright - dark) * tone) * 2 - 1


class LowRank(nn.Module):
    """The change of one weight: up [out, rank] times down [rank, in (x kh x kw)]."""

    def __init__(self, weight: Tensor, rank: int) -> None:
        super().__init__()
        down = torch.randn(rank, *weight.shape[1:], device=weight.device) / weight[0].numel() ** 0.5
        self.down = nn.Parameter(down)
        self.up = nn.Parameter(torch.zeros(weight.shape[0], rank, device=weight.device))

    def forward(self, weight: Tensor) -> Tensor:
        return weight + (self.up @ self.down.flatten(1)).reshape(weight.shape)


class LoraJob(Denoising):
    """A LoRA of the decoder and of attention that draws blueprints; the model stays as it is."""

    def __init__(self, unet: ToyUNet, text: TextNetwork, rank: int = 4, report: Report | None = None) -> None:
        super().__init__("lora", unet.requires_grad_(False), text.requires_grad_(False), report)
        self.rank, self.parts = rank, {}
        torch.manual_seed(2)
        for name, module in list(unet.named_modules()):
            wanted = "output_blocks" in name or "transformer_blocks" in name or name == "out.2"
            if wanted and "emb_layers" not in name and isinstance(module, nn.Conv2d | nn.Linear):
                change = LowRank(module.weight, rank)
                nn.utils.parametrize.register_parametrization(module, "weight", change)
                self.parts[name] = change.requires_grad_(True)
        self.groups = [([p for part in self.parts.values() for p in part.parameters()], 1.0)]

    def look(self, picture: Tensor) -> Tensor:
        return blueprint(picture)
