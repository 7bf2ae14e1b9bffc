"""How well each reading of an ambiguous picture is that reading: what the joined picture shows of each view, and, with
models of the user's own, the two CLIP scores of Visual Anagrams (Geng, Park, Owens, CVPR 2024)."""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor

from ...renderers.scene import Scene
from .. import host
from .pictures import Readings, readings_of
from .rigs import prompts_of

TEMPERATURE = 0.07


def illusion_report(
    scene: Scene, image: Tensor, views: Tensor | None, clip: Any, clip_vision: Any
) -> tuple[str, Tensor]:
    """(figures, one a line; what each reading shows [N, H, W, 3]).

    views [N, h, w, 3]: the decoded views of the sampler, against which the readings are measured. clip, clip_vision: of
    one CLIP model; the scores need both. Raises ValueError for pictures that do not fit the rig, for one model without
    the other, and for models that do not belong together.
    """
    own = readings_of(scene, image)
    shown = own.shown
    lines = [
        "no views connected: nothing to measure the readings against"
        if views is None
        else "what the picture shows of each view (30 dB is hard to tell apart)"
    ]
    if views is not None:
        lines += reconstruction_lines(own, shown, views)
    if (clip is None) != (clip_vision is None):
        missing = "clip_vision" if clip_vision is None else "clip"
        raise ValueError(f"the CLIP scores need both halves of one model; connect {missing}, or disconnect the other")
    if clip is not None:
        lines += score_lines(prompts_of(own.geometry.rig, ""), shown, clip, clip_vision)
    return "\n".join(lines), shown


def reconstruction_lines(own: Readings, shown: Tensor, views: Tensor) -> list[str]:
    """Root mean square error and PSNR of every reading against the view it was joined from."""
    if views.shape[0] != len(own.warps) or views.shape[1:3] != shown.shape[1:3]:
        raise ValueError(
            f"{views.shape[0]} views of {views.shape[2]} x {views.shape[1]} for {len(own.warps)} readings of "
            f"{shown.shape[2]} x {shown.shape[1]}; connect the decoded views of this rig"
        )
    lines: list[str] = []
    for number, warp in enumerate(own.warps):
        # Parts of a hybrid all show the one picture; each answers for its own part.
        given = views[number, ..., :3].float().cpu().movedim(-1, 0)
        if warp.part(given[None] - 0.5) is None:
            joined = shown[number].movedim(-1, 0)
        else:
            joined, given = (warp.reading(p) for p in (own.plain[number].movedim(-1, 0), given))
        error = float((joined - given).square().mean().sqrt())
        decibel = f"{-20 * math.log10(error):.1f} dB" if error > 1e-6 else "exact"
        lines.append(f"reading {number} ({warp.name}): error {error:.4f}, {decibel}")
    return lines


def score_lines(prompts: tuple[str, ...], shown: Tensor, clip: Any, clip_vision: Any) -> list[str]:
    """The similarities of readings [N, H, W, 3] and prompts, and the scores made of them."""
    words = torch.stack([host.text_features(clip, prompt) for prompt in prompts])
    pictures = host.image_features(clip_vision, shown)
    if words.shape[-1] != pictures.shape[-1]:
        raise ValueError(
            f"clip gives {words.shape[-1]} features and clip_vision {pictures.shape[-1]}: they are not halves of one "
            "model; load the text encoder and the vision encoder of the same CLIP"
        )
    table = similarities(pictures, words)
    alignment, concealment = scores(table)
    lines = [
        f"reading {i} against each prompt: {', '.join(f'{float(v):.3f}' for v in row)}" for i, row in enumerate(table)
    ]
    return [
        *lines,
        f"alignment {alignment:.3f} (the worst reading's similarity to its own prompt)",
        f"concealment {concealment:.3f} (how surely each reading is told from the other prompts; "
        f"{1 / len(table):.2f} is chance)",
    ]


def similarities(pictures: Tensor, words: Tensor) -> Tensor:
    """Cosine similarities [N pictures, N prompts] of features [N, D]."""
    a, b = (torch.nn.functional.normalize(v.double(), dim=-1) for v in (pictures, words))
    return a @ b.T


def scores(table: Tensor) -> tuple[float, float]:
    """(A, C) of a square table S of similarities: A = min diag S, C = trace(softmax(S / 0.07)) / N, the softmax taken
    over the prompts of each picture."""
    chances = torch.softmax(table / TEMPERATURE, dim=1)
    return float(table.diagonal().min()), float(chances.diagonal().mean())
