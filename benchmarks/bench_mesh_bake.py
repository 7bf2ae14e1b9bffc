"""Painting a texture: fidelity and time of the bake, the fill, hints, turntables, and rigs chosen by coverage.

Claims, for ten views of 512 and a texture of 1024: a smooth known texture comes back with 35 dB or more on what views
see, a constant to 1e-6, and a view costs a fraction of a second. Times are of the process (all threads).
"""

from __future__ import annotations

import math
import sys
import time
from pathlib import Path

import torch

for folder in ("benchmarks", "tests"):
    sys.path.insert(0, str(Path(__file__).resolve().parent.parent / folder))

SIDE, TEXTURE = 512, 1024


def run() -> dict[str, float | str | list[float]]:
    from helpers.meshes import smooth_colour, torus
    from syncpack.renderers.cameras.orbits import orbit
    from syncpack.renderers.cameras.viewpoints import Orbit
    from syncpack.renderers.mesh.bake.bake import bake, picture_of
    from syncpack.renderers.mesh.bake.own_texture import with_texture
    from syncpack.renderers.mesh.bake.surface_fill import fill_surface
    from syncpack.renderers.mesh.coverage_rig import coverage_rig
    from syncpack.renderers.mesh.geometry import MeshGeometry
    from syncpack.renderers.mesh.looks import MeshViews
    from syncpack.renderers.mesh.space import MeshTexture
    from syncpack.renderers.mesh.turntable import turntable

    mesh = torus(216, 116)
    geometry = MeshGeometry(MeshTexture(mesh, TEXTURE, TEXTURE), Orbit(orbit(), SIDE, SIDE))
    grid = geometry.texels(TEXTURE, TEXTURE)
    views = MeshViews.of(mesh, geometry.rig)
    _ = views.fragments

    def at(face: torch.Tensor, bary: torch.Tensor) -> torch.Tensor:
        return smooth_colour((mesh.vertices[mesh.faces[face]] * bary[..., None]).sum(1))

    images = views.painted((0.0, 1.0, 0.0), at)
    figures: dict[str, float | str | list[float]] = {"faces": float(len(mesh.faces))}
    # What is compiled or built once is not a bake's time.
    bake(geometry, images)
    baked = None
    for name, how in (("best view", {"weighting": "best view"}), ("average", {"detail": 0.0}), ("two bands", {})):
        begin = time.process_time()
        baked = bake(geometry, images, **how)
        figures[f"{name}: s per view"] = round((time.process_time() - begin) / 10, 3)
        error = (baked.colours - smooth_colour(grid.position))[baked.seen].double()
        figures[f"{name}: PSNR dB"] = round(-10 * math.log10(float(error.square().mean())), 1)
    assert baked is not None
    flat = bake(geometry, torch.full((10, SIDE, SIDE, 3), 0.3))
    figures["constant: largest error"] = float((flat.colours[flat.seen] - 0.3).abs().max())
    figures["texels seen"] = round(baked.share, 4)
    begin = time.process_time()
    filled = fill_surface(grid.position, grid.normal, baked.colours, baked.seen, "smooth")
    figures["fill s"] = round(time.process_time() - begin, 2)
    begin = time.process_time()
    picture = picture_of(grid, filled)
    figures["padding s"] = round(time.process_time() - begin, 2)
    begin = time.process_time()
    views.depth(blur=True), views.normals(), views.position(), views.shading()
    figures["hints: s per view"] = round((time.process_time() - begin) / 10, 3)
    begin = time.process_time()
    frames = list(turntable(with_texture(geometry.space, picture), 4, SIDE, SIDE))
    figures["turntable: s per frame"] = round((time.process_time() - begin) / len(frames), 3)
    begin = time.process_time()
    cameras, reached = coverage_rig(mesh, target=0.98)
    figures["coverage rig s"] = round(time.process_time() - begin, 2)
    figures["coverage rig views"] = float(len(cameras))
    figures["coverage rig share"] = round(reached.shares[-1], 4)
    return figures


def main() -> None:
    for name, value in run().items():
        print(f"{name:28} {value}")


if __name__ == "__main__":
    from run_all import name_pack

    name_pack()
    main()
