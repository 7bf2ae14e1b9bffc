"""Charts end in their own colour, also at tips too narrow for a texel's centre."""

import torch
from helpers.meshes import box
from syncpack.renderers.cameras.orbits import orbit
from syncpack.renderers.cameras.viewpoints import Orbit
from syncpack.renderers.mesh.bake.bake import picture_of
from syncpack.renderers.mesh.bake.chart_borders import borders
from syncpack.renderers.mesh.geometry import MeshGeometry
from syncpack.renderers.mesh.mesh import Mesh
from syncpack.renderers.mesh.part_textures import read_texture
from syncpack.renderers.mesh.space import MeshTexture


def grid_of(space):
    return MeshGeometry(space, Orbit(orbit(), 32, 32)).texels(space.height, space.width)


def needle_and_block():
    """A chart with a long thin tip that ends two texels beside another chart; in space they are far apart."""
    uvs = torch.tensor([[0.1, 0.48], [0.9, 0.5], [0.1, 0.52], [0.7, 0.57], [0.95, 0.57], [0.95, 0.9]])
    points = torch.cat([4 * uvs, torch.tensor([[0.0], [0.0], [0.0], [3.0], [3.0], [3.0]])], 1)
    faces = torch.tensor([[0, 1, 2], [3, 4, 5]])
    return Mesh(points, faces, uvs, faces, torch.zeros(2, dtype=torch.int64), name="needle")


def test_a_tip_shows_its_own_colour():
    space = MeshTexture(needle_and_block(), 32, 32, layout="joint")
    grid = grid_of(space)
    colours = torch.tensor([[1.0, 0.0, 0.0], [0.0, 0.0, 1.0]])[grid.face]
    along = torch.linspace(0, 1, 200)[:, None]
    tip = torch.lerp(torch.tensor([[0.3, 0.5]]), torch.tensor([[0.9, 0.5]]), along)
    plain, own = (read_texture(picture_of(grid, colours, edge), tip) for edge in (None, borders(space, grid)))
    assert float(plain[:, 2].max()) > 0.5
    assert float(own[:, 2].max()) < 1e-6 and float(own[:, 0].min()) > 1 - 1e-6


def test_only_free_cells_beside_charts_are_given():
    space = MeshTexture(box(), 64, 64)
    grid = grid_of(space)
    found = borders(space, grid)
    assert bool((grid.place[found.cell] < 0).all()) and len(found.cell.unique()) == len(found.cell)
    row, column = found.cell // 64, found.cell % 64
    there = grid.index[found.texel]
    away = torch.maximum((row - there // 64).abs(), (column - there % 64).abs())
    assert int(away.max()) <= 2 and len(found.cell) > 100
    assert borders(space, grid) is found
