"""The committed teapot is what the script builds, and it is a good mesh to texture."""

from pathlib import Path

import pytest
import torch
from syncpack.assets.make_mesh import GAP, build, main
from syncpack.renderers.mesh.files.load import load_mesh

FILE = Path(__file__).resolve().parents[2] / "assets" / "teapot.glb"


@pytest.fixture(scope="module")
def teapot():
    return load_mesh(FILE).mesh


def test_the_script_writes_what_is_committed(tmp_path, capsys, teapot):
    main(["--output", str(tmp_path)])
    assert capsys.readouterr().out.split() == [str(tmp_path / "teapot.glb")]
    again = load_mesh(tmp_path / "teapot.glb").mesh
    assert torch.equal(again.faces, teapot.faces)
    # Another libm may move the last bits.
    assert torch.allclose(again.vertices, teapot.vertices, atol=1e-5)
    assert torch.allclose(again.uvs, teapot.uvs, atol=1e-5)


def test_it_is_small_and_whole(teapot):
    assert FILE.stat().st_size < 700_000
    assert 5_000 < len(teapot.faces) < 20_000
    assert teapot.normals is not None and teapot.parts[0].texture is None
    own = teapot.normals[teapot.faces].mean(1)
    assert float((own * teapot.face_normals).sum(1).min()) > 0.3, "normals point out of the surface"


def test_edges_are_shared_by_two_faces_but_where_pieces_meet_the_body():
    faces = build().faces
    edges = torch.cat([faces[:, [0, 1]], faces[:, [1, 2]], faces[:, [2, 0]]]).sort(1).values
    _, count = edges.unique(dim=0, return_counts=True)
    assert int(count.max()) == 2
    assert int((count == 1).sum()) < 0.02 * len(count)


def test_charts_fill_the_texture_at_one_scale_without_touching(teapot):
    uvs = teapot.uvs[teapot.face_uvs].double()
    assert float(uvs.min()) >= GAP / 4 and float(uvs.max()) <= 1 - GAP / 4
    a, b = uvs[:, 1] - uvs[:, 0], uvs[:, 2] - uvs[:, 0]
    flat = (a[:, 0] * b[:, 1] - a[:, 1] * b[:, 0]) / 2
    assert bool((flat > 0).all()), "no chart is mirrored"
    assert float(flat.sum()) > 0.45
    corner = teapot.vertices[teapot.faces].double()
    area = torch.linalg.cross(corner[:, 1] - corner[:, 0], corner[:, 2] - corner[:, 0]).norm(dim=1) / 2
    density = (flat / area).sqrt()
    # Share of the surface whose texels are within a factor of two of the usual size.
    usual = float(density.median())
    near = (density > usual / 2) & (density < usual * 2)
    assert float(area[near].sum() / area.sum()) > 0.97
