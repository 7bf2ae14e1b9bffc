"""What makes a texture sharp: the settings of the workflow mesh_exemplar, at a small size, against each view alone."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from syncpack.nodes import NODE_CLASS_MAPPINGS as NODES
from syncpack.nodes.declare import defaults
from syncpack.nodes.engine.vae import GivenViews
from syncpack.nodes.mesh.pictures import BakeWishes, bake_textures
from syncpack.nodes.sampling.plan import PLAN_INPUTS, PROCESS_LABELS
from syncpack.nodes.views.orbits import OrbitWishes, orbit_rig
from syncpack.renderers.mesh.files.load import load_mesh
from syncpack.renderers.mesh.space import MeshTexture
from syncpack.renderers.scene import Scene
from syncpack.sync_core.aggregate import Aggregator
from syncpack.sync_core.quality import cross_view_psnr, high_frequency_energy

pytestmark = pytest.mark.host

ROOT = Path(__file__).resolve().parents[2]
ALONE = next(label for label in PROCESS_LABELS if label.startswith("0 "))
WIDTH, HEIGHT = 80, 60


def shipped() -> dict[str, list[Any]]:
    nodes = json.loads((ROOT / "workflows" / "mesh_exemplar.json").read_text(encoding="utf-8"))["nodes"]
    return {node["type"]: node["widgets_values"] for node in nodes if node.get("widgets_values")}


@dataclass
class Teapot:
    """The workflow's run at a small size, or as it is changed."""

    space: MeshTexture
    model: Any
    clip: Any
    vae: Any
    views: int

    @classmethod
    def load(cls) -> Teapot:
        values = shipped()
        image, name = NODES["SyncTweediesExemplarPicture"]().load(picture=values["SyncTweediesExemplarPicture"][0])
        model, clip, vae = NODES["ExemplarModel"]().build(image=image, names=name, periodic=True, object_only=True)
        mesh = load_mesh(ROOT / "assets" / "teapot.glb").mesh
        cells = round(values["MeshSpace"][1] * WIDTH / values["OrbitRig"][1])
        return cls(MeshTexture(mesh, 256, 256, cells), model, clip, vae, values["OrbitRig"][10])

    def painted(
        self, steps: int, scheduler: str, exponent: tuple[float, float], **plan: Any
    ) -> tuple[float, float, float]:
        """(Detail of the views on the object, detail of the texture as they show it, how well they agree in dB)."""
        orbit = shipped()["OrbitRig"]
        wishes = OrbitWishes(
            "orbit_sphere", WIDTH, HEIGHT, orbit[3], orbit[4], framing="tight", views=self.views,
            exponent=exponent[0], exponent_end=exponent[1],
        )  # fmt: skip
        rig, _ = orbit_rig(wishes, self.space)
        words = self.clip.encode_from_tokens_scheduled(self.clip.tokenize("stone wall"))
        given = {**defaults(PLAN_INPUTS), **plan}
        with torch.inference_mode():
            latents, _ = NODES["SyncTweediesSampler"]().sample(
                model=self.model, space=self.space, rig=rig, positive=words, negative=words, seed=3, steps=steps,
                cfg=1.0, sampler_name="euler", scheduler=scheduler, denoise=1.0, final_sync=False, **given,
            )  # fmt: skip
            texture = bake_textures(self.space, rig, BakeWishes(), GivenViews(latents, self.vae, None))[0]
            pictures = self.vae.decode(latents["samples"]).movedim(-1, 1)
            geometry = Scene(self.space, rig).geometry
            views = geometry.views(1, 1).at(1.0)
            outside = F.max_pool2d((~views.covered)[:, None].float(), 5, 1, 2)
            straight = geometry.cosines(HEIGHT, WIDTH).reshape(outside.shape) > 0.6
            inner = (outside == 0) & straight
            shown = geometry.look(texture.movedim(-1, 1))
            agreed = cross_view_psnr(pictures, views.project(Aggregator(views)(pictures)), 1.0, views.covered)
        return high_frequency_energy(pictures, inner), high_frequency_energy(shown, inner), agreed


def test_views_that_agree_are_as_sharp_as_each_alone() -> None:
    """Views weighed by who looks straightest, and steps where the drawing is decided: the detail of a single view."""
    teapot, values = Teapot.load(), shipped()
    sampler, orbit = values["SyncTweediesSampler"], values["OrbitRig"]
    exponent = (orbit[16], orbit[17])
    alone, alone_baked, apart = teapot.painted(sampler[2], sampler[5], exponent, process=ALONE)
    views, baked, agreed = teapot.painted(sampler[2], sampler[5], exponent, sync_end=sampler[11])
    assert agreed >= 35 > 25 > apart, (agreed, apart)
    assert views >= 0.8 * alone, views / alone
    # (what is baked of views that do not agree has edges where one view ends, which count as detail)
    assert baked >= 0.6 * alone_baked, baked / alone_baked
    # Plain averages at levels that are mostly low melt the stones.
    melted, melted_baked, _ = teapot.painted(16, "karras", (1.0, 3.0), sync_end=0.9)
    assert melted < 0.5 * alone and melted_baked < 0.5 * alone_baked, (melted / alone, melted_baked / alone_baked)
