"""Vertices that no face shows decide nothing: not what is seen, nor how large the object is."""

from dataclasses import replace

import pytest
import torch
import trimesh
from syncpack.renderers.cameras.viewpoints import Viewpoint
from syncpack.renderers.mesh.mesh import Mesh
from syncpack.renderers.mesh.raster.raster import depth_buffer, rasterise
from syncpack.renderers.mesh.raster.visibility import seen_points
from syncpack.renderers.mesh.uvs.unwrap import unwrap

DISTANCES = (1e5, 1e9, 1e18)


def pipe(far=None, how="unused"):
    """An open pipe; ``far``: with a vertex so far away, that is not used, or by a face without area."""
    shape = trimesh.creation.annulus(0.5, 1.0, 3.0, sections=12)
    vertices, faces = torch.from_numpy(shape.vertices.copy()).float(), torch.from_numpy(shape.faces.copy()).long()
    if far is not None:
        vertices = torch.cat([vertices, torch.tensor([[far, -far, far]])])
        number = len(vertices) - 1
        extra = {"unused": [], "point": [[number] * 3], "line": [[0, 0, number]]}[how]
        faces = torch.cat([faces, torch.tensor(extra, dtype=torch.int64).reshape(-1, 3)])
    none = torch.zeros(0, 2), torch.zeros(0, 3, dtype=torch.int64)
    return Mesh(vertices, faces, *none, torch.zeros(len(faces), dtype=torch.int64))


@pytest.mark.parametrize("far", DISTANCES)
@pytest.mark.parametrize("how", ("unused", "point", "line"))
@pytest.mark.parametrize("span, backend", [(None, "torch"), (3.0, "torch"), (None, "auto")])
def test_the_same_is_seen(far, how, span, backend):
    plain, stray = pipe(), pipe(far, how)
    assert stray.centre == pytest.approx(plain.centre) and stray.radius == pytest.approx(plain.radius)
    for azimuth, elevation in ((0.3, 0.2), (2.5, 1.2), (4.0, -0.9)):
        camera = Viewpoint.orbit(azimuth, elevation, 2.2, span=span).in_scene(plain.centre, plain.radius)
        expected = rasterise(plain.vertices, plain.faces, camera, 64, 64, backend)
        found = rasterise(stray.vertices, stray.faces, camera, 64, 64, backend)
        assert torch.equal(found.face, expected.face) and torch.equal(found.depth, expected.depth)
        assert torch.equal(depth_buffer(stray.vertices, stray.faces, camera, 64, 64, backend)[0], expected.face)
        middle = plain.vertices[plain.faces].mean(1)
        points = [seen_points(m, middle, plain.face_normals, camera, 64, 64, backend=backend) for m in (plain, stray)]
        assert torch.equal(points[0].point, points[1].point) and len(points[0].point) > 5


def test_only_stray_areas_still_have_a_size():
    mesh = pipe()
    flat = replace(mesh, faces=torch.tensor([[0, 1, 1], [2, 2, 3]]), part_of_face=torch.zeros(2, dtype=torch.int64))
    assert flat.radius > 0


@pytest.mark.parametrize("far", DISTANCES)
def test_they_are_unwrapped_like_the_rest(far):
    plain, stray = unwrap(pipe(), "boxes", 256).mesh, unwrap(pipe(far), "boxes", 256).mesh
    assert torch.equal(plain.face_uvs, stray.face_uvs) and torch.allclose(plain.uvs, stray.uvs, atol=1e-5)
