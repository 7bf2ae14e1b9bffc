"""One call of a model, seen from around it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from comfy.ldm.modules import attention as attention_layers
from torch import Tensor

from ..objects import Model
from ..wrappers import HAS_WRAPPERS, with_wrapper

HAS_OVERRIDE = HAS_WRAPPERS and hasattr(attention_layers, "wrap_attn")
"""Whether this host lets a call's attention be overridden (since the autumn of 2025)."""


@dataclass(frozen=True)
class ModelCall:
    """network: the diffusion model. x [rows, C, (T,) h, w]; context: the text's tokens [rows, L, ..]; options: the
    transformer_options; more: what else the conditioning brings. inside: evaluates the model with other options."""

    network: Any
    x: Tensor
    context: Tensor | None
    options: dict[str, Any]
    more: dict[str, Any]
    inside: Callable[[dict[str, Any]], Tensor]


def around_model_calls(model: Model, function: Callable[[ModelCall], Tensor]) -> None:
    """Put ``function`` around every call of a (cloned) model, in place of what this pack has put there before."""

    def wrapper(
        executor: Any,
        x: Tensor,
        t: Tensor,
        c_concat: Tensor | None = None,
        c_crossattn: Tensor | None = None,
        control: Any = None,
        transformer_options: dict[str, Any] | None = None,
        **more: Any,
    ) -> Tensor:
        network = executor.class_obj.diffusion_model
        return function(
            ModelCall(
                getattr(network, "_orig_mod", network),
                x,
                c_crossattn,
                transformer_options or {},
                more,
                lambda options: executor(x, t, c_concat, c_crossattn, control, options, **more),
            )
        )

    model.model_options = with_wrapper(model.model_options, "APPLY_MODEL", wrapper)
