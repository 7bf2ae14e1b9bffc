"""The texture of a mesh: set-up, a sync step beside the model and beside the reference's way of baking, fidelity.

Claims, for ten views and 50,000 faces: setting up views of 512 on a texture of 1024 takes 3 s (torch) or 1 s (numba); a
sync step of 64x64x4 is at most 1 % of ten SD1.5-sized UNet calls and 20 times faster than the reference's bake; a
smooth texture comes back with 35 dB or more.

The reference's bake, from its description: for every view rasterise, look the texture up under autograd, one step of
gradient descent on a texture of zeros, the same once more with ones for the divisor; then look the mean up again. Both
ways rasterise with the pack's own rasteriser. The Voronoi fill that the reference adds is left out, in its favour.
"""

from __future__ import annotations

import math
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor

for folder in ("benchmarks", "tests"):
    sys.path.insert(0, str(Path(__file__).resolve().parent.parent / folder))

SIDE, TEXTURE, LATENT, REFERENCE_TEXTURE = 512, 1024, 64, 1536


def places_of(mesh, camera, height: int, width: int) -> tuple[Tensor, Tensor]:
    """Where the pixels of a view look the texture up, as grid_sample wants it, and which of them see anything."""
    from syncpack.renderers.mesh.raster.raster import rasterise

    seen = rasterise(mesh.vertices, mesh.faces, camera, height, width)
    corners = mesh.uvs[mesh.face_uvs[seen.face.long().clamp_min(0)]]
    uv = (corners * seen.bary[..., None]).sum(2) * 2 - 1
    return torch.stack([uv[..., 0], -uv[..., 1]], -1)[None], seen.covered


def bake_by_autograd(places: Sequence[Callable[[], tuple[Tensor, Tensor]]], batch: Tensor, size: int) -> Tensor:
    """One synchronisation as the reference does it: views [N, C, h, w] -> the same, through a texture of size^2."""

    def look(texture: Tensor, grid: Tensor, covered: Tensor) -> Tensor:
        return F.grid_sample(texture[None], grid, "nearest", "border", align_corners=True)[0] * covered

    sums, weights = torch.zeros(batch.shape[1], size, size), torch.zeros(1, size, size)
    for view, place in zip(batch, places, strict=True):
        baked = []
        for target in (view, torch.ones_like(view)):
            grid, covered = place()
            texture = torch.zeros(batch.shape[1], size, size, requires_grad=True)
            (0.5 * (look(texture, grid, covered) - target * covered).square().sum()).backward()
            assert texture.grad is not None
            baked.append(-texture.grad)
        sums += baked[0]
        weights += baked[1][:1]
    mean = sums / (weights + 1e-8)
    return torch.stack([look(mean, *place()) for place in places])


def run() -> dict[str, float | str | list[float]]:
    import importlib.util

    from bench_sync import median_seconds
    from helpers.meshes import ring_of_cameras, smooth_colour, torus
    from syncpack.renderers.cameras.viewpoints import Orbit
    from syncpack.renderers.mesh.coverage import sharing
    from syncpack.renderers.mesh.space import MeshTexture
    from syncpack.renderers.scene import Scene
    from syncpack.sync_core.aggregate import Aggregator
    from unets import prompt, random_unet

    mesh = torus(228, 110)
    # 57 % of the texture in use, as xatlas packs charts.
    mesh = replace(mesh, uvs=0.5 + (mesh.uvs - 0.5) * math.sqrt(0.57 / 0.92))
    rig = Orbit(ring_of_cameras(), SIDE, SIDE)
    figures: dict[str, float | str | list[float]] = {"faces": len(mesh.faces), "views": len(rig.viewpoints)}
    backends = ["torch", *(["numba"] if importlib.util.find_spec("numba") else [])]
    for backend in backends:
        small = Scene(MeshTexture(mesh, 64, 64, backend=backend), Orbit(rig.viewpoints[:1], 64, 64))
        small.views(8)  # (kernels are compiled)
        space = MeshTexture(mesh, TEXTURE, TEXTURE, backend=backend)
        scene = Scene(space, rig)
        began, used = time.perf_counter(), time.process_time()
        scene.geometry.views_on(SIDE, SIDE, TEXTURE, TEXTURE, "bilinear")
        figures[f"set-up, views of {SIDE} on {TEXTURE}, {backend}, seconds"] = time.perf_counter() - began
        figures[f"set-up, views of {SIDE} on {TEXTURE}, {backend}, processor seconds"] = time.process_time() - used
        began = time.perf_counter()
        views = scene.views(SIDE // LATENT)
        mean = Aggregator(views)
        _ = mean.mean
        figures[f"set-up, views of {LATENT} cells, {backend}, seconds"] = time.perf_counter() - began
    began = time.perf_counter()
    Scene(space, Orbit(rig.viewpoints, SIDE, SIDE)).views(SIDE // LATENT)
    figures["set-up again, seconds"] = time.perf_counter() - began
    figures["latent grid"] = list(map(float, views.canonical))
    figures["view pixels that share a texel with another view, %"] = 100 * sharing(views)
    with torch.inference_mode():
        geometry = scene.geometry
        grid = geometry.texels(TEXTURE, TEXTURE)
        images = []
        for view in geometry.surfaces(SIDE, SIDE):
            image = torch.zeros(SIDE * SIDE, 3)
            image[view.pixel] = smooth_colour(view.position)
            images.append(image.reshape(SIDE, SIDE, 3))
        began = time.perf_counter()
        texture, weight = geometry.stitch(8, images)
        figures["views -> texture of 1024, seconds"] = time.perf_counter() - began
        seen = weight.reshape(-1)[grid.index] > 0
        error = (texture.reshape(-1, 3)[grid.index] - smooth_colour(grid.position))[seen].square().mean()
        figures["smooth texture through the views, dB"] = -10 * math.log10(float(error))
        figures["share of the texels seen, %"] = 100 * float(seen.float().mean())
        batch = torch.randn(views.count, 4, LATENT, LATENT)
        sync = median_seconds(lambda: views.project(mean(batch)), 20)
    again = [partial(places_of, mesh, camera, LATENT, LATENT) for camera in geometry.cameras()]
    kept = [partial(lambda found: found, place()) for place in again]
    reference = median_seconds(lambda: bake_by_autograd(again, batch, REFERENCE_TEXTURE), 2)
    looked = median_seconds(lambda: bake_by_autograd(kept, batch, REFERENCE_TEXTURE), 2)
    coarse = median_seconds(lambda: bake_by_autograd(kept, batch, views.canonical[0]), 2)
    figures["sync of all views, seconds"] = sync
    figures["reference's bake, texture of 1536, seconds"] = reference
    figures["reference's bake / sync"] = reference / sync
    figures["reference's bake without rasterising / sync"] = looked / sync
    figures["the same on our own grid / sync"] = coarse / sync
    with torch.inference_mode():
        model = random_unet("sd15").model
        context = prompt("sd15", 1)[0][0]
        one, sigma = torch.randn(1, 4, LATENT, LATENT), torch.tensor([5.0])
        call = median_seconds(lambda: model.apply_model(one, sigma, c_crossattn=context), 3)
    figures["UNet call per view, seconds"] = call
    figures["sync / (UNet call x views), %"] = 100 * sync / (call * views.count)
    return figures


def main() -> None:
    from run_all import table

    print(table({"bench_mesh": {"seconds": 0.0, "figures": run()}}))


if __name__ == "__main__":
    main()
