"""Texture coordinates looked over, and the small helpers this needs."""

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from syncpack.renderers.mesh.files.load import load_mesh
from syncpack.renderers.mesh.material import Part
from syncpack.renderers.mesh.mesh import Mesh
from syncpack.renderers.mesh.uvs.adjacency import charts, components, edges
from syncpack.renderers.mesh.uvs.covered import covered_texels
from syncpack.renderers.mesh.uvs.uv_check import check_uvs

TEAPOT = Path(__file__).resolve().parents[2] / "assets" / "teapot.glb"


def grid(count: int = 4, uvs=None) -> Mesh:
    """A square of count x count cells with the texture laid over it."""
    line = torch.linspace(0, 1, count + 1)
    points = torch.cartesian_prod(line, line)
    index = torch.arange((count + 1) ** 2).reshape(count + 1, count + 1)
    a, b, c, d = index[:-1, :-1], index[1:, :-1], index[1:, 1:], index[:-1, 1:]
    faces = torch.cat([torch.stack([a, b, c], -1).reshape(-1, 3), torch.stack([a, c, d], -1).reshape(-1, 3)])
    return Mesh(
        vertices=torch.cat([points, torch.zeros(len(points), 1)], 1),
        faces=faces,
        uvs=points if uvs is None else uvs(points),
        face_uvs=faces,
        part_of_face=torch.zeros(len(faces), dtype=torch.int64),
    )


@given(st.integers(1, 30), st.lists(st.tuples(st.integers(0, 29), st.integers(0, 29)), max_size=40))
def test_components_equal_a_flood_fill(count, links):
    links = [(a % count, b % count) for a, b in links]
    label = list(range(count))
    for _ in range(count):
        for a, b in links:
            label[a] = label[b] = min(label[a], label[b])
    found = components(torch.tensor(links).reshape(-1, 2), count).tolist()
    assert [found.index(x) for x in found] == [label.index(x) for x in label]


def test_components_of_a_long_chain_in_random_order():
    order = torch.randperm(5000, generator=torch.Generator().manual_seed(0))
    assert int(components(torch.stack([order[:-1], order[1:]], 1), 5000).max()) == 0


def test_edges_count_their_faces():
    found = edges(torch.tensor([[0, 1, 2], [2, 1, 3], [1, 2, 4]]))
    assert sorted(found.uses.tolist()) == [1] * 6 + [3] and len(found.pairs) == 2
    assert found.ends[found.edge].tolist() == [[1, 2]] * 2


def test_charts_are_faces_of_one_part_that_share_an_edge_of_the_texture():
    faces = torch.tensor([[0, 1, 2], [2, 1, 3], [5, 6, 7], [3, 8, 9]])
    assert charts(faces, torch.zeros(4, dtype=torch.int64)).tolist() == [0, 0, 1, 2]
    # Two parts that use the same coordinates: neither joins the other's faces.
    fan = torch.tensor([[0, 1, 2], [2, 1, 3], [1, 3, 4]])
    assert charts(fan, torch.tensor([0, 1, 0])).tolist() == [0, 1, 2]
    assert charts(fan[:0], torch.zeros(0, dtype=torch.int64)).tolist() == []


def test_texels_equal_a_loop_over_centres():
    generator = torch.Generator().manual_seed(2)
    uvs = torch.rand(12, 3, 2, generator=generator) * 1.4 - 0.2
    found = {(int(f), int(t)) for faces, places in covered_texels(uvs, 24) for f, t in zip(faces, places, strict=True)}
    expected = set()
    for f, (a, b, c) in enumerate(uvs.double().tolist()):
        for y in range(24):
            for x in range(24):
                p = ((x + 0.5) / 24, (y + 0.5) / 24)
                turns = [
                    (q[0] - o[0]) * (p[1] - o[1]) - (q[1] - o[1]) * (p[0] - o[0]) for o, q in ((a, b), (b, c), (c, a))
                ]
                if min(turns) > 0 or max(turns) < 0:
                    expected.add((f, y * 24 + x))
    assert found == expected


def test_faces_that_share_edges_cover_every_texel_once():
    mesh = grid(8)
    _, places = zip(*covered_texels(mesh.uvs[mesh.face_uvs], 64), strict=True)
    assert torch.cat(places).sort().values.tolist() == list(range(64 * 64))


def test_good_coordinates_are_usable():
    report = check_uvs(grid())
    assert report.usable and report.reason == "" and (report.shared, report.charts) == (0, 1)
    assert report.covered == 1 and report.open_edges == 16 and "are fine" in report.text
    teapot = check_uvs(load_mesh(TEAPOT).mesh)
    assert teapot.usable and teapot.charts == 8 and teapot.shared < 1e-3


def flipped(points):
    return torch.stack([(points[:, 0] - 0.5).abs() * 2, points[:, 1]], 1)


CASES = {
    "outside": (lambda p: p * 1.01, "reach outside 0 to 1", "outside", lambda v: v > 0),
    "tiled": (lambda p: p * 3, "repeat the texture", "tiled", lambda v: v > 0),
    "beyond": (lambda p: p + torch.tensor([1.0, 0.0]), "repeat the texture or lie beyond", "tiled", lambda v: v == 32),
    "mirrored": (flipped, "mirrored halves", "mirrored", lambda v: v == 1),
    "overlapping": (lambda p: (p * 2 % 1.00001).round(decimals=3), "claimed by several", "shared", lambda v: v > 0.3),
    "flat": (lambda p: p * torch.tensor([1.0, 0.0]), "no area in the texture", "flat", lambda v: v == 1),
    "nan": (lambda p: p / 0 * 0, "no numbers", "missing", lambda v: v == 0),
}


@pytest.mark.parametrize("case", CASES)
def test_bad_coordinates_are_named(case):
    uvs, reason, field, value = CASES[case]
    report = check_uvs(grid(uvs=uvs))
    assert not report.usable and reason in report.reason and report.reason in report.lines[0]
    assert value(getattr(report, field)), report


def test_missing_coordinates():
    mesh = grid()
    bare = replace(mesh, uvs=torch.zeros(0, 2), face_uvs=torch.zeros(0, 3, dtype=torch.int64))
    assert check_uvs(bare).reason == "the mesh has none"
    half = mesh.face_uvs.clone()
    half[:5] = 0
    assert check_uvs(replace(mesh, face_uvs=half)).reason == "5 of 32 faces have none"


def test_charts_of_parts_may_lie_over_each_other():
    mesh = grid(uvs=lambda p: (p * 2 % 1.00001).round(decimals=3))
    parts = (mesh.vertices[mesh.faces].mean(1)[:, :2] > 0.5).long() @ torch.tensor([1, 2])
    split = replace(mesh, part_of_face=parts, parts=tuple(Part(str(i)) for i in range(4)))
    assert check_uvs(split).shared < check_uvs(mesh).shared


def test_a_mesh_without_area_is_not_usable():
    mesh = grid()
    line = replace(mesh, vertices=mesh.vertices * torch.tensor([1.0, 0.0, 0.0]))
    assert check_uvs(line).reason == "no face of the mesh has an area"


def test_faults_of_the_mesh_are_told_and_do_not_matter():
    mesh = grid(2)
    faces = torch.cat([mesh.faces, mesh.faces[:1], torch.tensor([[0, 0, 1]])])
    report = check_uvs(replace(mesh, faces=faces, face_uvs=faces, part_of_face=torch.zeros(10, dtype=torch.int64)))
    assert (report.double_faces, report.no_area, report.crowded_edges > 0) == (1, 1, True)
    assert "there twice" in report.text and "not a manifold" in report.text


def test_huge_overlapping_faces_do_not_take_forever():
    """2,000 faces that each cover the whole texture: counted on a coarser one."""
    count = 2_000
    mesh = Mesh(
        vertices=torch.rand(count * 3, 3, generator=torch.Generator().manual_seed(0)),
        faces=torch.arange(count * 3).reshape(-1, 3),
        uvs=torch.tensor([[0.0, 0.0], [1.0, 0.0], [0.0, 1.0]]),
        face_uvs=torch.tensor([[0, 1, 2]]).repeat(count, 1),
        part_of_face=torch.zeros(count, dtype=torch.int64),
    )
    assert check_uvs(mesh).shared == 1
