"""Small meshes with texture coordinates, made by formula; and the rasteriser's slow readable twin."""

from __future__ import annotations

import math

import torch
from syncpack.renderers.cameras.viewpoints import Viewpoint
from syncpack.renderers.mesh.material import Part
from syncpack.renderers.mesh.mesh import Mesh
from torch import Tensor


def torus(around: int = 48, across: int = 24, bumps: float = 0.08) -> Mesh:
    """A bumpy torus in the XY plane; its texture is one chart, with a margin, cut along two seams."""
    u, v = torch.meshgrid(torch.arange(around + 1) / around, torch.arange(across + 1) / across, indexing="ij")
    a, b = (2 * math.pi * t.reshape(-1).double() for t in (u, v))
    small = 0.38 * (1 + bumps * torch.sin(5 * a) * torch.cos(3 * b))
    ring = 1 + small * torch.cos(b)
    points = torch.stack([ring * torch.cos(a), ring * torch.sin(a), small * torch.sin(b)], 1)
    uvs = 0.02 + 0.96 * torch.stack([u.reshape(-1), v.reshape(-1)], 1)
    corner = torch.arange((around + 1) * (across + 1)).reshape(around + 1, across + 1)
    face_uvs = _quads(corner)
    # The last row and column of vertices are the first: the surface is closed, the texture is not.
    joined = corner.clone()
    joined[-1], joined[:, -1] = joined[0], joined[:, 0]
    joined[-1, -1] = joined[0, 0]
    faces = joined.reshape(-1)[face_uvs]
    return Mesh(points.float(), faces, uvs.float(), face_uvs, torch.zeros(len(faces), dtype=torch.int64), name="torus")


def _quads(corner: Tensor) -> Tensor:
    a, b, c, d = (t.reshape(-1) for t in (corner[:-1, :-1], corner[1:, :-1], corner[1:, 1:], corner[:-1, 1:]))
    return torch.cat([torch.stack([a, b, c], 1), torch.stack([a, c, d], 1)])


SIDES = ("+x", "-x", "+y", "-y", "+z", "-z")


def box(size: tuple[float, float, float] = (1.0, 1.0, 1.0), parts: int = 1) -> Mesh:
    """Six charts in a grid of 3 x 2; with ``parts`` 6 every side is a part with the whole square."""
    points, faces, uvs = [], [], []
    for side in range(6):
        axis, sign = side // 2, 1 - 2 * (side % 2)
        right, up = [(2, 1), (0, 2), (0, 1)][axis]
        corners = []
        for x, y in ((-1, -1), (1, -1), (1, 1), (-1, 1)):
            p = [0.0, 0.0, 0.0]
            flip = sign if axis == 2 else -sign
            p[axis], p[right], p[up] = sign * size[axis], x * flip * size[right], y * size[up]
            corners.append(p)
            u, v = (x + 1) / 2, (y + 1) / 2
            u, v = 0.05 + 0.9 * u, 0.05 + 0.9 * v
            uvs.append([u, v] if parts == 6 else [(side % 3 + u) / 3, (side // 3 + v) / 2])
        base = len(points)
        points += corners
        faces += [[base, base + 1, base + 2], [base, base + 2, base + 3]]
    index = torch.tensor(faces)
    part = torch.arange(6).repeat_interleave(2) if parts == 6 else torch.zeros(12, dtype=torch.int64)
    names = tuple(Part(name) for name in SIDES) if parts == 6 else (Part("box"),)
    return Mesh(torch.tensor(points), index, torch.tensor(uvs), index, part, names, name="box")


def ring_of_cameras(count: int = 8, tops: int = 2, distance: float = 2.0, fov: float = 60.0) -> tuple[Viewpoint, ...]:
    """The reference's cameras: around at elevation 0, and two from above."""
    around = [(2 * math.pi * i / count, 0.0) for i in range(count)]
    above = [(math.pi * i, math.radians(30)) for i in range(tops)]
    return tuple(Viewpoint.orbit(a, e, distance, fov=math.radians(fov)) for a, e in around + above)


def slow_raster(
    vertices: Tensor, faces: Tensor, camera: Viewpoint, height: int, width: int, near: float, cull: bool = False
) -> tuple[Tensor, Tensor, Tensor]:
    """Every pixel's ray against every face (Moeller and Trumbore): (face [h, w], bary [h, w, 3], depth [h, w])."""
    face = torch.full((height, width), -1)
    bary = torch.zeros(height, width, 3, dtype=torch.float64)
    depth = torch.full((height, width), math.inf, dtype=torch.float64)
    rotation = camera.rotation
    half = math.tan(camera.fov / 2) if camera.span is None else camera.span / 2
    eye = torch.tensor(camera.position, dtype=torch.float64)
    for row in range(height):
        for column in range(width):
            x = (2 * (column + 0.5) / width - 1 - camera.shift[0]) * half
            y = (1 - 2 * (row + 0.5) / height - camera.shift[1]) * half * height / width
            offset, ahead = rotation @ torch.tensor([x, y, 0.0]).double(), -rotation[:, 2]
            origin, ray = (eye, offset + ahead) if camera.span is None else (eye + offset, ahead)
            for number, (i, j, k) in enumerate(faces.tolist()):
                a, b, c = (vertices[n].double() for n in (i, j, k))
                side = torch.linalg.cross(ray, c - a)
                determinant = float((b - a) @ side)
                if determinant == 0 or (cull and determinant < 0):
                    continue
                from_a = origin - a
                u = float(from_a @ side) / determinant
                q = torch.linalg.cross(from_a, b - a)
                v = float(ray @ q) / determinant
                t = float((c - a) @ q) / determinant
                if u >= 0 and v >= 0 and u + v <= 1 and t > near and t < depth[row, column]:
                    face[row, column], depth[row, column] = number, t
                    bary[row, column] = torch.tensor([1 - u - v, u, v], dtype=torch.float64)
    return face, bary, depth


def sheets(count: int = 4, gap: float = 0.5) -> Mesh:
    """Parallel squares one behind the other, far apart in space, that touch each other in the texture (2 x 2)."""
    points, faces, uvs = [], [], []
    for number in range(count):
        base = len(points)
        for x, y in ((0, 0), (1, 0), (1, 1), (0, 1)):
            points.append([2.0 * x - 1, 2.0 * y - 1, -gap * number])
            uvs.append([(number % 2 + x) / 2, (number // 2 % 2 + y) / 2])
        faces += [[base, base + 1, base + 2], [base, base + 2, base + 3]]
    index = torch.tensor(faces)
    part = torch.zeros(len(index), dtype=torch.int64)
    return Mesh(torch.tensor(points), index, torch.tensor(uvs), index, part, name="sheets")


def smooth_colour(points: Tensor) -> Tensor:
    """A smooth colour in space: [..., 3] -> [..., 3] in [0, 1]."""
    x, y, z = points.float().unbind(-1)
    waves = [torch.sin(2 * x + y), torch.cos(2 * y - z), torch.sin(2 * z + x * y)]
    return 0.5 + 0.4 * torch.stack(waves, -1)
