"""Splats through the nodes' own doors: cases, domains, noise, masks, doors, previews."""

import math
from dataclasses import replace
from typing import Any

import pytest
import torch
from helpers.host_vaes import BlockVae, bounded
from helpers.hosting import Scene, analytic, host, opinionated, relative_error, run_advanced, run_node, run_patched
from oracles.splat_twins import ball
from syncpack.nodes.engine import preview
from syncpack.nodes.models.exemplar import PixelVAE, exemplar_model
from syncpack.nodes.sampling.plan import STOCHASTIC_LABEL
from syncpack.nodes.views.report import RigReport
from syncpack.nodes.views.stitch import report
from syncpack.renderers.cameras.viewpoints import Orbit, Viewpoint
from syncpack.renderers.splats.solve.picture_mean import SplatMean
from syncpack.renderers.splats.space import SplatColours
from syncpack.sync_core.aggregate import Aggregator
from syncpack.sync_core.exemplar.prior import ExemplarConfig
from syncpack.sync_core.noise import NOISE_MODES

pytestmark = pytest.mark.host

SPACE = SplatColours(ball(1200), backend="torch")
VIEWS = 5


def rig(size: int) -> Orbit:
    looks = [Viewpoint.orbit(2 * math.pi * i / VIEWS, 0.2, 2.6, fov=math.radians(48)) for i in range(VIEWS)]
    return Orbit(tuple(looks), size, size)


RIG = rig(64)


def disagreement(scene: Scene, samples: torch.Tensor) -> float:
    """What is left of views [N, C, h, w] that no colours of the splats explain, where views show nothing else."""
    own = scene.views_of_batch(tuple(samples.shape))
    assert own.composite is not None
    z = Aggregator(own, "least_squares", iterations=100, ridge=1e-4)(samples)
    left = own.project(z) + own.background_of(samples) - samples
    return float(left.movedim(1, -1)[own.composite.alpha.reshape(left[:, 0].shape) > 0.99].square().mean().sqrt())


@pytest.mark.parametrize("process", [1, 2, 3, 4, 5, 35, 49, 54])
@pytest.mark.parametrize("aggregation", ["mean", "least_squares"])
def test_all_cases_run(process: int, aggregation: str):
    views, canonical = run_node(opinionated(), SPACE, RIG, process=process, aggregation=aggregation, steps=4)
    assert views["samples"].shape == (VIEWS, 4, 8, 8) and canonical["samples"].shape == (1, 4, 8, 150)
    assert bool(torch.isfinite(views["samples"]).all())
    if process == 2:
        assert float(views["samples"].std()) > 0.1


def test_views_end_as_one_set_of_colours():
    """Views that were brought together agree far better than views left alone, and show backgrounds of their own."""
    scene = Scene(SplatColours(ball(300), backend="torch"), rig(256))
    runs = {
        process: run_node(opinionated(), scene.space, scene.rig, process=process, aggregation="least_squares")[0]
        for process in (0, 2)
    }
    assert disagreement(scene, runs[2]["samples"]) < 0.1 * disagreement(scene, runs[0]["samples"])


@pytest.mark.parametrize(
    "plan", [{"process": STOCHASTIC_LABEL, "inner_steps": 5, "steps": 8}, {"variance_correction": 1.0}]
)
def test_other_plans_run(plan: dict[str, Any]):
    views = run_node(opinionated(), SPACE, RIG, **plan)[0]["samples"]
    assert bool(torch.isfinite(views).all()) and 0.1 < float(views.std()) < 1


@pytest.mark.parametrize("mode", NOISE_MODES)
def test_every_noise_starts_a_run(mode: str):
    assert bool(torch.isfinite(run_node(opinionated(), SPACE, RIG, noise=mode)[0]["samples"]).all())


@pytest.mark.parametrize("name", ["euler_ancestral", "dpmpp_2m_sde"])
def test_stochastic_samplers_run_on_shared_noise(name: str):
    views = run_node(opinionated(), SPACE, RIG, sampler_name=name)[0]["samples"]
    assert bool(torch.isfinite(views).all())


def test_pictures_are_averaged_as_pixels():
    """With an exact VAE the RGB domain is the latent domain, up to colours that leave 0 to 1."""
    own, model = rig(16), bounded(3)
    start = {"samples": torch.zeros(1, 3, 1, 1200)}
    expected = run_node(model, SPACE, own, canonical=start)[0]["samples"]
    actual = run_node(model, SPACE, own, canonical=start, rgb_vae=PixelVAE())[0]["samples"]
    assert float(expected.std()) > 0.1
    assert relative_error(actual, expected) < 1e-4


def test_pictures_of_a_lossy_vae_are_solved_for(monkeypatch: pytest.MonkeyPatch):
    """From the second step on each solve starts from the colours of the last, by the Gram matrix."""
    made: list[SplatMean] = []

    class Watched(SplatMean):
        def __init__(self, solver, method, last=()):
            super().__init__(solver, method, last)
            assert solver.gram and solver is (made[-1] if made else self)._solver
            assert len(last) == (1 if made else 0) and (not made or last[0] is made[-1].colours[0])
            made.append(self)

    monkeypatch.setattr("syncpack.renderers.splats.geometry.SplatMean", Watched)
    views = run_node(bounded(), SPACE, RIG, rgb_vae=BlockVae(), aggregation="least_squares")[0]["samples"]
    assert bool(torch.isfinite(views).all()) and float(views.std()) > 0.1
    assert len(made) > 2


def test_the_exemplar_model_paints_splats():
    picture = torch.rand(48, 48, 3, generator=torch.Generator().manual_seed(3))
    model, _, _ = exemplar_model([picture], ["noise"], ExemplarConfig())
    space = SplatColours(ball(1200), backend="torch")
    views, canonical = run_node(model, space, rig(32), aggregation="least_squares", canonical=None)
    assert views["samples"].shape == (VIEWS, 3, 32, 32) and canonical["samples"].shape == (1, 3, 1, 1200)
    colours = (space.in_order(canonical["samples"])[0].T + 1) / 2
    seen = Scene(space, rig(32)).geometry.solver().seen > 0.1
    assert float(colours[seen].std()) > 0.05
    assert float(colours.min()) > -0.5 and float(colours.max()) < 1.5


def test_the_doors_give_the_same_views():
    expected = run_node(opinionated(), SPACE, RIG)[0]["samples"]
    latent = torch.zeros(VIEWS, 4, 8, 8)
    torch.testing.assert_close(run_advanced(opinionated(), SPACE, RIG, {"samples": latent}), expected)
    if host.HAS_WRAPPERS:
        torch.testing.assert_close(run_patched(opinionated(), SPACE, RIG, latent), expected)


def test_only_masked_splats_change():
    """A mask of one value for each splat: the others keep the colours they came with."""
    mask = (SPACE.splats.positions[:, 0] > 0).float()[None, None]
    start = torch.full((1, 4, 8, 150), 0.5)
    given = {"samples": start, "noise_mask": mask}
    result = run_node(opinionated(), SPACE, RIG, canonical=given, denoise=0.8)[1]["samples"]
    kept, changed = SPACE.in_order(result)[0][:, mask[0, 0] == 0], SPACE.in_order(result)[0][:, mask[0, 0] == 1]
    assert torch.equal(kept, torch.full_like(kept, 0.5))
    assert float((changed - 0.5).abs().mean()) > 0.05


def test_previews_show_the_views(monkeypatch: pytest.MonkeyPatch):
    """A sheet of all views, not a list of colours. (The host draws it as it draws any latent.)"""
    shown = []
    monkeypatch.setattr(preview.host, "previewer", lambda model: object())
    monkeypatch.setattr(preview.host, "preview_format", lambda previewer, latent: shown.append(tuple(latent.shape)))
    run_node(opinionated(), SPACE, RIG)
    assert shown and set(shown) == {(1, 4, 16, 24)}


def test_a_report_has_figures():
    samples = run_node(opinionated(), SPACE, RIG)[0]["samples"]
    text = report(Scene(SPACE, RIG), samples).text
    assert "5 views of 64 x 64 on 1200 x 1" in text and "no seams to measure" in text
    assert report(Scene(SPACE, RIG), samples).coverage.shape == (35, 35, 3), "a square that holds 1200"


def test_places_behind_the_last_splat_are_no_holes():
    """5 splats on a grid of 8 rows: three places hold none."""
    few = SplatColours(ball(5, size=0.3), backend="torch")
    counts = Scene(few, RIG).geometry.coverage()
    assert counts.per_cell.shape == (1, 5) and counts.holes == 0 and int(counts.per_cell.min()) > 0
    made = RigReport().report(few, RIG)["result"]
    assert made[1].shape == (1, 3, 3, 3) and "no holes" in made[2] and "on 5 splats" in made[2]
    hidden = RigReport().report(SPACE, replace(RIG, viewpoints=RIG.viewpoints[:1]))["result"][2]
    assert "% of the splats are seen by no view" in hidden and "coverage" in hidden
    assert "holes 0.00 %" in report(Scene(few, RIG), torch.zeros(VIEWS, 4, 8, 8)).text


def test_backgrounds_stay_each_views_own():
    """A model of constant pictures: splats and background end as that constant, at silhouettes too."""
    model = analytic(lambda x, sigma: torch.full_like(x, 0.7))
    for aggregation in ("mean", "least_squares"):
        views = run_node(model, SPACE, RIG, aggregation=aggregation)[0]["samples"]
        torch.testing.assert_close(views, torch.full_like(views, 0.7), rtol=0, atol=1e-3)


def test_a_rig_that_sees_nothing_is_refused():
    blind = replace(RIG, viewpoints=(*RIG.viewpoints[:2], Viewpoint((0.0, 0.0, 3.0), (-1.0, 0.0, 0.0))))
    with pytest.raises(ValueError, match=r"^SyncTweediesSampler: camera 3 of 3 .* sees none of the splats 'ball'"):
        run_node(opinionated(), SPACE, blind)
