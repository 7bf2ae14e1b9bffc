"""What fewer model calls make of a sphere and of a mesh, beside all views at every step.

Without weights: one exemplar (a stone wall), medians of 5 seeds, 20 steps of euler. Sphere: 192 x 96 pixels, the
default rig of 17 views of 48, or more views to choose from. Mesh: the teapot, the 10 default cameras, views of 64.

calls: views asked at a step, in units of the default rig's. seam: squared steps across borders of views over those
elsewhere in the same row, poles included. detail: variance of the Laplacian of what ten cameras see; poles: that of the
two that look up and down, over that of those at the horizon. holes: cells that no asked view ever saw. agreement: PSNR
between the views and what their average shows. bake: PSNR between the views and what the baked texture shows in their
place. residual: how far patches are from the nearest of the exemplar.

``python benchmarks/bench_visits_round.py [WORD ...]`` runs the cases whose names hold all of the words.
"""

from __future__ import annotations

import statistics
import sys
import time
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

sys.path.insert(0, str(Path(__file__).resolve().parent))

SEEDS = range(5)
STEPS = 20
PATCH = 7
# Views of the rigs that people get without choosing.
SPHERE, MESH = 17, 10


def cases() -> dict[str, tuple[str, Any]]:
    """Name -> (rig, visits)."""
    from syncpack.sync_core.visits.policy import Visits

    turning = lambda overlap, leave=0.1: Visits("turning", overlap, leave=leave)  # noqa: E731
    ending = lambda overlap, leave: Visits("few then all", overlap, 1 / STEPS, leave=leave)  # noqa: E731
    return {
        "sphere, default rig, all": ("sphere", None),
        "sphere, default rig, turning": ("sphere", Visits("turning")),
        "sphere, default rig, leave 0.1": ("sphere", turning(0.125)),
        "sphere, default rig, overlap 0.06, leave 0.2": ("sphere", turning(0.06, 0.2)),
        "sphere, fibonacci of 25, overlap 0.06": ("fibonacci", turning(0.06)),
        "sphere, fibonacci of 25, overlap 0.06, leave 0.2": ("fibonacci", turning(0.06, 0.2)),
        "sphere, default rig, leave 0.2, all in the last step": ("sphere", ending(0.06, 0.2)),
        "sphere, view_overlap 0.5, overlap 0.06, leave 0.2": ("sphere of 20", turning(0.06, 0.2)),
        "sphere, view_overlap 0.6, overlap 0.06": ("sphere of 34", turning(0.06)),
        "sphere, view_overlap 0.6, leave 0.2": ("sphere of 34", turning(0.125, 0.2)),
        "sphere, view_overlap 0.6, all": ("sphere of 34", None),
        "sphere, fibonacci of 25, all": ("fibonacci", None),
        "mesh, leave 0.2, all in the last step": ("mesh", ending(0.06, 0.2)),
        "mesh, all": ("mesh", None),
        "mesh, turning": ("mesh", Visits("turning")),
        "mesh, leave 0.1": ("mesh", turning(0.125)),
        "mesh, overlap 0.06": ("mesh", turning(0.06)),
        "mesh, overlap 0.06, leave 0.2": ("mesh", turning(0.06, 0.2)),
        "mesh, overlap 0.06, leave 0.3": ("mesh", turning(0.06, 0.3)),
    }


class Painter:
    """The exemplar model, and pictures of it with their figures."""

    def __init__(self) -> None:
        from syncpack.nodes.models.exemplar_nodes import ExemplarModel, SyncTweediesExemplarPicture

        picture = SyncTweediesExemplarPicture().load("stone_wall")[0]
        self.model, clip, _ = ExemplarModel().build(picture, "stone wall", True)
        self.words = clip.encode_from_tokens_scheduled(clip.tokenize("stone wall"))
        tile = torch.nn.functional.pad(picture.movedim(-1, 1), (0, PATCH - 1, 0, PATCH - 1), "circular")
        self.bank = torch.nn.functional.unfold(tile, PATCH)[0].T

    def painted(self, rig: str, visits: Any, seed: int) -> dict[str, float]:
        from helpers.hosting import run_node
        from syncpack.renderers.scene import Scene

        space, cameras = _round(rig) if rig == "mesh" else _inside(rig)
        asked = list[int]()

        def counted(apply: Any, args: dict[str, Any]) -> Any:
            asked.append(len(args["input"]))
            return apply(args["input"], args["timestep"], **args["c"])

        model = self.model.clone()
        model.set_model_unet_function_wrapper(counted)
        options = dict(steps=STEPS, scheduler="karras", positive=self.words, negative=self.words)
        began = time.process_time()
        views, whole = run_node(model, space, cameras, seed=seed, visits=visits, final_sync=False, **options)
        seconds = time.process_time() - began
        given, scene = views["samples"].clone() / 2 + 0.5, Scene(space, cameras)
        common = {"calls": sum(asked) / STEPS / (MESH if rig == "mesh" else SPHERE), "seconds": seconds}
        if rig == "mesh":
            return common | self._judged_mesh(scene, given)
        return common | self._judged_sphere(scene, whole["samples"].clone() / 2 + 0.5)

    def residual(self, pictures: Tensor, seen: Tensor | None = None) -> float:
        """Of [n, 3, h, w], by what ``seen`` [n, h, w] says alone."""
        own = torch.nn.functional.unfold(pictures, PATCH, stride=3).transpose(1, 2).flatten(0, 1)
        if seen is not None:
            inside = torch.nn.functional.unfold(seen[:, None].float(), PATCH, stride=3).amin(1).flatten() > 0
            own = own[inside]
        return float(torch.cdist(own, self.bank).amin(1).square().mean().sqrt()) / own.shape[1] ** 0.5

    def _judged_sphere(self, scene: Any, whole: Tensor) -> dict[str, float]:
        from syncpack.renderers.cameras.looks import Look
        from syncpack.renderers.panorama.equirect import look_at
        from syncpack.sync_core.quality import high_frequency_energy

        level = [Look.degrees(azimuth, elevation, 72) for elevation in (0, 45) for azimuth in (0, 90, 180, 270)]
        looks = [*level, Look.degrees(0, 90, 72), Look.degrees(0, -90, 72)]
        seen = torch.cat([look_at(whole.movedim(1, -1), look, 38, 38, "bilinear").movedim(-1, 1) for look in looks])
        detail = [high_frequency_energy(each) for each in seen]
        unseen = scene.views(1).views_per_cell == 0
        return {
            "seam": scene.geometry.seam_ratio(whole[0], 1),
            "detail": statistics.mean(detail),
            "poles": statistics.mean(detail[-2:]) / statistics.mean(detail[:4]),
            "holes": float(unseen.float().mean()),
            "residual": self.residual(seen),
        }

    def _judged_mesh(self, scene: Any, given: Tensor) -> dict[str, float]:
        from syncpack.renderers.mesh.bake.bake import bake, picture_of
        from syncpack.sync_core.quality import cross_view_psnr, high_frequency_energy
        from syncpack.sync_core.synchronizer import Synchronizer, SyncPlan

        geometry, views = scene.geometry, scene.views(1)
        agreed = Synchronizer(SyncPlan(), views).sync(given)[0]
        baked = bake(geometry, given.movedim(1, -1))
        texels = geometry.texels(geometry.space.height, geometry.space.width)
        shown = geometry.look(picture_of(texels, baked.colours).movedim(-1, 0)[None])
        return {
            "agreement": cross_view_psnr(given, agreed, 1.0, views.covered),
            "bake": cross_view_psnr(given, shown, 1.0, views.covered),
            "detail": high_frequency_energy(shown, views.covered[:, None]),
            "residual": self.residual(shown, views.covered),
        }


def _inside(kind: str) -> tuple[Any, Any]:
    from syncpack.nodes.views.spaces import rig_from
    from syncpack.renderers.panorama.space import Panorama

    overlap = {"sphere": 0.25, "sphere of 20": 0.5, "sphere of 34": 0.6, "fibonacci": 0.5}[kind]
    return Panorama(192, 96), rig_from(kind.split()[0], 48, 48, view_overlap=overlap)


def _round(_: str) -> tuple[Any, Any]:
    from helpers.materials import teapot

    return teapot(64)


def figures(painter: Painter, name: str) -> dict[str, Any]:
    """The medians of one case; of seams, all seeds too."""
    rows = [painter.painted(*cases()[name], seed) for seed in SEEDS]
    found = {f"{name}: {key}": statistics.median(row[key] for row in rows) for key in rows[0]}
    if "seam" in rows[0]:
        found[f"{name}: seams"] = [row["seam"] for row in rows]
    return found


def run(words: tuple[str, ...] = ()) -> dict[str, Any]:
    from unets import start_host

    start_host()
    painter, found = Painter(), dict[str, Any]()
    for name in cases():
        if all(word in name for word in words):
            found |= figures(painter, name)
    return found


def main() -> None:
    from run_all import name_pack, table

    name_pack()
    print(table({"bench_visits_round": {"seconds": 0.0, "figures": run(tuple(sys.argv[1:]))}}))


if __name__ == "__main__":
    main()
