"""The host's call of a sampler function."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from torch import Tensor

from ..host.objects import Wrapper


@dataclass(frozen=True)
class SamplerCall:
    """The host's call of a sampler function, all but the state x: calling this is that call.

    model: the wrapper that the sampler calls as ``model(x, sigma, **extra_args)``. ``callback`` is told of every step,
    ``options`` are the sampler's own (eta, s_noise, noise_sampler ...). source: the wrapper of an edit's source.
    """

    function: Callable[..., Tensor]
    model: Wrapper
    sigmas: Tensor
    extra_args: dict[str, Any]
    callback: Callable[[dict[str, Any]], None] | None
    disable: bool | None
    options: dict[str, Any]
    source: Wrapper | None = None

    def __call__(self, x: Tensor) -> Tensor:
        return self.function(
            self.model,
            x,
            self.sigmas,
            extra_args=self.extra_args,
            callback=self.callback,
            disable=self.disable,
            **self.options,
        )

    @property
    def steps(self) -> int:
        return len(self.sigmas) - 1

    @property
    def seed(self) -> int | None:
        return self.extra_args.get("seed")

    @property
    def model_options(self) -> dict[str, Any]:
        return self.extra_args.get("model_options", {})

    @property
    def given(self) -> Tensor | None:
        """View latents that the run starts from, in the host's shape, on the model's scale; None: from noise alone."""
        latent = getattr(self.model, "latent_image", None)
        return latent if latent is not None and bool(latent.count_nonzero()) else None

    def part(self, first: int, last: int) -> SamplerCall:
        """The call for the steps from ``first`` to before ``last`` alone, told as steps of the whole."""
        if (first, last) == (0, self.steps):
            return self

        def shown(info: dict[str, Any]) -> None:
            self.tell(first + int(info["i"]), info)

        return replace(self, sigmas=self.sigmas[first : last + 1], callback=shown, disable=True)

    def tell(self, step: int, info: dict[str, Any]) -> None:
        """What the sampler says after a step, passed on as of ``step``."""
        if self.callback is not None:
            self.callback({**info, "i": step})
