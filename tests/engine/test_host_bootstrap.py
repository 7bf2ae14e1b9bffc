"""Prompts for a region that begin alone: what the model is shown for them, and for nothing else."""

from typing import Any

import pytest
import torch
from helpers.hosting import (
    NEGATIVE,
    Plane,
    Windows,
    gaussian,
    host,
    one_line,
    opinionated,
    prompt,
    run_node,
    tiny_unet,
)
from syncpack.nodes.engine.conds import BOOTSTRAP, Bootstrap, mixing
from syncpack.nodes.engine.tagged_conds import VIEWS_KEY
from syncpack.nodes.host.errors import SyncError
from syncpack.nodes.views.prompt_nodes import CanonicalPrompt
from syncpack.sync_core.schedule import Trajectory
from torch import Tensor

pytestmark = pytest.mark.host

# Five overlapping windows of 8 x 8 cells on 24 x 8; the region is seen by the first three.
SPACE, RIG, VIEWS = Plane(192, 64), Windows(64, 64, 32, 64), 5
MASK = torch.zeros(1, 64, 192)
MASK[..., :80] = 1.0
COLOURS = torch.tensor([[1.0, 0.2, 0.0], [0.0, 1.0, 0.3], [0.1, 0.0, 1.0], [0.5, 0.5, -0.5]])


def region(alone: float = 0.5, other: Any = None, area: str = "default") -> Any:
    return CanonicalPrompt().build(SPACE, RIG, prompt(3), MASK, 1.0, area, other or prompt(4), alone)[0]


def told(model: Any, **options: Any) -> list[tuple[Tensor, float]]:
    """What the model was shown in a run of four steps, in order, without chunks."""
    run: dict[str, Any] = {"steps": 4, "views_per_batch": 64, "process": 0, **options}
    run_node(model, SPACE, RIG, **run)
    return model.model.calls


def coloured(kind: str = "EPS") -> Any:
    """A MODEL whose latents have colours."""
    model = opinionated(kind)
    model.model.latent_format.latent_rgb_factors = COLOURS.tolist()
    return model


def masks() -> Tensor:
    """[3, 1, 8, 8]: what the first three views see of the region."""
    return torch.stack([MASK[:, ::8, 32 * i : 32 * i + 64 : 8] for i in range(3)])


@pytest.mark.parametrize("kind", ["EPS", "FLOW"])
def test_the_model_sees_exactly_the_mixture(kind: str) -> None:
    """m x + (1 - m) y in the first half of the steps, y a colour in noise of that level, the same noise at every step;
    for the region's prompt and the views that see it alone."""
    calls = told(coloured(kind), positive=region(), batch_size=2)
    levels = sorted({sigma for _, sigma in calls}, reverse=True)
    shown = {level: [x for x, sigma in calls if sigma == level] for level in levels}
    assert [sorted(map(len, shown[level])) for level in levels] == [[4, 6, 6], [4, 6, 6], [4, 12], [4, 12]]
    m = masks().repeat(2, 1, 1, 1).expand(6, 4, 8, 8)
    around, colours = [], []
    for level in levels[:2]:
        pair = [x for x in shown[level] if len(x) == 6]
        torch.testing.assert_close(pair[0] * m, pair[1] * m, rtol=0, atol=0)
        means = [(x * (1 - m)).sum((2, 3), keepdim=True) / (1 - m).sum((2, 3), keepdim=True).clamp_min(1) for x in pair]
        around.append([(x - mean) * (1 - m) / level for x, mean in zip(pair, means, strict=True)])
        colours.append(means)
    alike = [torch.allclose(a, b, atol=1e-4) for a, b in zip(*around, strict=True)]
    assert alike.count(True) == 1, "noise around the region stays, all else changes"
    which = alike.index(True)
    outside = around[0][which][(1 - m) > 0]
    assert float(outside.std()) == pytest.approx(1.0, rel=0.1)
    assert not torch.allclose(colours[0][which], colours[1][which], atol=0.05)
    for level in levels[2:]:
        both = next(x for x in shown[level] if len(x) == 12)
        assert torch.equal(both[:6], both[6:]), "from then on all prompts see the picture"


def test_colours_and_levels() -> None:
    """y is exactly the level's mixture of the colour and the noise; every step, prompt and picture has its colour."""
    network = coloured().model
    noise = torch.randn(4, 4, 2, 2)
    start = Bootstrap(network, Trajectory.of([8.0, 4.0, 2.0, 0.0]), noise, 2, 7)
    x = torch.randn(4, 4, 2, 2)
    mask = torch.tensor([[[1.0, 0.25], [0.0, 0.0]], [[0.0, 0.0], [1.0, 1.0]]])
    entry: Any = {BOOTSTRAP: 0.5, "mask": mask, "model_conds": {}, "strength": 0.7}
    plain: Any = {"model_conds": {}}
    seen = []
    for level in (8.0, 4.0):
        ((other, made), _) = start([[plain, entry], None], x, torch.full((4,), level))  # pyright: ignore
        assert other is plain
        beside = made["model_conds"]["sync_bootstrap_input"].cond
        assert torch.equal(beside[:, 0], mask.repeat(2, 1, 1))
        colour = beside[:, 1:] - level * noise
        torch.testing.assert_close(colour, colour[:, :, :1, :1].expand_as(colour), rtol=1e-4, atol=1e-4)
        # (all views of a picture)
        torch.testing.assert_close(colour[0], colour[1], rtol=1e-4, atol=1e-4)
        shown = (colour[:, :, 0, 0] @ COLOURS + 1) / 2
        assert float(shown.min()) > -1e-4 and float(shown.max()) < 1 + 1e-4
        seen += [shown[0], shown[2]]
        given = mixing(None)(lambda v, t, **c: v, {"input": x, "timestep": 0, "c": {"sync_bootstrap_input": beside}})
        m = mask.repeat(2, 1, 1)[:, None]
        assert torch.equal(given, m * x + (1 - m) * beside[:, 1:])
    assert all(not torch.allclose(a, b, atol=0.02) for i, a in enumerate(seen) for b in seen[:i])
    assert start([[entry]], x, torch.full((4,), 2.0))[0] == [entry], "two of three steps are over"


def test_the_other_side_of_guidance_sees_the_same() -> None:
    start = Bootstrap(coloured().model, Trajectory.of([8.0, 4.0, 0.0]), torch.zeros(5, 4, 2, 2), 1, 0)
    entry: Any = {BOOTSTRAP: 1.0, "mask": torch.ones(5, 2, 2), "model_conds": {}, VIEWS_KEY: (0, 1, 2)}
    negative: list[Any] = [
        {"model_conds": {"a": 1}, VIEWS_KEY: (2, 3)},
        {"model_conds": {"b": 1}},
        {"model_conds": {}, VIEWS_KEY: (4,)},
    ]
    made = start([[entry], negative], torch.zeros(5, 4, 2, 2), torch.full((5,), 8.0))
    assert made[1] is not None and made[0] is not None
    assert [e[VIEWS_KEY] for e in made[1][3:]] == [(2,), (0, 1, 2)]
    shown = made[0][0]["model_conds"]["sync_bootstrap_input"]
    assert all(e["model_conds"]["sync_bootstrap_input"] is shown and e["mask"] is entry["mask"] for e in made[1][3:])
    assert len(negative) == 3 and set(negative[0]["model_conds"]) == {"a"}


def test_a_network_with_guidance_and_its_own_wrapper() -> None:
    """Chunked = whole on the host's U-Net; a wrapper of the user's is asked as before, and sees the mixture."""
    model = tiny_unet()
    asked: list[int] = []

    def users(apply: Any, args: dict[str, Any]) -> Tensor:
        asked.append(len(args["input"]))
        assert "sync_bootstrap_input" not in args["c"]
        return apply(args["input"], args["timestep"], **args["c"])

    model.set_model_unet_function_wrapper(users)
    options: dict[str, Any] = {"steps": 3, "cfg": 4.0, "negative": NEGATIVE, "sampler_name": "dpmpp_2m"}
    for area in ("default", "mask bounds"):
        whole = run_node(model, SPACE, RIG, positive=region(area=area), views_per_batch=64, **options)[0]["samples"]
        cut = run_node(model, SPACE, RIG, positive=region(area=area), views_per_batch=1, **options)[0]["samples"]
        torch.testing.assert_close(cut, whole, rtol=1e-3, atol=1e-3)
        plain = run_node(model, SPACE, RIG, positive=region(0.0, area=area), **options)[0]["samples"]
        assert not torch.allclose(plain, whole, atol=1e-2)
    assert asked


def test_off_is_off() -> None:
    assert all(BOOTSTRAP not in options for _, options in region(0.0))
    first, again = (run_node(opinionated(), SPACE, RIG, positive=region(), steps=4)[0]["samples"] for _ in "ab")
    assert torch.equal(first, again)
    other = run_node(opinionated(), SPACE, RIG, positive=region(), steps=4, seed=6)[0]["samples"]
    assert not torch.allclose(first, other)


@pytest.mark.skipif(host.HAS_WRAPPERS, reason="a MODEL of this ComfyUI knows its step")
def test_a_model_of_2024_refuses() -> None:
    with pytest.raises(SyncError) as caught:
        whole = CanonicalPrompt().build(SPACE, RIG, prompt(3), torch.ones(1, 64, 192), 1.0, "default", None, 0.4)[0]
        from helpers.hosting import PLAN, comfy
        from syncpack.nodes.sampling.sampler import SyncTweediesPatch

        (patched,) = SyncTweediesPatch().patch(gaussian(), SPACE, RIG, **PLAN)
        latent = torch.zeros(VIEWS, 4, 8, 8)
        with torch.inference_mode():
            comfy.sample.sample(patched, latent, 2, 1.0, "euler", "normal", whole, NEGATIVE, latent, seed=5)
    one_line(caught.value, "SyncTweediesPatch", "begins alone", "alone to 0")


def test_plain_colours_are_previewed_as_themselves() -> None:
    colours = torch.rand(5, 3)
    latents = host.flat_colours(coloured().model, colours, 4)
    torch.testing.assert_close((latents @ COLOURS + 1) / 2, colours, rtol=1e-4, atol=1e-4)
    assert float(host.flat_colours(gaussian().model, colours, 4).abs().max()) == 0
    torch.testing.assert_close(host.flat_colours(gaussian().model, colours, 3), colours * 2 - 1)
