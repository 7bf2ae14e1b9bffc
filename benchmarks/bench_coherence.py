"""What SyncCoherence makes of views, without weights: an exemplar of three materials, no prompt, one scene or three?

Plane, sphere and mesh, three seeds each, none and pulled. intra: mean squared distance of the features of disjoint
crops (by filters that the pull does not use), over their mean square. share: how the part of one material scatters from
crop to crop. residual: root mean square distance of patches to the nearest of the exemplars.
"""

from __future__ import annotations

import sys
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


def plane() -> tuple[Any, Any]:
    from syncpack.renderers.plane.space import Plane, Windows

    return Plane(384, 64), Windows(64, 64, 32, 64)


def sphere() -> tuple[Any, Any]:
    from syncpack.nodes.views.spaces import rig_from
    from syncpack.renderers.panorama.space import Panorama

    return Panorama(192, 96), rig_from("sphere", 48, 48, fov=90)


def teapot() -> tuple[Any, Any]:
    from syncpack.renderers.cameras.orbits import orbit
    from syncpack.renderers.cameras.viewpoints import Orbit
    from syncpack.renderers.mesh.files.load import load_mesh
    from syncpack.renderers.mesh.space import MeshTexture

    mesh = load_mesh(Path(__file__).resolve().parent.parent / "assets" / "teapot.glb").mesh
    return MeshTexture(mesh, 256, 256), Orbit(orbit(), 64, 64)


def crops_of(space: Any, rig: Any, views: Tensor, whole: Tensor) -> Tensor:
    """Six crops of a plane, the level views at the compass points of a sphere, four sides of an object."""
    if views.shape[-1] * 6 == whole.shape[-1]:
        return torch.stack(whole.split(64, -1))
    from syncpack.renderers.scene import Scene

    places = Scene(space, rig).view_places()
    level = [p for p in places if abs(p.elevation or 0) < 1 and p.azimuth is not None]
    return torch.stack(
        [views[min(level, key=lambda p, a=a: abs((p.azimuth - a + 180) % 360 - 180)).index] for a in (0, 90, 180, -90)]
    )


def compared(where: Any, seeds: range, given: Any, **pull: Any) -> dict[str, float | list[float]]:
    """Of three seeds, none and pulled: intra of each, its ratio, and the ratio of residuals."""
    from syncpack.nodes.engine.coherence import Coherence
    from syncpack.sync_core.steering.pull import Pull

    space, rig = where()
    found: dict[str, list[dict[str, Any]]] = {"none": [], "pulled": []}
    for seed in seeds:
        for name, coherence in (("none", None), ("pulled", Coherence(Pull(**pull)))):
            views, whole = sampled(space, rig, seed, given, coherence=coherence)
            found[name].append(judged(crops_of(space, rig, views, whole), given[2]))
    mean = {
        n: {k: sum(r[k] for r in rows) / len(rows) for k in ("intra", "share std", "residual")}
        for n, rows in found.items()
    }
    return {
        "intra, none": [r["intra"] for r in found["none"]],
        "intra, pulled": [r["intra"] for r in found["pulled"]],
        "intra, none / pulled": mean["none"]["intra"] / mean["pulled"]["intra"],
        "share std, pulled": mean["pulled"]["share std"],
        "residual, pulled / none": mean["pulled"]["residual"] / mean["none"]["residual"],
    }
