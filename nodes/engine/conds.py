"""Conditionings of some of the views: everything per view is sliced, on copies.

The host matches conditionings to a batch row by row and truncates from the front, so a naive sub-batch silently gets
the prompts, masks and ControlNet hints of the first views.

Pictures that inpaint and edit models read beside the noisy latent, cut into views.

The host's InpaintModelConditioning puts an encoded picture and its mask into the conditioning, and the host would
squeeze a canonical picture of another size into every view without a word.

Prompts for a region that begin alone (MultiDiffusion's bootstrapping, Bar-Tal et al., ICML 2023): in the first steps
what the model is shown for such a prompt is m x + (1 - m) y, y a plain colour as noisy as x.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, cast

import torch
from torch import Tensor

from ...renderers.pictures import along_time, flat
from ...renderers.scene import Scene
from ...sync_core.schedule import Trajectory
from ...sync_core.walked import Views
from .. import host
from ..host.objects import Control, Network
from .latents import fit_to_space, mask_views
from .tagged_conds import VIEWS_KEY, Conds, Entry


def rows_of(value: Tensor, index: Sequence[int]) -> Tensor:
    """Rows ``index`` of a per-view tensor; fewer rows than views repeat, as the host repeats them."""
    count = value.shape[0]
    return value if count == 1 else value[[i % count for i in index]]


def slice_cond(cond: dict[str, Any], index: Sequence[int], controls: ControlCopies) -> dict[str, Any]:
    """A conditioning entry for some of the views; the entry itself is left untouched."""
    part = dict(cond)
    if "num_video_frames" in cond.get("model_conds", {}):
        raise ValueError(
            "this model sees its batch as the frames of one video and cannot take some of the views alone; "
            "set views_per_batch to the number of all views"
        )
    conditioning = {}
    for name, value in cond.get("model_conds", {}).items():
        inner = value.cond
        if isinstance(inner, Tensor) and inner.ndim > 0 and inner.shape[0] > 1:
            value = value._copy_with(rows_of(inner, index))
        elif isinstance(inner, list):
            value = value._copy_with(
                [rows_of(v, index) if isinstance(v, Tensor) else v for v in cast("list[Any]", inner)]
            )
        conditioning[name] = value
    part["model_conds"] = conditioning
    if isinstance(cond.get("mask"), Tensor):
        part["mask"] = rows_of(cond["mask"], index)
    if "control" in cond:
        part["control"] = controls.for_views(cond["control"], tuple(index))
    if "uuid" in cond:
        # Step caches are keyed by it; views of different chunks must not share an entry.
        part["uuid"] = uuid.uuid5(cond["uuid"], str(tuple(index)))
    return part


@dataclass
class ControlCopies:
    """Copies of ControlNets that hold the hints of one chunk of views, made once per run and dropped with it."""

    made: dict[tuple[int, tuple[int, ...]], tuple[Control, Control]] = field(
        default_factory=dict[tuple[int, tuple[int, ...]], "tuple[Control, Control]"]
    )

    def for_views(self, control: Control, index: tuple[int, ...]) -> Control:
        if control is None or hasattr(control, "sub_idxs"):
            return control
        key = (id(control), index)
        if key not in self.made:
            # The original stays referenced, so that its id cannot be taken by another object meanwhile.
            self.made[key] = (control, self._copy(control, index))
        return self.made[key][1]

    def _copy(self, control: Control, index: tuple[int, ...]) -> Control:
        part = control.copy()
        if isinstance(control.cond_hint_original, Tensor):
            part.cond_hint_original = rows_of(control.cond_hint_original, index)
        extra = getattr(control, "extra_concat_orig", None)
        if extra:
            part.extra_concat_orig = [rows_of(e, index) if isinstance(e, Tensor) else e for e in extra]
        for name in ("timestep_range", "model_sampling_current", "manual_cast_dtype", "control_model"):
            if hasattr(control, name):
                setattr(part, name, getattr(control, name))
        part.previous_controlnet = self.for_views(control.previous_controlnet, index)
        clones = getattr(control, "multigpu_clones", None)
        if clones:
            part.multigpu_clones = {device: self.for_views(clone, index) for device, clone in clones.items()}
        return part


IMAGE, MASK = "concat_latent_image", "concat_mask"


def _is_canonical(picture: Tensor, views: Views) -> bool:
    """Of the canonical size, or a cell short of it, as encoders crop; and not a picture of a view."""
    size = tuple(flat(picture).shape[-2:])
    short = [whole - side for whole, side in zip(views.canonical, size, strict=True)]
    return all(s in (0, 1) for s in short) and size != (views.height, views.width)


def repeated(rows: Tensor, total: int) -> Tensor:
    """Rows of every view, canonical pictures one after the other; the host would spread them out instead."""
    count = rows.shape[0]
    return rows if count == 1 or total % count else rows.repeat(total // count, *[1] * (rows.ndim - 1))


def project(scene: Scene, picture: Tensor, views: Views) -> Tensor:
    """[B, C, (1,) *canonical] -> [B*N, C, (1,) h, w]"""
    picture, views = fit_to_space(scene, picture), views.to(picture.device)
    seen = views.project(flat(picture))
    return along_time(seen, scene.geometry.clip.latent) if picture.ndim == 5 else seen


def concat_views(scene: Scene, conditioning: list[list[Any]], shape: tuple[int, ...]) -> list[list[Any]]:
    """A CONDITIONING whose concatenated pictures are those of the views of a batch of ``shape`` [B*N, C, (1,) h, w].

    Pictures of the canonical size are projected with their masks, one row per view is kept; entries without such
    pictures, and the CONDITIONING given, are left as they are.
    """
    views, total = scene.views_of_batch(shape), shape[0]
    result: list[list[Any]] = []
    for entry in conditioning:
        tokens, options = entry[0], dict(entry[1])
        if isinstance(options.get(IMAGE), Tensor):
            picture, mask = options[IMAGE], options.get(MASK)
            if _is_canonical(picture, views):
                if isinstance(mask, Tensor) and scene.geometry.clip.is_video and mask.ndim == 5:
                    mask = project(scene, mask, views)
                elif isinstance(mask, Tensor):
                    mask = mask_views(views.to(mask.device), mask, picture.shape[0])
                picture = project(scene, picture, views)
            options[IMAGE] = repeated(picture, total)
            if isinstance(mask, Tensor):
                options[MASK] = repeated(mask, total)
        result.append([tokens, options, *entry[2:]])
    return result


def check_concat(conds: Iterable[list[dict[str, Any]] | None], views: Views, total: int) -> None:
    """Raise ValueError when concatenated pictures are not those of the views (the host would resize them)."""
    for entry in (e for entries in conds for e in entries or ()):
        picture = entry.get(IMAGE)
        if not isinstance(picture, Tensor):
            continue
        if _is_canonical(picture, views):
            raise ValueError(
                "the picture in the conditioning (InpaintModelConditioning) is the canonical one, not one per view; "
                "make the conditioning from view images and view masks, or use SyncTweediesSampler, which cuts it"
            )
        if picture.shape[0] not in (1, total):
            raise ValueError(
                f"the conditioning holds {picture.shape[0]} pictures (InpaintModelConditioning) for {total} views; "
                f"use 1 or {total}"
            )


BOOTSTRAP = "sync_bootstrap"
"""Fraction of the steps for which an entry with a mask begins alone."""
_MIXED = "sync_bootstrap_input"


def bootstrapped(entries: Iterable[Entry] | None) -> bool:
    """Whether some entry begins alone."""
    return any(entry.get(BOOTSTRAP) for entry in entries or ())


@dataclass(frozen=True)
class Bootstrap:
    """What prompts that begin alone are shown in one run. noise: float [B*N, C, h, w], the same at every step.
    pictures: B. Colours are drawn for each picture, prompt and step."""

    network: Network
    trajectory: Trajectory
    noise: Tensor
    pictures: int
    seed: int

    def __call__(self, conds: Conds, x: Tensor, sigma: Tensor) -> Conds:
        """The conditionings of a call at ``sigma``, entries that still begin alone with what is to be seen of x
        [B*N, C, (1,) h, w] beside them (`mixing` makes it so)."""
        level = float(sigma.reshape(-1)[0])
        passed, step = self.trajectory.passed(level), self.trajectory.step_of(level)
        result = [None if entries is None else list(entries) for entries in conds]
        for side, entries in enumerate(conds):
            for number, entry in enumerate(entries or ()):
                if "mask" not in entry or passed >= entry.get(BOOTSTRAP, 0.0) - 1e-9:
                    continue
                shown = self._beside(entry["mask"], x, sigma, self._colours(step, number, x))
                own = result[side]
                assert own is not None
                own[number] = _showing(entry, shown)
                for other, theirs in enumerate(result):
                    if other != side and theirs is not None:
                        theirs += _opposite(entry, conds[other] or (), shown)
        return result

    def _colours(self, step: int, number: int, x: Tensor) -> Tensor:
        """[B*N, C, 1, 1] on the model's scale: one for each picture."""
        generator = torch.Generator().manual_seed((self.seed * 1009 + step * 31 + number) % 2**63)
        latents = host.flat_colours(self.network, torch.rand(self.pictures, 3, generator=generator), x.shape[1])
        return latents.repeat_interleave(len(x) // self.pictures, 0)[:, :, None, None].to(x)

    def _beside(self, mask: Tensor, x: Tensor, sigma: Tensor, colours: Tensor) -> Any:
        """[B*N, 1 + C, (1,) h, w] for the host: m, and y at this level."""
        noise = self.noise.to(x)
        level = sigma.reshape(-1)[:1].to(x).reshape(1, 1, 1, 1)
        paint = self.network.model_sampling.noise_scaling(level, noise, colours.expand_as(noise))
        m = mask.to(x).reshape(-1, 1, *x.shape[-2:]).clamp(0, 1)
        packed = torch.cat([m[torch.arange(len(x)) % len(m)], paint], 1)
        return host.CONDNoiseShape(packed.unsqueeze(2) if x.ndim == 5 else packed)


def _showing(entry: Entry, shown: Any) -> Entry:
    return {**entry, "model_conds": {**entry["model_conds"], _MIXED: shown}}


def _opposite(entry: Entry, side: Iterable[Entry], shown: Any) -> list[Entry]:
    """The prompts of the other side of guidance once more, where ``entry`` acts and for what it is shown: guidance is
    to see what two prompts make of one picture, not one prompt of two."""
    views = set(entry[VIEWS_KEY]) if VIEWS_KEY in entry else None
    acting = {name: entry[name] for name in ("mask", "mask_strength", "strength", "area") if name in entry}
    result: list[Entry] = []
    for other in side:
        seen = set(other[VIEWS_KEY]) if VIEWS_KEY in other else None
        both = views if seen is None else seen if views is None else seen & views
        if "mask" in other or "area" in other or both == set():
            continue
        part = {**_showing(other, shown), **acting}
        if both is not None:
            part[VIEWS_KEY] = tuple(sorted(both))
        if "uuid" in other:
            part["uuid"] = uuid.uuid5(other["uuid"], _MIXED)
        result.append(part)
    return result


def mixing(before: Callable[..., Tensor] | None) -> Callable[..., Tensor]:
    """The host's model_function_wrapper that shows the model of an entry what `Bootstrap` put beside it. before: what
    was wrapped around the model already."""

    def wrapper(apply: Callable[..., Tensor], args: dict[str, Any]) -> Tensor:
        given, beside = args["input"], args["c"].get(_MIXED)
        c = {name: value for name, value in args["c"].items() if name != _MIXED}
        if beside is not None:
            m, paint = beside[:, :1].to(given), beside[:, 1:].to(given)
            given = m * given + (1 - m) * paint
        if before is not None:
            return before(apply, {**args, "input": given, "c": c})
        return apply(given, args["timestep"], **c)

    return wrapper
