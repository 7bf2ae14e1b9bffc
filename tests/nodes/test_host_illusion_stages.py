"""Pixel cascades for ambiguous images: stage 2 is told, for every reading, of stage 1's picture of that reading."""

import pytest

pytest.importorskip("diffusers", reason="the library diffusers is not installed")

import torch
from helpers.hosting import one_line, relative_error, run_node
from syncpack.nodes.models.diffusers_nodes import SyncTweediesUpscale
from syncpack.nodes.models.diffusers_unet import low_resolution_conds
from syncpack.nodes.views.prompts import for_some_views
from syncpack.renderers.illusions.space import Illusion, Warps
from syncpack.renderers.illusions.warps import warp
from syncpack.renderers.scene import Scene

from helpers.diffusers_models import load, made_models, prompt  # isort: skip

pytestmark = pytest.mark.host

RIG = Warps((warp("identity"), warp("rotate_90"), warp("negate")))
SPACE = Illusion(16, 16)


@pytest.fixture(scope="module")
def models(tmp_path_factory):
    yield from made_models(tmp_path_factory)


def tagged():
    """A prompt of its own for every reading, as IllusionPrompts gives it."""
    return [e for i in range(3) for e in for_some_views(prompt(10 + i, 24), [i], 3)]


def pictures(count: int, side: int = 4):
    return torch.rand(count, side, side, 3, generator=torch.Generator().manual_seed(1))


def attached(images, level=50, **scene):
    return SyncTweediesUpscale().attach(tagged(), prompt(2, 24), images, level, **scene)


def test_every_reading_has_its_prompt_and_its_picture(models) -> None:
    """Each view of an unsynchronised run is what it is alone, with its own prompt and its own first-stage picture."""
    model, _ = load("if2")
    images = pictures(3)
    positive, negative = attached(images, 0)
    views = run_node(
        model, SPACE, RIG, positive=positive, negative=negative, cfg=2.0, process=0, noise="independent", steps=1
    )[0]["samples"]
    chunks = run_node(
        model, SPACE, RIG, positive=positive, negative=negative, cfg=2.0, process=0, noise="independent", steps=1,
        views_per_batch=1,
    )[0]["samples"]  # fmt: skip
    assert relative_error(chunks, views) < 1e-4
    for number in range(3):
        own, other = images.clone(), images.clone()
        others = [i for i in range(3) if i != number]
        own[others] = 0.5
        other[number] = 0.5
        for changed, same in ((own, True), (other, False)):
            got = run_node(
                model, SPACE, RIG, positive=attached(changed, 0)[0], negative=attached(changed, 0)[1], cfg=2.0,
                process=0, noise="independent", steps=1,
            )[0]["samples"]  # fmt: skip
            assert (relative_error(got[number], views[number]) < 1e-4) is same


def test_readings_share_the_noise_on_their_pictures() -> None:
    """The picture of each reading, noised, is the reading of the noised picture; each is as noisy as is declared."""
    whole = pictures(1, 64)
    conds = attached(whole, 1, space=Illusion(64, 64), rig=RIG)[0][0][1]
    assert conds["concat_image"].shape == (3, 3, 64, 64)
    alphas = torch.tensor([1.0, 0.3])
    run = {**conds, "noise": torch.zeros(3, 3, 64, 64), "seed": 4, "device": "cpu"}
    seen = low_resolution_conds(alphas, run)["c_concat"].cond
    views = Scene(Illusion(64, 64), RIG).views(1)
    assert torch.allclose(views.project(seen[:1]), seen, atol=1e-5)
    rest = seen - 0.3**0.5 * conds["concat_image"]
    assert float(rest.std()) == pytest.approx(0.7**0.5, rel=0.02)
    alone = attached(whole.repeat(3, 1, 1, 1), 1)[0][0][1]
    apart = low_resolution_conds(alphas, {**alone, **{k: run[k] for k in ("noise", "seed", "device")}})["c_concat"].cond
    noises = (apart - 0.3**0.5 * alone["concat_image"]).flatten(1)
    assert abs(float(torch.corrcoef(noises)[0, 2])) < 0.05


def test_two_stages_make_readings_of_one_picture(models) -> None:
    first, first_vae = load("if1")
    small = run_node(first, SPACE, RIG, positive=tagged(), negative=prompt(2, 24), cfg=2.0, steps=4)
    images = first_vae.decode(small[0]["samples"])
    second, _ = load("if2")
    large = Illusion(32, 32)
    positive, negative = attached(images, space=large, rig=RIG)
    views, whole = run_node(second, large, RIG, positive=positive, negative=negative, cfg=2.0, steps=4)
    views, whole = views["samples"], whole["samples"]
    assert whole.shape == (1, 3, 32, 32) and bool(views.isfinite().all())
    assert torch.allclose(views[2], -views[0], atol=1e-4) and torch.allclose(views[0], whole[0], atol=1e-4)
    assert torch.allclose(views[1], torch.rot90(whole[0], -1, (-2, -1)), atol=1e-4)


def test_bad_input() -> None:
    for missing, given in (("rig", {"space": SPACE}), ("space", {"rig": RIG})):
        with pytest.raises(ValueError) as caught:
            attached(pictures(1), **given)
        one_line(caught.value, "SyncTweediesUpscale", f"connect {missing}")
    with pytest.raises(ValueError) as caught:
        attached(torch.rand(1, 16, 32, 3), space=SPACE, rig=RIG)
    one_line(caught.value, "SyncTweediesUpscale", "a picture of 32 x 16 does not show a canvas of 16 x 16")
