"""A box whose sides differ in colour, and what the mesh viewer should show of it by our own rasteriser."""

import math

import numpy as np
import torch
import torch.nn.functional as F
from syncpack.renderers.cameras.viewpoints import Viewpoint
from syncpack.renderers.mesh.material import Part
from syncpack.renderers.mesh.mesh import Mesh
from syncpack.renderers.mesh.raster.raster import rasterise

BACKGROUND = 0.3 * 255

# Sides of a box in the order +x, -x, +y, -y, +z, -z: a corner, and the two edges from it, counter-clockwise seen from
# outside.
SIDES = (
    ((1, -1, 1), (0, 0, -1), (0, 1, 0)),
    ((-1, -1, -1), (0, 0, 1), (0, 1, 0)),
    ((-1, 1, 1), (1, 0, 0), (0, 0, -1)),
    ((-1, -1, -1), (1, 0, 0), (0, 0, 1)),
    ((-1, -1, 1), (1, 0, 0), (0, 1, 0)),
    ((1, -1, -1), (-1, 0, 0), (0, 1, 0)),
)


def atlas(turn=0.0):
    """float [256, 384, 3]: six cells of 128, each of another hue, brighter to the right and greener upwards."""
    line = (torch.arange(128) + 0.5) / 128
    cells = []
    for number in range(6):
        hue = [0.5 + 0.4 * math.cos(2 * math.pi * (number / 6 + k / 3) + turn) for k in range(3)]
        cell = torch.tensor(hue).repeat(128, 128, 1) * (0.6 + 0.4 * line[None, :, None])
        cell[..., 1] += 0.1 * line.flip(0)[:, None]
        cells.append(cell)
    return torch.cat([torch.cat(cells[:3], 1), torch.cat(cells[3:], 1)]).clamp(0, 1)


def box(turn=0.0, size=(1.0, 0.8, 0.6), at=(3.0, 2.0, -1.0)):
    """A box away from the origin; each side has its cell of the atlas, up to its border."""
    vertices, uvs, faces = [], [], []
    for number, (corner, right, up) in enumerate(SIDES):
        column, row = number % 3, number // 3
        for u, v in ((0, 0), (1, 0), (1, 1), (0, 1)):
            place = [c + 2 * (u * r + v * t) for c, r, t in zip(corner, right, up, strict=True)]
            vertices.append([p * s + a for p, s, a in zip(place, size, at, strict=True)])
            # Half a texel inside, so that no neighbour's colour is mixed in.
            uvs.append([(column + (0.5 + 127 * u) / 128) / 3, 1 - (row + 1 - (0.5 + 127 * v) / 128) / 2])
        first = 4 * number
        faces += [[first, first + 1, first + 2], [first, first + 2, first + 3]]
    index = torch.tensor(faces)
    part = (Part("box", atlas(turn)),)
    return Mesh(torch.tensor(vertices), index, torch.tensor(uvs), index, torch.zeros(12, dtype=torch.int64), part)


def viewpoint(mesh, azimuth, elevation, distance, height, width):
    across = math.tan(math.radians(45) / 2) * width / min(width, height)
    turn = (math.radians(azimuth), math.radians(elevation))
    camera = Viewpoint.orbit(*turn, distance, fov=2 * math.atan(across))
    return camera.in_scene(mesh.centre, mesh.radius)


def decoded(colour):
    return torch.where(colour <= 0.04045, colour / 12.92, ((colour + 0.055) / 1.055) ** 2.4)


def encoded(light):
    return torch.where(light <= 0.0031308, light * 12.92, 1.055 * light.clamp_min(1e-9) ** (1 / 2.4) - 0.055).clamp(
        0, 1
    )


def expected(mesh, azimuth, elevation, height, width, lit=False, distance=2.75):
    """(picture [H, W, 3] in [0, 255], inside [H, W]: pixels whose neighbours see the same side of the box, or none)."""
    camera = viewpoint(mesh, azimuth, elevation, distance, height, width)
    seen = rasterise(mesh.vertices, mesh.faces, camera, height, width)
    face = seen.face.long().clamp_min(0)
    uv = (mesh.uvs[mesh.face_uvs[face]] * seen.bary[..., None]).sum(-2)
    grid = torch.stack([2 * uv[..., 0] - 1, 1 - 2 * uv[..., 1]], -1)[None]
    texture = mesh.parts[0].texture.movedim(-1, 0)[None]
    colour = F.grid_sample(texture, grid, align_corners=False, padding_mode="border")[0].movedim(0, -1)
    if lit:
        place = (mesh.vertices[mesh.faces[face]] * seen.bary[..., None]).sum(-2)
        ray = F.normalize(torch.tensor(camera.position) - place, dim=-1)
        normal = mesh.face_normals[face]
        sky = 0.22 + 0.28 * (0.5 + 0.5 * normal[..., 1])
        light = sky + 0.62 * (normal * ray).sum(-1).clamp_min(0)
        colour = encoded(decoded(colour) * light[..., None])
    picture = torch.where(seen.covered[..., None], colour * 255, BACKGROUND)
    side = torch.where(seen.covered, face // 2, -1).float()[None, None]
    around = F.pad(side, (1, 1, 1, 1), mode="replicate")
    same = F.max_pool2d(around, 3, 1) == -F.max_pool2d(-around, 3, 1)
    return picture.numpy(), same[0, 0].numpy()


def difference(found, mesh, *look, **more):
    """Largest difference inside sides, and how many pixels of borders are ``strange``."""
    picture, inside = expected(mesh, *look, *found.shape[:2], **more)
    assert inside.mean() > 0.9 and 0.1 < (picture != BACKGROUND).any(-1).mean() < 0.6
    error = np.abs(found - picture).max(-1)
    print(look, more, "worst", error[inside].max(), "strange", strange(found, picture))
    return error[inside].max(), strange(found, picture)


def strange(found, picture):
    """Share of the pixels on borders that are no mixture of what lies around them: of sides that should be hidden."""
    around = F.pad(torch.from_numpy(picture).movedim(-1, 0)[None], (1, 1, 1, 1), mode="replicate")
    high, low = F.max_pool2d(around, 3, 1)[0].movedim(0, -1), -F.max_pool2d(-around, 3, 1)[0].movedim(0, -1)
    border = (high - low).amax(-1) > 20
    given = torch.from_numpy(found)
    return float(((given > high + 12) | (given < low - 12)).any(-1)[border].float().mean())
