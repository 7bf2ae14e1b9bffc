"""The U-Net of diffusers behind the host's calling convention. Importing this module needs diffusers."""

from __future__ import annotations

from typing import Any

import diffusers
import torch
from torch import Tensor

from .. import host
from ..host.errors import SyncError

# Switches of the host that change what happens inside its own networks, and have no place in this one.
_INNER_PATCHES = ("patches", "patches_replace", "optimized_attention_override")


_Library: Any = diffusers


class DiffusersNetwork(_Library.UNet2DConditionModel):
    """UNet2DConditionModel, called as the host calls its own networks. Weights keep their diffusers names."""

    # Channels of the output that are kept; a learned variance comes after them and is dropped.
    latent_channels = 4

    def forward(
        self,
        x: Tensor,
        timesteps: Tensor,
        context: Tensor | None = None,
        y: Tensor | None = None,
        control: dict[str, Any] | None = None,
        transformer_options: dict[str, Any] | None = None,
        **conds: Any,
    ) -> Tensor:
        """x [B, C_in, h, w] scaled, timesteps [B], context [B, tokens, width] -> output [B, C, h, w].

        ``conds``: ``text_embeds`` [B, D] and ``time_ids`` [B, 6] of SDXL, ``class_labels`` [B] (noise levels).
        """
        options = transformer_options or {}
        used = [name for name in _INNER_PATCHES if options.get(name)]
        if used:
            raise SyncError(
                f"LoadDiffusersUNet: {', '.join(used)} of the MODEL change attention inside the host's own networks "
                "and do nothing here; remove the node that adds them, or use the host's own loader"
            )
        return host.run_network(self._run, self, options, x, timesteps, context, y, control, options, **conds)

    def _run(
        self,
        x: Tensor,
        timesteps: Tensor,
        context: Tensor | None = None,
        y: Tensor | None = None,
        control: dict[str, Any] | None = None,
        transformer_options: dict[str, Any] | None = None,
        **conds: Any,
    ) -> Tensor:
        self._move_pooling(x.device)
        extra: dict[str, Any] = {}
        if "time_ids" in conds:
            extra["added_cond_kwargs"] = {"text_embeds": conds["text_embeds"], "time_ids": conds["time_ids"].float()}
        if "class_labels" in conds:
            extra["class_labels"] = conds["class_labels"].reshape(-1)
        if control:
            extra.update(_residuals(control, self._skip_connections()))
        return super().forward(x, timesteps, context, return_dict=False, **extra)[0][:, : self.latent_channels]

    def _skip_connections(self) -> int:
        return 1 + sum(len(b.resnets) + len(b.downsamplers or ()) for b in self.down_blocks)

    def _move_pooling(self, device: torch.device) -> None:
        # A weight of a module that has sub-modules: the host's partial loading leaves it where it was.
        pool = getattr(getattr(self, "add_embedding", None), "pool", None)
        if pool is not None and pool.positional_embedding.device != device:
            pool.positional_embedding.data = pool.positional_embedding.data.to(device)


def _residuals(control: dict[str, Any], skips: int) -> dict[str, Any]:
    """A ControlNet's output in the host's form -> in that of diffusers: one residual per skip connection."""
    if any(r is not None for r in control.get("input") or ()):
        raise SyncError(
            "LoadDiffusersUNet: T2I-Adapters do not fit a diffusers network; use a ControlNet, or the host's own loader"
        )
    given = [0.0 if r is None else r for r in control.get("output") or ()]
    if len(given) > skips:
        raise SyncError(
            f"LoadDiffusersUNet: this ControlNet is of another family: it has {len(given)} residuals for a U-Net of "
            f"{skips} skip connections; use one that was trained with this model"
        )
    middle = next((r for r in control.get("middle") or () if r is not None), 0.0)
    # The host reads the list from its end.
    return {
        "down_block_additional_residuals": tuple([0.0] * (skips - len(given)) + given),
        "mid_block_additional_residual": middle,
    }
