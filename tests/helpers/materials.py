"""Pictures of three materials, made by a model that knows all of them and by no prompt: are they one scene?"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from helpers.hosting import Plane, Scene, Windows, run_node
from syncpack.nodes.models.exemplar_nodes import ExemplarModel, SyncTweediesExemplarPicture
from syncpack.nodes.views.spaces import rig_from
from syncpack.renderers.cameras.orbits import orbit
from syncpack.renderers.cameras.viewpoints import Orbit
from syncpack.renderers.mesh.files.load import load_mesh
from syncpack.renderers.mesh.space import MeshTexture
from syncpack.renderers.panorama.space import Panorama
from syncpack.sync_core.quality import intra_distance
from torch import Tensor

MATERIALS = ("meadow", "bark", "water")
_PATCH, _STRIDE = 7, 4


class Materials:
    """The model and its pictures, each cut to ``size`` pixels (192: whole, and tiling)."""

    def __init__(self, size: int = 64) -> None:
        loaded = [SyncTweediesExemplarPicture().load(name)[0][:, :size, :size] for name in MATERIALS]
        self.pictures = torch.cat(loaded)
        self.model, clip, _ = ExemplarModel().build(self.pictures, ", ".join(MATERIALS), size == 192)
        self.words = clip.encode_from_tokens_scheduled(clip.tokenize(""))
        self._banks = [F.unfold(p.movedim(-1, 0)[None] * 2 - 1, _PATCH)[0].T for p in self.pictures]

    def sampled(self, space: Any, rig: Any, seed: int, **changes: Any) -> tuple[Tensor, Tensor]:
        """(views [N, 3, h, w], the canonical picture [3, H, W]) in -1..1."""
        options = dict(steps=14, scheduler="karras", positive=self.words, negative=self.words) | changes
        views, whole = run_node(self.model, space, rig, seed=seed, **options)
        return views["samples"].clone(), whole["samples"][0].clone()

    def judged(self, crops: Tensor, seen: Tensor | None = None) -> dict[str, Any]:
        """Of crops [n, 3, h, w], by what ``seen`` [n, h, w] says alone. intra: how unlike they are. shares: of patches
        whose nearest is of each material; share: how that scatters from crop to crop. residual: the root mean square
        distance of patches to the nearest; residuals: of those of each material."""
        asked = F.unfold(crops, _PATCH, stride=_STRIDE).transpose(1, 2)
        inside = torch.ones(asked.shape[:2], dtype=torch.bool)
        if seen is not None:
            inside = F.unfold(seen[:, None].float(), _PATCH, stride=_STRIDE).amin(1) > 0
        flat = asked.reshape(-1, asked.shape[2])
        best = torch.stack([torch.cdist(flat, bank).amin(1) for bank in self._banks], 1) / flat.shape[1] ** 0.5
        distance, material = (value.reshape(asked.shape[:2]) for value in best.min(1))
        each = torch.stack([((material == m) & inside).sum(1) / inside.sum(1) for m in range(len(MATERIALS))], 1)
        kinds = [distance[(material == m) & inside] for m in range(len(MATERIALS))]
        return {
            "intra": intra_distance(crops, seen),
            "share": float(each.std(0, correction=0).mean()),
            "residual": float(distance[inside].square().mean().sqrt()),
            "shares": each.mean(0).tolist(),
            "residuals": [float(kind.square().mean().sqrt()) for kind in kinds],
        }


def wide() -> tuple[Any, Any]:
    return Plane(384, 64), Windows(64, 64, 32, 64)


def sphere() -> tuple[Any, Any]:
    return Panorama(192, 96), rig_from("sphere", 48, 48, fov=90)


def teapot(size: int = 64) -> tuple[Any, Any]:
    mesh = load_mesh(Path(__file__).resolve().parents[2] / "assets" / "teapot.glb").mesh
    return MeshTexture(mesh, 256, 256), Orbit(orbit(), size, size)


def watched(space: Any, rig: Any, views: Tensor, whole: Tensor) -> tuple[Tensor, Tensor | None]:
    """(crops that do not overlap, what they see): of a canvas, else the views at the four compass points."""
    scene = Scene(space, rig)
    if scene.view_size[1] == space.height:
        return torch.stack(whole.split(scene.view_size[0], -1)), None
    level = [p for p in scene.view_places() if abs(p.elevation or 0) < 31 and p.azimuth is not None]
    chosen = [
        min(level, key=lambda p, a=a: (abs((p.azimuth - a + 180) % 360 - 180), abs(p.elevation))).index
        for a in (0, 90, 180, 270)
    ]
    shown = scene.views(1)
    return views[chosen], None if shown.fully_covered else shown.covered[chosen]
