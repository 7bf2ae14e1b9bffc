"""Turntables: one scale, nothing cut off, the texture's own colours when unlit."""

from dataclasses import replace

import pytest
import torch
from helpers.meshes import box, torus
from syncpack.renderers.mesh.material import Part
from syncpack.renderers.mesh.turntable import turntable


def sides():
    """A cube with a colour on each side."""
    colours = [(1.0, 0, 0), (0, 1.0, 0), (0, 0, 1.0), (1.0, 1.0, 0), (0, 1.0, 1.0), (1.0, 0, 1.0)]
    return replace(box(parts=6), parts=tuple(Part(str(i), None, (*c, 1.0)) for i, c in enumerate(colours))), colours


def test_unlit_frames_show_the_sides_in_turn():
    mesh, colours = sides()
    frames = list(turntable(mesh, 4, 32, 40, elevation=0, light="none", background=(0.5, 0.5, 0.5)))
    for frame, side in zip(frames, (4, 0, 5, 1), strict=True):
        assert frame.shape == (32, 40, 3)
        assert frame[16, 20].tolist() == pytest.approx(colours[side])
        assert frame[0, 0].tolist() == [0.5, 0.5, 0.5]


def test_nothing_is_cut_off_and_little_is_wasted():
    for mesh in (torus(), replace(box((2, 0.3, 0.3)), name="bar")):
        seen = [(f - 0.5).abs().amax(-1) > 1e-3 for f in turntable(mesh, 6, 40, 40, 20, 10, "none", (0.5, 0.5, 0.5))]
        borders = torch.stack([torch.cat([s[0], s[-1], s[:, 0], s[:, -1]]) for s in seen])
        assert not bool(borders.any())
        reach = max(int(torch.nonzero(s.any(0))[-1]) for s in seen)
        assert reach >= 36


def test_soft_light_darkens_and_never_brightens():
    mesh, _ = sides()
    plain, lit = (next(turntable(mesh, 1, 32, 32, light=light)) for light in ("none", "soft"))
    assert float((lit - plain).max()) <= 1e-6
    assert float((plain - lit).max()) > 0.02
    assert torch.equal(plain[0, 0], lit[0, 0])


def test_edges_are_means_of_two_by_two():
    mesh = replace(torus(), parts=(Part("black", None, (0.0, 0.0, 0.0, 1.0)),))
    quarters = (next(turntable(mesh, 1, 32, 32, light="none")) * 4).unique()
    assert torch.equal(quarters, torch.arange(5.0))


def test_bad_turntables():
    with pytest.raises(ValueError, match="0 frames show nothing"):
        next(turntable(box(), 0, 8, 8))
    with pytest.raises(ValueError, match="light 'sun' is unknown"):
        next(turntable(box(), 1, 8, 8, light="sun"))
