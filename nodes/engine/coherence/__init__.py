"""Views drawn towards one scene, between the steps of a run: what a user wishes, and what a run makes of it."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import torch
from torch import Tensor

from ....renderers.directions import HINT, parse_selector, views_of
from ....renderers.pictures import covering
from ....renderers.scene import Scene
from ....sync_core.steering.features import Features, Seen, Through
from ....sync_core.steering.islands import ordinary
from ....sync_core.steering.pull import STRONG, Moves, Pull
from ....sync_core.synchronizer import SyncPlan
from ....sync_core.walked import Views
from ... import host
from ...host.objects import VAE, Network
from ..chunks import ViewBatches
from ..vae import check_vae, mean_encoding_vae, vae_encode
from .tiers import WITHOUT_NETWORKS, Sources, Tier, features_of, rescaled

# Views, and cells of latents, whose gradients are made at once. Fixed, so that what memory is free and how views go
# through the model changes no bit.
_VIEWS_AT_ONCE, _CELLS_AT_ONCE = 8, 2**17

_TOO_MUCH = (
    "coherence's features of one view and their gradient exhaust the memory; use features latent, or smaller views"
)


@dataclass(frozen=True)
class Coherence:
    """What SyncCoherence hands on.

    anchor: what the other views are drawn to: ``auto`` (the middle one, see ``Geometry.middle``), ``mean`` (of all), or
    views as prompts name them (``view 7``, ``front``, ``0-3``): the mean of these. reference: pictures [n, H, W, 3] in
    [0, 1] that stand for the anchor. vae: encodes them, and makes the pictures that some features read.
    seed: of the filters.
    """

    pull: Pull
    anchor: str = "auto"
    features: Tier = "latent"
    reference: Tensor | None = None
    vae: VAE = None
    clip_vision: Any = None
    seed: int = 0

    def check(self, plan: SyncPlan) -> None:
        """Raise ValueError for a plan that knows no steps of its own."""
        if plan.stochastic is not None:
            raise ValueError(
                "StochSync begins every step anew, so nothing carries a move of coherence on; disconnect coherence, or "
                "use process 2"
            )

    def begin(
        self, scene: Scene, plan: SyncPlan, views: Views, network: Network, channels: int, steps: int
    ) -> PullRun | None:
        """What moves the views of a run of ``steps`` steps, whose latents have ``channels``; None: nothing ever does.
        Logs what is odd about that. Raises ValueError for what does not fit it."""
        turns = self.pull.turns(steps)
        if not turns:
            return None
        if views.combine is not None:
            raise ValueError(
                "coherence makes views alike, and these make up the picture only together (parts, blended planes); "
                "disconnect it"
            )
        if plan.process == 0 and not plan.coupling:
            logging.warning(
                "SyncTweedies: process 0 leaves views alone, so coherence makes them alike but no seam disappears; use "
                "process 2 for one picture"
            )
        if self.pull.strength >= STRONG:
            logging.warning(
                "SyncTweedies: coherence of strength %g moves views nearly as far as the noise is strong, which models "
                "take for noise; 0.05 is the rule",
                self.pull.strength,
            )
        if scene.geometry.apart:
            logging.warning("SyncTweedies: coherence makes views alike, but %s", scene.geometry.apart)
        sources = Sources(network, channels, views.device, self.vae, self.clip_vision, self.seed)
        features = features_of(self.features, sources)
        cell = scene.view_size[0] // views.width
        if self.features == "model":
            if self.reference is not None:
                raise ValueError("features model compare noisy views, which a reference is not; use features latent")
            host.hidden_block(network.diffusion_model)
        wanted = None
        anchors: tuple[int, ...] = ()
        if self.reference is None:
            anchors = anchor_views(self.anchor, scene, cell)
        else:
            latents = self._reference(scene, network, cell, channels, views.device)
            wanted = torch.cat([features(one[None]) for one in latents]).mean(0, keepdim=True)
        seen = None if views.fully_covered else views.covered
        through = self.features if self.features in ("full", "model") else ""
        at_once = 1
        if self.features in WITHOUT_NETWORKS:
            at_once = max(1, min(_VIEWS_AT_ONCE, _CELLS_AT_ONCE // (views.height * views.width)))
        return PullRun(self.pull, turns, features, views.count, anchors, wanted, seen, through, at_once)

    def _reference(self, scene: Scene, network: Network, cell: int, channels: int, device: torch.device) -> Tensor:
        """The reference as latents of views on the model's own scale, [n, C, h, w]."""
        assert self.reference is not None
        pictures = covering(self.reference[..., :3].movedim(-1, 1).float(), scene.view_size).movedim(1, -1)
        if self.vae is None:
            if cell != 1 or channels != 3:
                raise ValueError(
                    f"coherence's reference has 3 channels and the model's latents {channels}; connect the model's VAE "
                    "to Sync Coherence"
                )
            latents = pictures.movedim(-1, 1) * 2 - 1
        else:
            check_vae(self.vae, cell, channels, "coherence's vae")
            loaded = host.loaded_models()
            latents = vae_encode(mean_encoding_vae(self.vae), pictures)
            host.load_models(loaded, 0)
        if latents.shape[1] != channels:
            raise ValueError(
                f"coherence's vae makes latents of {latents.shape[1]} channels, the model's have {channels}; connect "
                "the VAE of this model"
            )
        return rescaled(network, network.process_latent_in, latents.to(device))


def anchor_views(text: str, scene: Scene, cell: int) -> tuple[int, ...]:
    """The views that an anchor names. Raises ValueError for none."""
    name = text.strip().lower()
    if name in ("auto", ""):
        return (scene.geometry.middle(cell),)
    if name == "mean":
        return tuple(range(scene.geometry.count(cell)))
    selector = parse_selector(text)
    places = scene.view_places()
    if selector is None:
        raise ValueError(f"anchor '{text}' names no views; use auto, mean, or {HINT}")
    found = views_of(selector, places, selector.uses_center, scene.rig.kind)
    if not found:
        raise ValueError(f"anchor '{text}' names no view of this rig; use auto, mean, or {HINT}")
    return tuple(sorted(found))


@dataclass(frozen=True)
class Asked:
    """What the model was asked last: views [B*N, C, h, w], and how. denoise: all views -> their clean estimates, of
    which only the rows that ``batches`` are held to are made. model: the host's, whose network is replaced by ``twin``
    meanwhile, through which gradients flow."""

    views: Tensor
    denoise: Callable[[Tensor], Tensor]
    batches: ViewBatches
    model: Network
    twin: torch.nn.Module

    def estimate(self, row: int, view: Tensor) -> Tensor:
        """The clean estimate [1, C, h, w] of a view in place of row ``row``."""
        views = ordinary(self.views)
        whole = torch.cat([views[:row], view.to(views), views[row + 1 :]])
        with self.batches.only((row,)), host.with_network(self.model, self.twin):
            return self.denoise(whole)[row : row + 1].float()

    def hidden(self, row: int, view: Tensor) -> Tensor:
        """The tokens [1, T, C] of a block of the network for a view in place of row ``row``; what follows is not
        run."""
        kept: list[Any] = []

        def keep(_: torch.nn.Module, __: Any, made: Any) -> None:
            kept.append(made)
            raise _Enough

        handle = host.hidden_block(self.twin).register_forward_hook(keep)
        try:
            self.estimate(row, view)
        except _Enough:
            pass
        finally:
            handle.remove()
        # (blocks of transformers return those of the picture first)
        first: Any = kept[0]
        states: Tensor = first if isinstance(first, Tensor) else first[0]
        states = states.float()
        states = states.flatten(2).transpose(1, 2) if states.ndim == 4 else states
        # (rows are prompts: with guidance the other one may be among them)
        return states.reshape(1, -1, states.shape[2])


class _Enough(Exception):
    """The block that was waited for has been run."""


@dataclass(frozen=True)
class PullRun:
    """The pull of one run. turns: the steps after which views are moved. wanted: features [1, F] of a reference; None:
    those of the views ``anchors``. seen: bool [N, h, w], what each view sees of an object; None: all. through: how the
    gradient goes on through the model: ``full``, through all of it, as published; ``model``, to its hidden states.
    at_once: views whose gradients are made together."""

    pull: Pull
    turns: Sequence[int]
    features: Features
    count: int
    anchors: tuple[int, ...]
    wanted: Tensor | None
    seen: Tensor | None
    through: str = ""
    at_once: int = 1

    def moves(self, clean: Tensor, step: int, level: tuple[float, float]) -> Moves:
        """After ``step``, by its clean estimates [B*N, C, h, w]; level: how much of the picture, and how much noise,
        the state held at its beginning."""
        clean = clean.float()
        wanted = self._wanted(clean)
        done: list[Moves] = []
        for first in range(0, len(clean), self.at_once):
            rows = range(first, min(first + self.at_once, len(clean)))
            part, want = clean[rows.start : rows.stop], wanted[rows.start : rows.stop]
            host.check_interrupt()
            moving = partial(self.pull.moves, part, self._reading(rows), want, level, step - self.turns[0])
            done.append(host.once_more(moving, _TOO_MUCH))
        return Moves(torch.cat([moves.delta for moves in done]), sum(moves.dropped for moves in done))

    def moves_through(self, asked: Asked, clean: Tensor, step: int, level: tuple[float, float]) -> Moves:
        """The same with the gradient by the noisy views, one view after the other."""
        pull, hidden = replace(self.pull, shape="off"), self.through == "model"
        wanted = self._hidden(asked) if hidden else self._wanted(clean.float())
        done: list[Moves] = []
        for row in range(len(clean)):
            features = Through(partial(asked.estimate, row), self._reading(range(row, row + 1)))
            if hidden:
                features = Through(partial(asked.hidden, row), self.features)
            view, want = asked.views[row : row + 1].float(), wanted[row : row + 1]
            try:
                done.append(pull.moves(view, features, want, level, step - self.turns[0]))
            except RuntimeError as error:
                if host.is_out_of_memory(error):
                    raise
                reason = str(error).partition("\n")[0][:160]
                raise ValueError(
                    f"features {self.through} cannot go through this model, its ControlNet or its mask ({reason}); use "
                    "another tier of features"
                ) from error
        return Moves(torch.cat([moves.delta for moves in done]), sum(moves.dropped for moves in done))

    def _hidden(self, asked: Asked) -> Tensor:
        """As `_wanted`, of hidden states."""
        found: list[Tensor] = []
        for first in range(0, len(asked.views), self.count):
            rows = [first + anchor for anchor in self.anchors]
            read = torch.cat([self.features(asked.hidden(row, asked.views[row : row + 1].float())) for row in rows])
            found.append(read.mean(0, keepdim=True).expand(self.count, -1))
        return torch.cat(found)

    def _wanted(self, clean: Tensor) -> Tensor:
        """[B*N, F]: what each view is drawn to, picture by picture."""
        if self.wanted is not None:
            return self.wanted.expand(len(clean), -1)
        found: list[Tensor] = []
        for first in range(0, len(clean), self.count):
            rows = [first + anchor for anchor in self.anchors]
            read = torch.cat([self._reading(range(row, row + 1))(clean[row : row + 1]) for row in rows])
            found.append(read.mean(0, keepdim=True).expand(self.count, -1))
        return torch.cat(found)

    def _reading(self, rows: range) -> Features:
        """The features of these rows of the batch."""
        if self.seen is None:
            return self.features
        return Seen(self.features, ordinary(self.seen[[row % self.count for row in rows]]))
