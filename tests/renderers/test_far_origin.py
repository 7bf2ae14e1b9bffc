"""Coordinates far from zero keep their precision: an origin is taken from them."""

import numpy as np
import pytest
import torch
from syncpack.renderers.mesh.files.pieces import Notes, Piece, far_origin, join
from syncpack.renderers.mesh.material import Part

SQUARE = np.array([[0, 0, 0], [0.1, 0, 0], [0.1, 0.1, 0], [0, 0.1, 0]])
TWO = np.array([[0, 1, 2], [0, 2, 3]])
UTM = np.array([448262.125, 5411932.678, 0])


def area(mesh):
    a, b, c = mesh.vertices.double()[mesh.faces].unbind(1)
    return float(torch.linalg.cross(b - a, c - a).norm(dim=1).sum() / 2)


def test_an_origin_is_taken_where_float32_would_round():
    notes = Notes()
    mesh = join([Piece(SQUARE + UTM, TWO, 0)], [Part("a")], "m", notes)
    assert area(mesh) == pytest.approx(0.01, rel=1e-6)
    assert np.allclose(mesh.vertices.double().numpy() + mesh.origin, SQUARE + UTM, atol=1e-8)
    assert mesh.radius == pytest.approx(0.1 / 2**0.5, rel=1e-6) and "added again" in notes.lines[0]


@pytest.mark.parametrize(
    "places",
    [SQUARE, SQUARE * 1e-9 + 1e-9, SQUARE * 1e9, SQUARE + 0.3, (SQUARE + UTM).astype(np.float32), SQUARE * np.nan],
    ids=["plain", "tiny", "huge", "near", "already float32", "nan"],
)
def test_no_origin_is_taken_where_nothing_is_lost(places):
    assert far_origin(places, TWO) == (0, 0, 0)


def test_a_stray_vertex_does_not_decide():
    assert far_origin(np.concatenate([SQUARE, UTM[None] * 1e9]), TWO) == (0, 0, 0)
    assert far_origin(np.concatenate([SQUARE + UTM, np.zeros((1, 3))]), TWO) != (0, 0, 0)
