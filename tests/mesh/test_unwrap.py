"""New texture coordinates: nothing of the mesh changes, charts keep apart, and bad ends are clean."""

import time
from pathlib import Path

import numpy as np
import pytest
import torch
import trimesh
from helpers.saved_meshes import save_mesh
from syncpack.renderers.mesh.files.load import load_mesh
from syncpack.renderers.mesh.material import Part
from syncpack.renderers.mesh.mesh import Mesh
from syncpack.renderers.mesh.uvs import unwrap as unwrapping
from syncpack.renderers.mesh.uvs.adjacency import charts
from syncpack.renderers.mesh.uvs.covered import covered_texels
from syncpack.renderers.mesh.uvs.unwrap import has_xatlas, unwrap
from syncpack.renderers.mesh.uvs.uv_check import check_uvs

TEAPOT = Path(__file__).resolve().parents[2] / "assets" / "teapot.glb"
needs_xatlas = pytest.mark.skipif(not has_xatlas(), reason="xatlas is not installed")
METHODS = (pytest.param("xatlas", marks=needs_xatlas), "boxes")


def bare(shape: trimesh.Trimesh, parts: int = 1) -> Mesh:
    faces = torch.from_numpy(np.asarray(shape.faces)).long()
    return Mesh(
        vertices=torch.from_numpy(np.asarray(shape.vertices)).float(),
        faces=faces,
        uvs=torch.zeros(0, 2),
        face_uvs=torch.zeros(0, 3, dtype=torch.int64),
        part_of_face=torch.arange(len(faces)) * parts // len(faces),
        parts=tuple(Part(f"part {i}", torch.zeros(2, 2, 3)) for i in range(parts)),
    )


SHAPES = {
    "box": lambda: bare(trimesh.creation.box()),
    "ball": lambda: bare(trimesh.creation.icosphere(3)),
    "ring": lambda: bare(trimesh.creation.torus(1, 0.3)),
    "pipe": lambda: bare(trimesh.creation.annulus(0.6, 1, 2)),
    "far and tiny": lambda: bare(trimesh.creation.capsule().apply_scale(1e-3).apply_translation([5, 5, 5])),
    "one face": lambda: bare(trimesh.Trimesh([[0, 0, 0], [2, 0, 0], [0, 1, 1]], [[0, 1, 2]])),
    "two faces": lambda: bare(trimesh.Trimesh([[0, 0, 0], [1, 0, 0], [0, 1, 0], [1, 1, 0]], [[0, 1, 2], [1, 3, 2]])),
}


def gap(mesh: Mesh, size: int) -> int:
    """Texels between the nearest two charts of a part, and twice those to the border: the smaller one."""
    chart, found = charts(mesh.face_uvs, mesh.part_of_face), []
    owner = torch.full((size * size,), -1)
    for face, place in covered_texels(mesh.uvs[mesh.face_uvs], size):
        owner[place] = chart[face]
    picture = owner.reshape(size, size)
    for reach in range(1, 8):
        for dy in range(-reach, reach + 1):
            for dx in range(-reach, reach + 1):
                if max(abs(dx), abs(dy)) == reach:
                    a = picture[max(dy, 0) : size + min(dy, 0), max(dx, 0) : size + min(dx, 0)]
                    b = picture[max(-dy, 0) : size + min(-dy, 0), max(-dx, 0) : size + min(-dx, 0)]
                    if bool(((a != b) & (a >= 0) & (b >= 0)).any()):
                        found.append(reach - 1)
        if found:
            break
    y, x = (picture >= 0).nonzero().unbind(1)
    border = int(min(y.min(), x.min(), size - 1 - y.max(), size - 1 - x.max()))
    return min([*found, 2 * border, 7])


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("shape", SHAPES)
def test_the_mesh_stays_and_charts_do_not_overlap(method, shape):
    mesh = SHAPES[shape]()
    found = unwrap(mesh, method, 256, 4).mesh
    assert torch.equal(found.vertices, mesh.vertices) and torch.equal(found.faces, mesh.faces)
    report = check_uvs(found, 256)
    assert report.usable, report.text
    assert report.shared == 0 and report.flat == 0
    assert gap(found, 256) >= 4
    corner, uv = found.vertices[found.faces].double(), found.uvs[found.face_uvs].double()
    area = torch.linalg.cross(corner[:, 1] - corner[:, 0], corner[:, 2] - corner[:, 0]).norm(dim=1)
    a, b = uv[:, 1] - uv[:, 0], uv[:, 2] - uv[:, 0]
    density = ((a[:, 0] * b[:, 1] - a[:, 1] * b[:, 0]).abs() / area).sqrt()
    assert float(density.max() / density.min()) < 3, "some places get far fewer texels than others"


@pytest.mark.parametrize("method", METHODS)
def test_seams_split_coordinates_and_nothing_else(method):
    """Neighbours in a chart share their coordinates; those across a seam share the vertex only."""
    mesh = unwrap(SHAPES["ring"](), method, 256, 4).mesh
    pairs = {}
    for face, (vertices, uvs) in enumerate(zip(mesh.faces.tolist(), mesh.face_uvs.tolist(), strict=True)):
        for v, t in zip(vertices, uvs, strict=True):
            pairs.setdefault(v, set()).add(t)
            assert 0 <= t < len(mesh.uvs), face
    several = sum(len(t) > 1 for t in pairs.values())
    assert 0 < several < len(pairs), "a seam runs somewhere, and not everywhere"
    assert sum(len(t) for t in pairs.values()) == len(mesh.uvs)


@pytest.mark.parametrize("method", METHODS)
def test_a_files_own_seams_are_no_seams(method):
    """The teapot's GLB has split its vertices along its old charts."""
    mesh = unwrap(load_mesh(TEAPOT).mesh, method, 512, 4).mesh
    report = check_uvs(mesh)
    assert report.usable and report.charts < 120 and report.covered > 0.3
    assert gap(mesh, 512) >= 4


@pytest.mark.parametrize("method", METHODS)
def test_parts_get_a_texture_each_or_one_together(method):
    mesh = bare(trimesh.creation.box(), parts=2)
    each, joint = unwrap(mesh, method, 128, 4).mesh, unwrap(mesh, method, 128, 4, joint=True).mesh
    assert check_uvs(each).usable and check_uvs(joint).usable
    assert [p.name for p in each.parts] == ["part 0", "part 1"] and each.parts[0].texture is None
    assert len(joint.parts) == 1 and int(joint.part_of_face.max()) == 0
    for i in range(2):
        uv = each.uvs[each.face_uvs][each.part_of_face == i]
        assert float(uv.max() - uv.min()) > 0.8, "a part fills its own texture"


@pytest.mark.parametrize("method", METHODS)
def test_faces_without_area_and_doubles_do_no_harm(method):
    faces = [[0, 1, 2], [1, 3, 2], [0, 0, 1], [0, 1, 2], [2, 1, 0]]
    shape = trimesh.Trimesh([[0, 0, 0], [1, 0, 0], [0, 1, 0], [1, 1, 0]], faces, process=False)
    mesh = unwrap(bare(shape), method, 128, 4).mesh
    assert check_uvs(mesh).shared == 0 and mesh.faces.tolist() == faces


def test_layers_that_lie_over_each_other_are_taken_apart():
    """A ramp that winds twice around: every turn faces up, and all hang together."""
    turns = np.linspace(0, 4 * np.pi, 97)
    rail = [np.stack([r * np.cos(turns), turns / 10, r * np.sin(turns)], 1) for r in (0.5, 1)]
    i = np.arange(96)
    faces = np.concatenate([np.stack([i, 97 + i + 1, 97 + i], 1), np.stack([i, i + 1, 97 + i + 1], 1)])
    mesh = unwrap(bare(trimesh.Trimesh(np.concatenate(rail), faces, process=False)), "boxes", 256, 4).mesh
    report = check_uvs(mesh)
    assert report.shared == 0 and 2 <= report.charts <= 12


def test_the_file_saved_shows_the_new_coordinates(tmp_path):
    mesh = unwrap(SHAPES["box"](), "boxes", 64, 4).mesh
    again = load_mesh(save_mesh(mesh, torch.rand(64, 64, 3), tmp_path / "a", "obj")[0]).mesh
    assert torch.equal(again.faces, mesh.faces) and torch.equal(again.face_uvs, mesh.face_uvs)


def test_too_many_charts_for_the_texture_are_refused():
    dust = trimesh.util.concatenate([trimesh.creation.box().apply_translation([2 * i, 0, 0]) for i in range(40)])
    with pytest.raises(ValueError, match="240 charts with 4 texels around them do not fit a texture of 32 x 32"):
        unwrap(bare(dust), "boxes", 32, 4)
    with pytest.raises(ValueError, match="method 'blender' is unknown"):
        unwrap(bare(dust), "blender")
    with pytest.raises(ValueError, match="padding 40 at texture size 64"):
        unwrap(bare(dust), "boxes", 64, 40)


def test_without_xatlas_auto_takes_boxes_and_the_message_names_the_command(monkeypatch):
    monkeypatch.setattr(unwrapping, "has_xatlas", lambda: False)
    mesh = SHAPES["box"]()
    found = unwrap(mesh, "auto", 128)
    assert check_uvs(found.mesh).usable and found.method == "boxes" and "not installed" in found.warning
    with pytest.raises(ValueError, match=r"python -m pip install xatlas.*or use boxes"):
        unwrap(mesh, "xatlas", 128)


class Cancelled(Exception):
    """What a host raises when the user stops a run."""


def bumpy() -> Mesh:
    """82,000 faces: a minute for xatlas on a quiet machine."""
    ball = trimesh.creation.icosphere(6)
    ball.vertices *= 1 + 0.1 * np.sin(5 * ball.vertices[:, :1]) * np.cos(7 * ball.vertices[:, 1:2])
    return bare(ball)


@needs_xatlas
def test_xatlas_is_stopped_by_its_time_limit_and_by_the_user():
    mesh, began = bumpy(), time.monotonic()
    with pytest.raises(ValueError, match=r"took longer than 1 s \(reduce the faces"):
        unwrap(mesh, "xatlas", 1024, time_limit=1)

    def tick(done: int, total: int) -> None:
        assert (done, total) == (0, 1)
        raise Cancelled

    with pytest.raises(Cancelled):
        unwrap(mesh, "xatlas", 1024, tick=tick)
    assert time.monotonic() - began < 45, "waited for xatlas"


@needs_xatlas
def test_where_xatlas_crashes_auto_takes_boxes():
    """A perfect sphere of this size makes xatlas 0.0.11 crash, in its own process; a later one may do it."""
    mesh = bare(trimesh.creation.icosphere(6))
    found = unwrap(mesh, "auto", 1024, time_limit=3)
    assert found.method == "boxes" and "boxes were used" in found.warning
    assert check_uvs(found.mesh).usable


@needs_xatlas
def test_progress_counts_parts():
    seen = []
    unwrap(bare(trimesh.creation.box(), parts=3), "xatlas", 64, tick=lambda done, total: seen.append((done, total)))
    assert seen[-1] == (3, 3) and seen == sorted(seen)


def doubled(turned=0):
    """A box with one face there twice, the same side out."""
    box = trimesh.creation.box()
    return trimesh.Trimesh(box.vertices, np.concatenate([box.faces, np.roll(box.faces[:1], turned, 1)]), process=False)


def twice():
    box = trimesh.creation.box()
    return trimesh.Trimesh(box.vertices, np.concatenate([box.faces, box.faces]), process=False)


def far_apart(distance):
    box = trimesh.creation.box()
    return trimesh.util.concatenate([box, box.copy().apply_translation([distance, 0, 0])])


HARD = {
    "a face twice": doubled,
    "from another corner": lambda: doubled(1),
    "all twice": twice,
    "pieces 1e4 apart": lambda: far_apart(1e4),
    "pieces 1e6 apart": lambda: far_apart(1e6),
}


@pytest.mark.parametrize("case", HARD)
def test_auto_never_gives_what_cannot_be_painted(case):
    """xatlas lays doubles over each other, and gives no numbers for pieces far apart."""
    mesh = bare(HARD[case]())
    found = unwrap(mesh, "auto", 256, 4)
    assert found.report.usable and check_uvs(found.mesh) == found.report
    assert torch.equal(found.mesh.faces, mesh.faces)
    assert (found.method == "boxes") == bool(found.warning)
    if METHODS[0] == "xatlas" and found.method == "boxes":
        assert "what xatlas made is not usable" in found.warning
        with pytest.raises(ValueError, match=r"not usable: .* \(repair the mesh, or use boxes\)"):
            unwrap(mesh, "xatlas", 256, 4)
    assert unwrap(mesh, "boxes", 256, 4).report.usable


def test_boxes_that_fail_say_so():
    line = trimesh.Trimesh([[0, 0, 0], [1, 0, 0], [2, 0, 0]], [[0, 1, 2]], process=False)
    with pytest.raises(ValueError, match="what boxes made is not usable: no face of the mesh has an area; repair"):
        unwrap(bare(line), "boxes", 64, 4)
