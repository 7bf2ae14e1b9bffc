"""The call of PyTorch3D, held against a twin by its documentation: it runs on no machine that tests this pack."""

import inspect
import math

import pytest
import torch
from helpers.meshes import box, torus
from oracles import pytorch3d_twin
from syncpack.renderers.cameras.viewpoints import Viewpoint
from syncpack.renderers.mesh.mesh import Mesh
from syncpack.renderers.mesh.raster.fragments import Fragments
from syncpack.renderers.mesh.raster.raster import rasterise
from syncpack.renderers.mesh.raster.raster_pytorch3d import as_fragments, on_screen, settings

CAMERAS = {
    "in front": Viewpoint.orbit(0.4, 0.3, 2.5),
    "near": Viewpoint.orbit(2.4, -0.5, 1.7, fov=math.radians(80)),
    "shifted": Viewpoint((0.3, 0.2, 2.2), fov=math.radians(50), shift=(0.25, -0.1)),
    "parallel": Viewpoint.orbit(-0.7, 0.9, 3.0, span=2.6),
    "inside": Viewpoint((1.0, 0.05, 0.03), right=(0, 0, 1), fov=math.radians(100)),
    "parallel, in the middle": Viewpoint((0.1, 0.013, 0.02), span=2.2),
}


def _through_the_twin(mesh: Mesh, camera: Viewpoint, height: int, width: int, cull: bool) -> Fragments:
    """``rasterise_pytorch3d`` with the twin in the place of the library."""
    points = on_screen(mesh.vertices, camera, height, width)
    asked = settings(points, mesh.faces, camera, height, width, cull)
    face, depth, bary, _ = pytorch3d_twin.rasterize_meshes(points.numpy(), mesh.faces.numpy(), **asked)
    return as_fragments(torch.from_numpy(face), torch.from_numpy(depth), torch.from_numpy(bary))


@pytest.mark.parametrize("cull", [False, True])
@pytest.mark.parametrize("size", [(24, 24), (17, 30), (31, 18)])
@pytest.mark.parametrize("name", CAMERAS)
def test_the_call_shows_what_our_rasteriser_shows(name: str, size: tuple[int, int], cull: bool) -> None:
    mesh, camera = torus(9, 6), CAMERAS[name]
    ours = rasterise(mesh.vertices, mesh.faces, camera, *size, "torch", cull)
    theirs = _through_the_twin(mesh, camera, *size, cull)
    assert torch.equal(ours.face, theirs.face) and theirs.face.dtype == torch.int32
    assert torch.allclose(ours.bary, theirs.bary, atol=1e-5) and theirs.bary.dtype == torch.float32
    assert torch.allclose(ours.depth, theirs.depth, rtol=1e-5) and theirs.depth.dtype == torch.float32
    assert bool(ours.covered.any()) != (name == "inside" and cull)


def test_an_empty_view_is_empty() -> None:
    seen = _through_the_twin(box(), Viewpoint((0.0, 0.0, -9.0)), 8, 6, False)
    assert not bool(seen.covered.any()) and bool(torch.isinf(seen.depth).all()) and not bool(seen.bary.any())


def test_the_screen_is_the_documented_one() -> None:
    """A camera at 2 that looks along -Z with a picture of 2 : 1: what is right of it lies at -X, what is above at +Y,
    1 is the middle of the upper edge, 2 the middle of the left one, and Z is the distance."""
    camera = Viewpoint((0.0, 0.0, 2.0), fov=math.radians(90))
    points = torch.tensor([[0.0, 0, 0], [0, 1, 0], [-2, 0, 0], [2, 0, 0], [1, 0.5, 1]])
    expected = torch.tensor([[0.0, 0, 2], [0, 1, 2], [2, 0, 2], [-2, 0, 2], [-2, 1, 1]]).double()
    assert torch.allclose(on_screen(points, camera, 50, 100), expected)


def test_the_settings_are_names_of_the_call() -> None:
    mesh, camera = box(), CAMERAS["in front"]
    asked = settings(on_screen(mesh.vertices, camera, 8, 8), mesh.faces, camera, 8, 8, False)
    assert set(asked) <= set(inspect.signature(pytorch3d_twin.rasterize_meshes).parameters)
