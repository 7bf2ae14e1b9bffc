"""What SyncCoherence makes of views, without weights: an exemplar of three materials, no prompt, one scene or three?

Plane, sphere and mesh, three seeds each, none and pulled. intra: mean squared distance of the features of disjoint crops
(by filters that the pull does not use), over their mean square. share: how the part of one material scatters from crop
to crop. residual: root mean square distance of patches to the nearest of the exemplars.
"""

from __future__ import annotations

import sys
import time
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

sys.path.insert(0, str(Path(__file__).resolve().parent))

MATERIALS = ("meadow", "bark", "water")
PATCH, STRIDE = 7, 4


def model_of(materials: tuple[str, ...] = MATERIALS) -> tuple[Any, Any, Tensor]:
    """(MODEL, CONDITIONING of no prompt, the exemplars [n, 3, h, w] in [-1, 1])."""
    from syncpack.nodes.models.exemplar_nodes import ExemplarModel, SyncTweediesExemplarPicture

    pictures = torch.cat([SyncTweediesExemplarPicture().load(name)[0] for name in materials])
    model, clip, _ = ExemplarModel().build(pictures, ", ".join(materials), True)
    return model, clip.encode_from_tokens_scheduled(clip.tokenize("")), pictures.movedim(-1, 1) * 2 - 1


def sampled(space: Any, rig: Any, seed: int, given: tuple[Any, Any, Tensor], **changes: Any) -> tuple[Tensor, Tensor]:
    """(views [N, 3, h, w], the canonical picture [3, H, W]) of 20 steps."""
    from syncpack.nodes.declare import defaults
    from syncpack.nodes.sampling.plan import PLAN_INPUTS
    from syncpack.nodes.sampling.sampler import SyncTweediesSampler

    inputs = dict(steps=20, cfg=1.0, sampler_name="euler", scheduler="karras", denoise=1.0)
    inputs |= {**defaults(PLAN_INPUTS), **changes}
    with torch.inference_mode():
        views, whole = SyncTweediesSampler().sample(given[0], space, rig, given[1], given[1], seed, **inputs)
    return views["samples"].clone(), whole["samples"][0].clone()


def nearest(crops: Tensor, exemplars: Tensor) -> tuple[Tensor, Tensor]:
    """(distances [n, P], materials [n, P]) of patches of crops [n, 3, h, w] to the nearest of the exemplars'."""
    bank = [F.unfold(F.pad(e[None], (0, PATCH - 1, 0, PATCH - 1), "circular"), PATCH)[0].T for e in exemplars]
    asked = F.unfold(crops, PATCH, stride=STRIDE).transpose(1, 2)
    flat = asked.reshape(-1, asked.shape[2])
    best = torch.stack([(torch.cdist(flat, part)).amin(1) for part in bank], 1) / flat.shape[1] ** 0.5
    found = best.min(1)
    return found.values.reshape(asked.shape[:2]), found.indices.reshape(asked.shape[:2])


def judged(crops: Tensor, exemplars: Tensor) -> dict[str, float]:
    """intra, share, residual of crops [n, 3, h, w]."""
    from syncpack.sync_core.quality import intra_distance

    distance, material = nearest(crops, exemplars)
    shares = torch.stack([(material == m).float().mean(1) for m in range(len(exemplars))], 1)
    return {
        "intra": intra_distance(crops),
        "share std": float(shares.std(0, correction=0).mean()),
        "residual": float(distance.square().mean().sqrt()),
        "shares": shares.mean(0).tolist(),
    }
