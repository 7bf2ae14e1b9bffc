"""Inside or outside: closed, holed and inverted meshes."""

from dataclasses import replace

import pytest
import torch
from helpers.meshes import box, sheets, torus
from syncpack.renderers.cameras.orbits import Lens
from syncpack.renderers.cameras.viewpoints import Viewpoint
from syncpack.renderers.mesh.inside import check_outside, winding_number


def test_winding_numbers():
    points = torch.tensor([[1.0, 0.0, 0.0], [0.0, 0.0, 0.0], [0.0, -1.0, 0.1], [3.0, 0.0, 0.0]])
    mesh = torus(64, 32, 0.0)
    assert winding_number(mesh, points).tolist() == pytest.approx([1, 0, 1, 0], abs=1e-6)
    turned = replace(mesh, faces=mesh.faces.flip(1))
    assert winding_number(turned, points).tolist() == pytest.approx([-1, 0, -1, 0], abs=1e-6)
    # A box without its lid: inside, all but a sixth is around the middle.
    open_box = box()
    keep = torch.arange(12) // 2 != 2
    open_box = replace(
        open_box,
        faces=open_box.faces[keep],
        face_uvs=open_box.face_uvs[keep],
        part_of_face=open_box.part_of_face[keep],
    )
    assert float(winding_number(open_box, torch.zeros(1, 3))[0]) == pytest.approx(5 / 6)


def test_cameras_inside_are_refused():
    with pytest.raises(ValueError, match="camera 1 stands inside of mesh 'torus'"):
        check_outside(torus(), (Lens().at(0, 0), Viewpoint((1.0, 0.0, 0.0))))
    # In the hole of the torus, between sheets, or with parallel rays a camera sees the outside.
    check_outside(torus(), (Viewpoint((0.0, 0.0, 0.0)), Viewpoint((1.0, 0.0, 0.0), span=2.0)))
    check_outside(sheets(), (Viewpoint((0.0, 0.0, -0.25)),))
    # A room: its faces look inwards.
    check_outside(replace(box(), faces=box().faces.flip(1)), (Viewpoint((0.0, 0.0, 0.0)),))
