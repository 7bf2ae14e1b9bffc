"""The rasteriser: against rays through every pixel, and its backends against each other."""

from __future__ import annotations

import functools
import importlib.util
import math
import threading

import pytest
import torch
from helpers.meshes import box, ring_of_cameras, slow_raster, torus
from syncpack.renderers.cameras.viewpoints import Viewpoint
from syncpack.renderers.mesh.raster.fragments import NEAR
from syncpack.renderers.mesh.raster.raster import Backend, depth_buffer, rasterise

BACKENDS: list[Backend] = [
    "torch",
    *(
        pytest.param(name, marks=pytest.mark.skipif(importlib.util.find_spec(name) is None, reason=f"no {name} here"))
        for name in ("numba", "pytorch3d")
    ),
]  # pyright: ignore[reportAssignmentType]


def _near(vertices: torch.Tensor, camera: Viewpoint) -> float:
    return NEAR * float((-camera.camera_space(vertices.double())[:, 2]).max())


CAMERAS = {
    "in front": Viewpoint.orbit(0.4, 0.3, 2.5),
    "shifted": Viewpoint((0.3, 0.2, 2.2), fov=math.radians(50), shift=(0.25, -0.1)),
    "parallel": Viewpoint.orbit(-0.7, 0.9, 3.0, span=2.6),
    "inside": Viewpoint((1.0, 0.05, 0.03), right=(0, 0, 1), fov=math.radians(100)),
    "parallel, in the middle": Viewpoint((0.1, 0.013, 0.02), span=2.2),
}


@functools.cache
def _expected(name: str, cull: bool) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    mesh, camera = torus(8, 5), CAMERAS[name]
    return slow_raster(mesh.vertices, mesh.faces, camera, 13, 16, _near(mesh.vertices, camera), cull)


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("name", CAMERAS)
@pytest.mark.parametrize("cull", [False, True])
def test_every_pixel_sees_what_its_ray_hits(name: str, backend: Backend, cull: bool) -> None:
    mesh, camera = torus(8, 5), CAMERAS[name]
    face, bary, depth = _expected(name, cull)
    seen = rasterise(mesh.vertices, mesh.faces, camera, 13, 16, backend, cull)
    assert torch.equal(seen.face, face.int())
    assert torch.allclose(seen.bary.double(), bary, atol=1e-5)
    assert torch.allclose(seen.depth.double(), depth, rtol=1e-5)
    if not cull:
        buffers = depth_buffer(mesh.vertices, mesh.faces, camera, 13, 16, backend)
        assert torch.equal(buffers[0], seen.face) and torch.equal(buffers[1], seen.depth)
    # Outside a closed surface, what faces away is hidden anyway; inside there is nothing else.
    outside = name != "inside" and "middle" not in name
    assert bool(seen.covered.any()) != (name == "inside" and cull)
    assert not (outside and cull) or torch.equal(seen.face, _expected(name, False)[0].int())


@pytest.mark.parametrize("backend", BACKENDS)
def test_a_face_that_reaches_behind_the_camera_is_cut_and_not_dropped(backend: Backend) -> None:
    # A floor far larger than the picture, under a camera that stands on it.
    floor = torch.tensor([[-50.0, -1, 50], [50, -1, 50], [0, -1, -90]])
    faces = torch.tensor([[0, 1, 2]])
    camera = Viewpoint((0.0, 0.0, 0.0))
    seen = rasterise(floor, faces, camera, 20, 30, backend)
    expected = slow_raster(floor, faces, camera, 20, 30, _near(floor, camera))
    assert torch.equal(seen.face, expected[0].int())
    assert bool(seen.covered[-1].all()) and not bool(seen.covered[0].any())
    assert torch.allclose(seen.depth.double(), expected[2], rtol=1e-4)


@pytest.mark.parametrize("backend", BACKENDS)
def test_what_is_nearer_than_the_near_plane_is_not_seen(backend: Backend) -> None:
    floor = torch.tensor([[-90.0, -0.004, 90], [90, -0.004, 90], [0, -0.004, -100]])
    faces = torch.tensor([[0, 1, 2]])
    # (tilted: the rectangle that is searched is not already the answer)
    camera = Viewpoint((0.0, 0.0, 0.0), right=(0.8, 0.6, 0.0), up=(-0.6, 0.8, 0.0), fov=math.radians(90))
    seen = rasterise(floor, faces, camera, 40, 40, backend)
    assert torch.equal(seen.face, slow_raster(floor, faces, camera, 40, 40, 100 * NEAR)[0].int())
    assert bool(seen.covered.any()) and float(seen.depth.min()) >= 100 * NEAR


@pytest.mark.parametrize("backend", BACKENDS[1:])
def test_backends_agree(backend: Backend) -> None:
    mesh = torus(120, 60)
    for camera in ring_of_cameras(3, 2):
        ours, theirs = (rasterise(mesh.vertices, mesh.faces, camera, 256, 256, b) for b in ("torch", backend))
        assert float((ours.face == theirs.face).float().mean()) >= 0.999
        same = ours.covered & (ours.face == theirs.face)
        assert torch.allclose(ours.bary[same], theirs.bary[same], atol=1e-4)
        assert torch.allclose(ours.depth[same], theirs.depth[same], rtol=1e-5)


@pytest.mark.parametrize("backend", BACKENDS)
def test_shared_edges_leave_no_gap(backend: Backend) -> None:
    # A square of slivers that meet in one point: any pixel that is lost is a hole in a flat surface.
    angle = torch.arange(0, 200) / 200 * 2 * math.pi
    rim = torch.stack([3 * torch.cos(angle), 3 * torch.sin(angle), torch.zeros(200)], 1)
    vertices = torch.cat([torch.zeros(1, 3) + 0.01, rim])
    faces = torch.tensor([[0, 1 + i, 1 + (i + 1) % 200] for i in range(200)])
    seen = rasterise(vertices, faces, Viewpoint.orbit(0.2, 0.1, 2.0), 301, 301, backend)
    assert bool(seen.covered.all())


@pytest.mark.parametrize("backend", BACKENDS)
def test_nothing_in_view_is_an_empty_view(backend: Backend) -> None:
    mesh = box()
    for camera in (Viewpoint((0.0, 0.0, -9.0)), Viewpoint((50.0, 0.0, 9.0)), Viewpoint((0.0, 0.0, -9.0), span=2.0)):
        seen = rasterise(mesh.vertices, mesh.faces, camera, 8, 8, backend)
        assert not bool(seen.covered.any()) and bool(torch.isinf(seen.depth).all()) and not bool(seen.bary.any())


def test_culling_looks_through_what_faces_away() -> None:
    mesh, inside = box(), Viewpoint((0.0, 0.0, 0.0))
    assert bool(rasterise(mesh.vertices, mesh.faces, inside, 8, 8, "torch").covered.all())
    assert not bool(rasterise(mesh.vertices, mesh.faces, inside, 8, 8, "torch", cull=True).covered.any())


def test_memory_is_bounded_by_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    from syncpack.renderers.mesh.raster import scan

    mesh, camera = box(), Viewpoint.orbit(0.3, 0.2, 2.0)
    whole = rasterise(mesh.vertices, mesh.faces, camera, 64, 64, "torch")
    monkeypatch.setattr(scan.fragments, "__defaults__", (100,))
    pieces = rasterise(mesh.vertices, mesh.faces, camera, 64, 64, "torch")
    assert torch.equal(whole.face, pieces.face) and torch.equal(whole.depth, pieces.depth)


def test_what_cannot_be_drawn_is_refused() -> None:
    mesh, camera = box(), Viewpoint.orbit(0, 0, 2)
    with pytest.raises(ValueError, match="outside the 24 vertices"):
        rasterise(mesh.vertices, mesh.faces + 20, camera, 8, 8)
    with pytest.raises(ValueError, match="no numbers"):
        rasterise(mesh.vertices * math.nan, mesh.faces, camera, 8, 8)
    with pytest.raises(ValueError, match="no pixels"):
        rasterise(mesh.vertices, mesh.faces, camera, 0, 8)
    with pytest.raises(ValueError, match="unknown"):
        rasterise(mesh.vertices, mesh.faces, camera, 8, 8, "opengl")  # pyright: ignore[reportArgumentType]
    if importlib.util.find_spec("pytorch3d") is None:
        with pytest.raises(ValueError, match="not installed"):
            rasterise(mesh.vertices, mesh.faces, camera, 8, 8, "pytorch3d")


@pytest.mark.skipif(importlib.util.find_spec("numba") is None, reason="no numba here")
def test_two_threads_may_rasterise_at_once() -> None:
    mesh, camera = torus(), Viewpoint.orbit(0, 0, 2)
    expected = rasterise(mesh.vertices, mesh.faces, camera, 64, 64, "numba").face
    results: list[torch.Tensor] = []

    def work() -> None:
        for _ in range(5):
            results.append(rasterise(mesh.vertices, mesh.faces, camera, 64, 64, "numba").face)

    threads = [threading.Thread(target=work) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(results) == 15 and all(torch.equal(r, expected) for r in results)
