"""Ambiguous images through the nodes' own door: warps, hybrids and planes are views like any others."""

import pytest
import torch
from helpers.host_vaes import bounded
from helpers.hosting import Scene, disagreement, opinionated, relative_error, run_node
from syncpack.nodes.engine.walks.stochastic import turns
from syncpack.nodes.models.exemplar import PixelVAE
from syncpack.renderers.illusions.space import Illusion, Warps
from syncpack.renderers.illusions.warps import warp

pytestmark = pytest.mark.host


def rig(*names: str) -> Warps:
    return Warps(tuple(map(warp, names)))


@pytest.mark.parametrize(
    ("names", "planes"),
    [
        (("identity", "flip_y"), 1),
        (("identity", "rotate_90", "jigsaw"), 1),
        (("identity", "negate"), 1),
        (("low_band", "high_band"), 1),
        (("identity", "flip_y"), 3),
        (("identity", "negate", "jigsaw"), 3),
    ],
)
def test_readings_of_one_picture(names: tuple[str, ...], planes: int):
    """The views a sampler ends with are the warps of one canonical latent."""
    space = Illusion(128, 128, planes)
    views, whole = (o["samples"] for o in run_node(opinionated(), space, rig(*names))[:2])
    assert views.shape == (len(names), 4, 16, 16) and whole.shape == (1, 4, 16 * planes, 16)
    assert float(views.std()) > 0.1
    assert disagreement(space, rig(*names), views) < 1e-5
    torch.testing.assert_close(Scene(space, rig(*names)).views(8).project(whole), views, rtol=0, atol=1e-4)


@pytest.mark.parametrize("process", [4, 5])
def test_canonical_states(process: int):
    views = run_node(opinionated(), Illusion(128, 128), rig("identity", "jigsaw"), process=process)[0]["samples"]
    assert disagreement(Illusion(128, 128), rig("identity", "jigsaw"), views) < 1e-5


def test_negatives_of_pictures_are_about_middle_grey():
    """With an exact VAE averaging pictures is averaging latents, for a negative too (1 - x is no linear map of x)."""
    space, own = Illusion(16, 16), rig("identity", "negate", "rotate_90")
    whole = {"samples": torch.zeros(1, 3, 16, 16)}
    expected = run_node(bounded(3), space, own, canonical=whole)[0]["samples"]
    actual = run_node(bounded(3), space, own, canonical=whole, rgb_vae=PixelVAE())[0]["samples"]
    assert float(expected.abs().max()) > 0.3
    assert relative_error(actual, expected) < 1e-5


@pytest.mark.parametrize(("names", "planes"), [(("low_band", "high_band"), 1), (("identity", "skew"), 2)])
def test_stochsync_is_refused_where_views_make_the_picture_together(names: tuple[str, ...], planes: int):
    with pytest.raises(ValueError, match=r"^StochSync replaces what a view sees, and these views only make a picture"):
        turns(Scene(Illusion(128, 128, planes), rig(*names)).views(8))
