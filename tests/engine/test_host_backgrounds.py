"""What views show where they see nothing of the canonical signal."""

from dataclasses import replace
from typing import Any

import pytest
import torch
from helpers.host_vaes import bounded
from helpers.hosting import POSITIVE, gaussian, one_line, run_node, run_patched
from oracles.splat_twins import ball
from syncpack.nodes import host
from syncpack.nodes.engine.backgrounds import ViewBackgrounds
from syncpack.nodes.host.errors import SyncError
from syncpack.nodes.models.exemplar import PixelVAE
from syncpack.nodes.sampling.plan import STOCHASTIC_LABEL
from syncpack.nodes.views.backgrounds import ViewBackground
from syncpack.renderers.cameras.backgrounds import PALETTE, Background
from syncpack.renderers.cameras.viewpoints import Orbit, Viewpoint
from syncpack.renderers.colours import rgb_of
from syncpack.renderers.illusions.space import Illusion, Warps
from syncpack.renderers.illusions.warps import warp
from syncpack.renderers.illusions.warps.custom import Custom
from syncpack.renderers.scene import Scene
from syncpack.renderers.splats.space import SplatColours
from syncpack.sync_core.schedule import Trajectory

pytestmark = pytest.mark.host

CAMERAS = Orbit((Viewpoint.orbit(0.0, 0.0, 2.0), Viewpoint.orbit(1.0, 0.0, 2.0)), 16, 8)


def half_seen() -> tuple[Illusion, Warps]:
    """Two views of 16 x 16 cells; the right half of the second looks past the picture."""
    y, x = torch.meshgrid((torch.arange(128) + 0.5) / 128, (torch.arange(128) + 0.5) / 128, indexing="ij")
    past = torch.where(x > 0.5, torch.full_like(x, -1.0), x)
    return Illusion(128, 128), Warps((warp("identity"), Custom(coordinates=torch.stack([past, y], -1))))


@pytest.mark.parametrize("process", [4, 5])
@pytest.mark.parametrize("kind", ["EPS", "FLOW"])
def test_projections_of_a_canonical_state_are_as_noisy_around_it(process: int, kind: str):
    model = gaussian(model_type=kind)
    space, rig = half_seen()
    run_node(model, space, rig, process=process, batch_size=8, positive=POSITIVE)
    past = ~Scene(space, rig).views(8).covered
    assert bool(past[1].any()) and not bool(past[0].any())
    for x, sigma in model.model.calls:
        around = x[1::2][..., past[1]]
        assert float(around.std()) == pytest.approx(sigma, rel=0.1)


def test_painting_leaves_the_object_and_takes_the_step_s_colour():
    space, rig = half_seen()
    views, trajectory = Scene(space, rig).views(8), Trajectory.of([8.0, 4.0, 2.0, 1.0, 0.0])
    colours = torch.arange(5.0).reshape(5, 1, 1, 1).expand(5, 4, 16, 16)
    base = gaussian().model
    run = ViewBackgrounds(Background(colours, 0.5), views, trajectory, base, 7)
    clean = torch.randn(4, 4, 16, 16)
    past = views.covered.logical_not().repeat(2, 1, 1)
    shown = {s: run.paint(clean, s) for s in (8.0, 4.0, 2.0, 1.0, None)}
    for painted in shown.values():
        seen = painted.movedim(1, -1)
        assert torch.equal(seen[~past], clean.movedim(1, -1)[~past])
        plain = [v[p] for v, p in zip(seen, past, strict=True) if p.any()]
        assert all(float(v.max() - v.min()) < 1e-5 for v in plain)
    steps = [torch.stack([v[:, p].mean() for v, p in zip(shown[s], past, strict=True) if p.any()]) for s in shown]
    assert not torch.allclose(steps[0], steps[1])
    for frozen in steps[2:]:
        torch.testing.assert_close(frozen, steps[1])
    nothing = replace(run, given=None)
    assert torch.equal(nothing.paint(clean, 4.0), clean)
    with pytest.raises(ValueError, match=r"^the background has 3 channels of 16 x 16, views have 4 of 16 x 16"):
        replace(run, given=Background(torch.zeros(1, 3, 16, 16))).paint(clean, 4.0)


def test_the_node_encodes_colours():
    build = ViewBackground().build
    (rig,) = build(CAMERAS, "constant", "#ff8000", 0.4, PixelVAE())
    assert isinstance(rig, Orbit) and rig.background is not None
    picture = rig.background.pictures
    assert picture.shape == (1, 3, 8, 16)
    torch.testing.assert_close(picture[0, :, 0, 0], torch.tensor([1.0, 2 * 128 / 255 - 1, -1.0]))
    (rig,) = build(CAMERAS, "random", "", 0.4, PixelVAE())
    assert isinstance(rig, Orbit) and rig.background is not None and len(rig.background.pictures) == len(PALETTE)
    assert build(rig, "own", "", 0.4)[0] == CAMERAS
    assert rgb_of("#0f0") == (0.0, 1.0, 0.0)


@pytest.mark.skipif(host.HAS_WRAPPERS, reason="a MODEL of this ComfyUI knows its step")
def test_a_model_that_does_not_know_its_step_refuses_backgrounds():
    space: Any = SplatColours(ball(200))
    (rig,) = ViewBackground().build(CAMERAS, "constant", "#ff8000", 0.4, PixelVAE())
    with pytest.raises(SyncError) as caught:
        run_patched(gaussian(), space, rig, torch.zeros(2, 3, 8, 16))
    one_line(caught.value, "SyncTweediesPatch", "does not know its step", "policy to own")


@pytest.mark.parametrize(
    ("rig", "policy", "colour", "parts"),
    [
        (CAMERAS, "constant", "#808080", ("connect vae",)),
        (Warps((warp("identity"),)), "own", "", ("views of warps have no background",)),
        (CAMERAS, "constant", "grey", ("'grey'", "#808080")),
        (CAMERAS, "constant", "", ("is no colour",)),
    ],
)
def test_bad_input(rig, policy, colour, parts):
    with pytest.raises(SyncError) as caught:
        ViewBackground().build(rig, policy, colour, 0.4, None if "vae" in parts[0] else PixelVAE())
    one_line(caught.value, "ViewBackground", *parts)


def test_stochastic_walks_have_the_background_too():
    """Around the splats views end in the background, and from the first step that shows a picture it is shown."""
    space: Any = SplatColours(ball(200))
    cameras = Orbit((Viewpoint.orbit(0.0, 0.0, 3.5), Viewpoint.orbit(1.0, 0.0, 3.5)), 24, 16)
    (rig,) = ViewBackground().build(cameras, "constant", "#ff0000", 0.4, PixelVAE())
    colour = torch.tensor([1.0, -1.0, -1.0])
    model, start = bounded(3), {"samples": torch.zeros(1, 3, 1, 200)}
    walk = {"process": STOCHASTIC_LABEL, "inner_steps": 3, "steps": 5}
    views = run_node(model, space, rig, canonical=start, **walk)[0]["samples"]
    composite = Scene(space, rig).views(1).composite
    assert composite is not None
    around = composite.alpha.reshape(2, 16, 24) == 0
    assert 0.1 < float(around.float().mean()) < 0.9
    plain = views.movedim(1, -1)[around]
    torch.testing.assert_close(plain, colour.expand_as(plain))
    without = run_node(model, space, cameras, canonical=start, **walk)[0]["samples"].movedim(1, -1)[around]
    assert float((without - colour).abs().min(0).values.max()) > 0.1
