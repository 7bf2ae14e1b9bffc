"""A guider with two pairs of prompts: what is wanted, and what the source shows. And what users ask an edit for."""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from torch import Tensor

from ....sync_core.steering.edits import Edit
from ....sync_core.synchronizer import SyncPlan
from ... import host
from ...host.objects import Guider, Model
from ..patch_needs import guidance_keeps_state

Conditioning = list[list[Any]]

# Processes whose state an edit can carry: views, whose clean estimates are averaged, or not.
_PROCESSES = (0, 2)
# Under these names a conditioning holds pictures that a model reads beside the noise.
_PICTURES = ("concat_latent_image", "reference_latents")


@dataclass(frozen=True)
class EditJob:
    """What the EDIT socket carries: the edit, and the prompts of the source for a sampler that makes its own guider.

    source None: the guider has it. source_negative None: as that of the target.
    """

    edit: Edit
    source: Conditioning | None = None
    source_negative: Conditioning | None = None
    source_cfg: float = 1.5

    def check(self, plan: SyncPlan, save_every: int, coherence: object, **given: object) -> None:
        """Raise ValueError for a plan that an edit cannot go by. given: what else averages or changes estimates, by the
        name of its input; None: nothing."""
        if save_every:
            raise ValueError(f"save_every {save_every}: an edit is not saved on its way; use 0")
        if coherence is not None:
            raise ValueError(
                "coherence moves what is noisy, and an edit's state has no noise; disconnect coherence or edit"
            )
        named = "StochSync" if plan.stochastic is not None else f"process {plan.process}"
        if plan.stochastic is not None or plan.process not in _PROCESSES:
            raise ValueError(
                f"an edit walks without noise in its state, which {named} moves or replaces; use process 2"
            )
        if plan.coupling:
            raise ValueError("SyncSDE draws views to each other's noise, and an edit's state has none; use process 2")
        if plan.process == 0 and self.edit.walk == "random":
            raise ValueError("the random walk of an edit averages what views change, which process 0 does not; use 2")
        if plan.travel.times > 1:
            raise ValueError(
                f"travel_times {plan.travel.times} brings noise back, and an edit's state has none; use travel_times 1"
            )
        if plan.variance_correction:
            raise ValueError(
                f"variance_correction {plan.variance_correction:g} restores what averaging takes of estimates, and an "
                "edit averages changes; use 0"
            )
        there = [name for name, value in given.items() if value is not None]
        if there and self.edit.walk == "random":
            raise ValueError(
                f"{there[0]} works on clean estimates, and the random walk of an edit averages gradients; disconnect "
                "it, or use walk falling"
            )

    def bare(self) -> EditJob:
        """The same, for a sampler whose guider knows the prompts. Raises ValueError where there are others."""
        if self.source is not None or self.source_negative is not None:
            raise ValueError(
                "SyncEdit has a source, and SamplerCustomAdvanced takes the prompts of its GUIDER; connect the source "
                "to SyncEditGuider alone"
            )
        return self

    def prompts(self, positive: Conditioning, negative: Conditioning, views: int, total: int) -> Prompts:
        """The prompts of a run on ``total`` rows, ``views`` of each picture. Raises ValueError without the source's,
        and for what does not fit."""
        if self.edit.baseline == "none":
            return Prompts(positive, negative, positive, negative)
        if self.source is None:
            raise ValueError(
                "SyncEdit has no source: connect the prompt of what the picture shows (an empty text will do)"
            )
        prompts = Prompts(positive, negative, self.source, self.source_negative or negative)
        if self.edit.baseline == "image":
            for name, entries in (("positive", positive), ("source", self.source)):
                if not any(picture in entry[1] for entry in entries for picture in _PICTURES):
                    raise ValueError(
                        f"baseline image compares what a model reads beside the noise, and {name} holds no picture; "
                        "make it with InstructPixToPixConditioning, or use baseline source"
                    )
        for entry in (*prompts.source, *prompts.source_negative):
            rows = entry[0].shape[0] if isinstance(entry[0], Tensor) else 1
            if rows not in (1, views, total):
                raise ValueError(f"SyncEdit's source has {rows} prompts for {total} views; use 1 or one for each view")
        return prompts


@dataclass(frozen=True)
class Prompts:
    """The two pairs."""

    positive: Conditioning
    negative: Conditioning
    source: Conditioning
    source_negative: Conditioning

    def each(self, change: Callable[[Conditioning], Conditioning]) -> Prompts:
        """The same, each conditioning changed."""
        return Prompts(*(change(text) for text in (self.positive, self.negative, self.source, self.source_negative)))


class EditGuider(host.CFGGuider):
    """The host's guider of the target's pair, which also knows the source's: they are prepared by themselves, so that
    areas and hints of one pair are not those of the other."""

    conds: Any
    cfg: Any

    def __init__(self, model: Model, prompts: Prompts, cfg: float, source_cfg: float) -> None:
        base: Any = super()
        base.__init__(model)
        self.inner_set_conds(
            {
                "positive": prompts.positive,
                "negative": prompts.negative,
                "source": prompts.source,
                "source_negative": prompts.source_negative,
            }
        )
        self.set_cfg(cfg)
        self.source_cfg = source_cfg
        self.source_conds: dict[str, Any] = {}

    # (the parameters are the host's)
    def inner_sample(self, noise: Tensor, latent_image: Tensor, device: Any, *rest: Any, **more: Any) -> Tensor:
        base: Any = super()
        conds = {"positive": self.conds.pop("source"), "negative": self.conds.pop("source_negative")}
        mask, seed = rest[2], rest[5]
        self.source_conds = host.prepared_conds(self, noise, conds, latent_image, mask, seed, more)
        try:
            return base.inner_sample(noise, latent_image, device, *rest, **more)
        finally:
            # (the host frees the ControlNets of all that it finds here)
            self.conds.update(source=self.source_conds["positive"], source_negative=self.source_conds["negative"])
            self.source_conds = {}

    def predict_noise(self, x: Tensor, timestep: Tensor, model_options: Any = None, seed: Any = None) -> Tensor:
        options: Any = {} if model_options is None else model_options
        base: Any = super()
        if "plain" not in self.conds:
            return base.predict_noise(x, timestep, options, seed)
        return host.guided_by_picture(self, self.source_cfg, x, timestep, options)

    def branches(self, image: bool) -> tuple[Guider, Guider]:
        """(the guider of the target, of the source) of a run that has begun.

        image: InstructPix2Pix. The target is then guided by words and picture, the source by the picture alone; the
        source's negative has neither.
        """
        target, source = copy.copy(self), copy.copy(self)
        target.conds = dict(self.conds)
        if image:
            target.conds["plain"] = self.source_conds["negative"]
        source.conds, source.cfg = dict(self.source_conds), self.source_cfg
        return target, source


def check_guider(guider: Guider, job: EditJob, model_options: dict[str, Any]) -> None:
    """Raise ValueError for a guider that knows no source, where the edit asks for one, and for guidance that the two
    branches would disturb."""
    if guidance_keeps_state(model_options):
        raise ValueError(
            "a guidance patch of this model remembers from call to call, and an edit calls it for two prompts in turn; "
            "remove the patch"
        )
    if job.edit.baseline != "none" and not isinstance(guider, EditGuider):
        raise ValueError(
            f"an edit needs the prompts of the source too, which the GUIDER '{type(guider).__name__}' does not have; "
            "connect SyncEditGuider"
        )
