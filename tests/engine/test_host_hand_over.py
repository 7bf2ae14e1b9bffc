"""A canonical state that is given up during a run (sync_end below 1): its views go on alone from what they showed."""

from typing import Any

import pytest
import torch
from helpers.host_vaes import bounded
from helpers.hosting import (
    LABELS,
    NEGATIVE,
    PLAN,
    POSITIVE,
    Plane,
    Windows,
    comfy,
    custom_sampler_nodes,
    disagreement,
    gaussian,
    host,
    one_line,
    opinionated,
    plain_sample,
    run_node,
)
from oracles.splat_twins import ball
from syncpack.nodes.host.errors import SyncError
from syncpack.nodes.models.exemplar import PixelVAE
from syncpack.nodes.sampling.sampler import SyncTweediesNoise, SyncTweediesSamplerWrap
from syncpack.nodes.views.backgrounds import ViewBackground
from syncpack.renderers.cameras.viewpoints import Orbit, Viewpoint
from syncpack.renderers.illusions.space import Illusion, Warps
from syncpack.renderers.illusions.warps import warp
from syncpack.renderers.scene import Scene
from syncpack.renderers.splats.space import SplatColours
from syncpack.sync_core.processes import PROCESSES
from syncpack.sync_core.schedule import Schedule
from syncpack.sync_core.synchronizer import SyncPlan

pytestmark = pytest.mark.host

# Five overlapping windows of 8 x 8 cells on 24 x 8; six steps, of which the first three are synchronised.
SPACE, RIG, VIEWS = Plane(192, 64), Windows(64, 64, 32, 64), 5
RUN: dict[str, Any] = {"steps": 6, "process": 5, "views_per_batch": 64}
FREE: dict[str, Any] = {**RUN, "sync_end": 0.5, "final_sync": False}


PLANNED: dict[str, Any] = {**PLAN, "process": LABELS[5], "sync_end": 0.5}


def _guider(model: Any) -> Any:
    guider = comfy.samplers.CFGGuider(model)
    guider.set_conds(POSITIVE, NEGATIVE)
    guider.set_cfg(1.0)
    return guider


def alone(model: Any, name: str, x: torch.Tensor, first: int, steps: int = 6) -> torch.Tensor:
    """The host's sampler on views x from step ``first`` on, each for itself."""
    sigmas = host.k_sampler_sigmas(model, steps, name, "normal", 1.0)[first:]
    ask = lambda x, sigma, **_: model.model.clean(x, sigma.reshape(-1, 1, 1, 1))  # noqa: E731
    with torch.inference_mode():
        return host.sampler_object(name).sampler_function(ask, x, sigmas, extra_args={"seed": 5}, disable=True)


@pytest.mark.parametrize("kind", ["EPS", "FLOW"])
@pytest.mark.parametrize("process", [4, 5])
@pytest.mark.parametrize(("name", "each"), [("euler", 1), ("heun", 2), ("dpmpp_2m", 1), ("ddim", 1)])
def test_canonical_to_the_bit_and_then_each_view_for_itself(name: str, each: int, process: int, kind: str) -> None:
    """Multistep samplers begin their history anew where the state becomes another one."""
    whole, model = opinionated(kind), opinionated(kind)
    run_node(whole, SPACE, RIG, **{**RUN, "process": process}, sampler_name=name)
    views = run_node(model, SPACE, RIG, **{**FREE, "process": process}, sampler_name=name)[0]["samples"]
    for (x, sigma), (same, level) in zip(whole.model.calls[: 3 * each], model.model.calls[: 3 * each], strict=True):
        assert sigma == level and torch.equal(x, same)
    shown, level = model.model.calls[3 * each]
    assert torch.equal(shown, whole.model.calls[3 * each][0]), "what the canonical state shows at that level"
    assert disagreement(SPACE, RIG, shown) <= 1e-5 * max(level, 1)
    torch.testing.assert_close(views, alone(model, name, shown, 3), rtol=1e-5, atol=1e-5)
    assert disagreement(SPACE, RIG, views) > 0.01


@pytest.mark.parametrize("number", [p.number for p in PROCESSES if p.state != "instance"])
def test_every_canonical_and_joint_state_can(number: int) -> None:
    """States of both kinds go on from the one that holds the picture."""
    whole, model = opinionated(), opinionated()
    run_node(whole, SPACE, RIG, **{**RUN, "process": number})
    views = run_node(model, SPACE, RIG, **{**FREE, "process": number})[0]["samples"]
    before = len(model.model.calls) - 3
    for (x, _), (same, _) in zip(whole.model.calls[:before], model.model.calls[:before], strict=True):
        assert torch.equal(x, same)
    shown = model.model.calls[before][0]
    assert any(torch.equal(shown, x) for x, _ in whole.model.calls[before : before + 2])
    torch.testing.assert_close(views, alone(model, "euler", shown, 3), rtol=1e-5, atol=1e-5)


def test_where_it_happens_is_where_views_of_process_2_part() -> None:
    """0.8 of 30 steps: 24, as for states of views; fractions that end in the last step change nothing."""
    plan = SyncPlan(process=5, schedule=Schedule(end=0.8))
    assert plan.hand_over(30) == 24 and plan.hand_over(10) == 8 and plan.hand_over(3) == 3
    assert SyncPlan(process=2, schedule=Schedule(end=0.5)).hand_over(10) == 10
    together = [run_node(opinionated(), SPACE, RIG, **{**FREE, "process": n})[0]["samples"] for n in (2, 5)]
    torch.testing.assert_close(*together, rtol=1e-4, atol=1e-4)
    plain = run_node(opinionated(), SPACE, RIG, **RUN)[0]["samples"]
    late = run_node(opinionated(), SPACE, RIG, **{**RUN, "sync_end": 0.99})[0]["samples"]
    assert torch.equal(plain, late)


def test_the_end_is_one_average_where_it_is_wanted() -> None:
    apart = run_node(opinionated(), SPACE, RIG, **FREE)
    joined = run_node(opinionated(), SPACE, RIG, **{**FREE, "final_sync": True})
    assert disagreement(SPACE, RIG, apart[0]["samples"]) > 0.01
    assert disagreement(SPACE, RIG, joined[0]["samples"]) <= 1e-6
    torch.testing.assert_close(joined[1]["samples"], apart[1]["samples"], rtol=0, atol=1e-6)


@pytest.mark.parametrize("name", ["euler_ancestral", "ddpm", "dpmpp_2m_sde"])
def test_step_noise_is_drawn_for_views_from_there_on(name: str) -> None:
    """A prior that treats all pixels alike: only noise that is not shared parts the views. Its spread stays."""
    apart, spread = {}, {}
    plain = plain_sample(gaussian(0.5), torch.zeros(16, 4, 8, 8), name, steps=20)
    for noise in ("canonical", "independent"):
        options = {**FREE, "steps": 20, "step_noise": noise, "batch_size": 4}
        views = run_node(gaussian(0.5), SPACE, RIG, **options, sampler_name=name)[0]["samples"]
        apart[noise], spread[noise] = disagreement(SPACE, RIG, views), float(views.std())
    assert apart["canonical"] < 1e-4 < 0.3 < apart["independent"]
    assert all(value == pytest.approx(float(plain.std()), rel=0.07) for value in spread.values())


def test_chunks_masks_and_travel() -> None:
    start = torch.randn(1, 4, 8, 24, generator=torch.Generator().manual_seed(1))
    mask = torch.zeros(1, 8, 24)
    mask[..., 12:] = 1.0
    canonical = {"samples": start, "noise_mask": mask}
    for options in ({}, {"canonical": canonical}, {"travel_times": 2, "travel_start": 0.0}):
        whole = run_node(opinionated(), SPACE, RIG, **FREE, **options)
        cut = run_node(opinionated(), SPACE, RIG, **{**FREE, "views_per_batch": 2}, **options)
        torch.testing.assert_close(cut[0]["samples"], whole[0]["samples"], rtol=0, atol=1e-5)
    views, kept = run_node(opinionated(), SPACE, RIG, **FREE, canonical=canonical)
    assert float((kept["samples"] - start).abs()[..., :12].max()) <= 1e-5
    assert float((kept["samples"] - start).abs()[..., 13:].mean()) > 0.3
    again = run_node(opinionated(), SPACE, RIG, **FREE, canonical=canonical)[0]["samples"]
    assert torch.equal(views["samples"], again)


def test_previews_show_views_on_both_sides() -> None:
    """The callback is told of the steps in their order, with view batches."""
    told: list[tuple[int, tuple[int, ...], tuple[int, ...]]] = []
    model = opinionated()
    (sampler,) = SyncTweediesSamplerWrap().wrap(host.sampler_object("dpmpp_2m"), SPACE, RIG, **PLANNED)
    (noise,) = SyncTweediesNoise().build(SPACE, RIG, 5, "polar")
    latent = torch.zeros(VIEWS, 4, 8, 8)
    guider = _guider(model)
    sigmas = host.k_sampler_sigmas(model, 6, "dpmpp_2m", "normal", 1.0)
    watch = lambda step, x0, x, total: told.append((step, tuple(x0.shape), tuple(x.shape)))  # noqa: E731
    with torch.inference_mode():
        drawn = noise.generate_noise({"samples": latent})
        guider.sample(drawn, latent, sampler, sigmas, callback=watch, disable_pbar=True, seed=5)
    assert told == [(step, (VIEWS, 4, 8, 8), (VIEWS, 4, 8, 8)) for step in range(6)]


def test_backgrounds_go_along() -> None:
    """Around an object a canonical state holds nothing: views take with them what the model would have seen there."""
    space: Any = SplatColours(ball(200))
    cameras = Orbit((Viewpoint.orbit(0.0, 0.0, 3.5), Viewpoint.orbit(1.0, 0.0, 3.5)), 24, 16)
    (rig,) = ViewBackground().build(cameras, "constant", "#ff0000", 0.4, PixelVAE())
    composite = Scene(space, rig).views(1).composite
    assert composite is not None
    around = composite.alpha.reshape(2, 16, 24) == 0
    for given in (rig, cameras):
        whole, model = bounded(3), bounded(3)
        for asked, options in ((whole, RUN), (model, FREE)):
            run_node(asked, space, given, **options, canonical={"samples": torch.zeros(1, 3, 1, 200)})
        seen, level = model.model.calls[3]
        assert torch.equal(seen, whole.model.calls[3][0])
        noise = seen.movedim(1, -1)[around] - (torch.tensor([1.0, -1.0, -1.0]) if given is rig else 0.0)
        assert float(noise.std()) == pytest.approx(level, rel=0.1)


def test_readings_of_one_picture_part_too() -> None:
    space, rig = Illusion(128, 128), Warps((warp("identity"), warp("rotate_90"), warp("negate")))
    views = run_node(opinionated(), space, rig, **{**FREE, "process": 4})[0]["samples"]
    assert disagreement(space, rig, views) > 0.01  # pyright: ignore[reportArgumentType]


def test_a_run_may_stop_before_it_is_clean_once_views_are_alone() -> None:
    """A split schedule: leftover noise is in views, and any sampler node carries on from it."""
    model, latent = opinionated(), {"samples": torch.zeros(VIEWS, 4, 8, 8)}
    sigmas = host.k_sampler_sigmas(model, 6, "euler", "normal", 1.0)
    (noise,) = SyncTweediesNoise().build(SPACE, RIG, 5, "polar")
    nodes = custom_sampler_nodes()

    def sampled(noise: Any, levels: torch.Tensor, sampler: Any, given: dict[str, Any]) -> torch.Tensor:
        with torch.inference_mode():
            return nodes.SamplerCustomAdvanced().sample(noise, _guider(model), sampler, levels, given)[0]["samples"]

    plan = {**PLANNED, "final_sync": False}
    # (a half of the first five steps: three of them)
    (sampler,) = SyncTweediesSamplerWrap().wrap(host.sampler_object("euler"), SPACE, RIG, **plan)
    part = sampled(noise, sigmas[:6], sampler, latent)
    none = nodes.DisableNoise().get_noise()[0] if hasattr(nodes.DisableNoise, "get_noise") else nodes.Noise_EmptyNoise()
    end = sampled(none, sigmas[5:], host.sampler_object("euler"), {"samples": part})
    whole = sampled(noise, sigmas, sampler, latent)
    torch.testing.assert_close(end, whole, rtol=1e-5, atol=1e-5)
    canonical = {**plan, "sync_end": 1.0}
    (sampler,) = SyncTweediesSamplerWrap().wrap(host.sampler_object("euler"), SPACE, RIG, **canonical)
    with pytest.raises(SyncError) as caught:
        sampled(noise, sigmas[:6], sampler, latent)
    one_line(caught.value, "SyncTweediesSamplerWrap", "process 5", "leftover noise", "sync_end below 1")


@pytest.mark.parametrize(
    ("changes", "parts"),
    [
        ({"sync_start": 0.2}, ("process 5", "until sync_end", "leave sync_start 0")),
        ({"sync_every": 2}, ("process 5", "sync_every 1")),
        ({"sync_strength": 0.5}, ("process 5", "sync_strength 1")),
        ({"sampler_name": "uni_pc"}, ("uni_pc plans all its steps at once", "dpmpp_2m")),
        ({"sampler_name": "heun", "process": 6}, ("process 6", "heun")),
    ],
)
def test_what_it_does_not_go_with(changes: dict[str, Any], parts: tuple[str, ...]) -> None:
    with pytest.raises(SyncError) as caught:
        run_node(gaussian(), SPACE, RIG, **{**FREE, **changes})
    one_line(caught.value, "SyncTweediesSampler", *parts)


def test_one_view_that_is_the_canvas_is_a_plain_run_in_two_parts() -> None:
    latent = torch.zeros(1, 4, 8, 8)
    views = run_node(opinionated(), Plane(64, 64), Windows(64, 64, 32, 64), **FREE)[0]["samples"]
    torch.testing.assert_close(views, plain_sample(opinionated(), latent, steps=6), rtol=1e-5, atol=1e-5)
