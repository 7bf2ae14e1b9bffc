"""Averaging decoded pictures: what it must leave alone, what it must bring together, and how it ends."""

import copy
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from helpers.host_vaes import RIG, SPACE, VIEWS, BlockVae, PatchVae, bounded, noise, rgb_sync, tiny_vae
from helpers.hosting import (
    Plane,
    Scene,
    Windows,
    disagreement,
    gaussian,
    host,
    relative_error,
    run_advanced,
    run_node,
    run_patched,
)
from syncpack.nodes.engine.rgb_domain import RgbDomain, RgbSync, is_rgb_step
from syncpack.nodes.engine.vae import mean_encoding_vae
from syncpack.nodes.models.exemplar import PixelVAE, exemplar_model
from syncpack.renderers.geometry import Geometry
from syncpack.renderers.picture_means import MeanWish, PictureMeans
from syncpack.sync_core.exemplar.prior import ExemplarConfig
from syncpack.sync_core.schedule import Schedule, Trajectory
from syncpack.sync_core.synchronizer import SyncPlan

pytestmark = pytest.mark.host

APART = Windows(64, 64, 64, 64)
# Weights that are the same for all pixels of a cell: only then can both domains be one.
FLAT = Windows(64, 64, 32, 64, "flat")


@pytest.fixture(scope="module")
def vae() -> Any:
    return tiny_vae()


# An exact VAE changes nothing


def test_pixels_are_averaged_as_without_a_vae():
    """The exemplar model works on pixels: its VAE is the identity, so both domains are one."""
    coarse = torch.rand(1, 3, 12, 12, generator=torch.Generator().manual_seed(3))
    picture = F.interpolate(coarse, size=(48, 48), mode="bilinear")[0].movedim(0, -1)
    model, _, vae = exemplar_model([picture], ["clouds"], ExemplarConfig())
    space, rig = Plane(48, 32), Windows(32, 32, 16, 32)
    latent = {"samples": torch.zeros(2, 3, 32, 32)}
    expected = run_advanced(model, space, rig, latent)
    actual = run_advanced(model, space, rig, latent, rgb_vae=vae)
    # At its last levels this model magnifies the error of floats where two patches fit about as well.
    assert (actual - expected).square().mean().sqrt() < 1e-4
    assert (actual - expected).abs().median() < 1e-6


@pytest.mark.parametrize("door", ["sampler", "wrap", "patch"])
@pytest.mark.parametrize("vae_of", ["pixel", "block"])
def test_an_exact_vae_makes_both_domains_one(door, vae_of):
    exact, cell, channels = (PixelVAE(), 1, 3) if vae_of == "pixel" else (BlockVae(), 8, 4)
    model = bounded(channels)
    rig = FLAT if cell == 8 else Windows(16, 16, 8, 16)
    space = SPACE if cell == 8 else Plane(32, 16)
    size = rig.width // cell
    latent = torch.zeros(VIEWS, channels, size, size)
    whole = {"samples": torch.zeros(1, channels, space.height // cell, space.width // cell)}

    def run(**options: Any) -> torch.Tensor:
        if door == "sampler":
            return run_node(model, space, rig, canonical=whole, **options)[0]["samples"]
        if door == "wrap":
            return run_advanced(model, space, rig, {"samples": latent}, **options)
        return run_patched(model, space, rig, latent, **options)

    expected, actual = run(), run(rgb_vae=exact)
    assert relative_error(actual, expected) < 1e-5
    assert expected.abs().max() > 0.3
    if door != "patch" or host.HAS_WRAPPERS:
        assert disagreement(space, rig, actual) < 1e-5


def test_an_exact_vae_and_masks_and_batches():
    """Two canonical pictures at once, a mask, a stochastic sampler, chunks."""
    model = bounded()
    whole = {"samples": noise(2, 4, 8, 16), "noise_mask": (noise(1, 64, 128) > 0).float()}
    options = dict(canonical=whole, sampler_name="euler_ancestral", denoise=0.7, steps=5, views_per_batch=2)
    expected = run_node(model, SPACE, FLAT, **options)[0]["samples"]
    actual = run_node(model, SPACE, FLAT, rgb_vae=BlockVae(), **options)[0]["samples"]
    assert relative_error(actual, expected) < 1e-5


@pytest.mark.parametrize("video", [False, True])
def test_latents_with_one_frame(video):
    model = bounded()
    latent = {"samples": torch.zeros(VIEWS, 4, 1, 8, 8)}
    expected = run_advanced(model, SPACE, FLAT, latent)
    actual = run_advanced(model, SPACE, FLAT, latent, rgb_vae=BlockVae(video))
    assert actual.shape == (VIEWS, 4, 1, 8, 8)
    assert relative_error(actual, expected) < 1e-5


@pytest.mark.skipif(not host.HAS_WRAPPERS, reason="this host has no CFG++ samplers")
def test_cfg_plus_plus_averages_pictures_too():
    model = bounded()
    options = dict(sampler_name="euler_cfg_pp", cfg=1.5)
    expected = run_node(model, SPACE, FLAT, **options)[0]["samples"]
    actual = run_node(model, SPACE, FLAT, rgb_vae=BlockVae(), **options)[0]["samples"]
    assert relative_error(actual, expected) < 1e-5


def test_noise_is_never_decoded():
    """Only clean estimates are pictures: with bounded estimates, the decoder sees nothing outside [-1, 1]."""
    seen: list[float] = []

    class Watching(BlockVae):
        def decode(self, samples: torch.Tensor) -> torch.Tensor:
            seen.append(float(samples.abs().max()))
            return super().decode(samples)

    whole = {"samples": noise(1, 4, 8, 16).clamp(-1, 1), "noise_mask": torch.ones(1, 64, 128)}
    run_node(bounded(), SPACE, RIG, rgb_vae=Watching(), canonical=whole, sampler_name="ddim")
    assert len(seen) >= 4 and max(seen) < 1.01


# The host's own VAE


def test_views_that_agree_come_back_bit_for_bit(vae):
    """Views apart agree whatever they show; the residual correction hides all that the VAE would change."""
    views = noise(2, 4, 8, 8)
    with torch.inference_mode():
        corrected = rgb_sync(vae, APART)(views)
        round_trip = vae.encode(vae.decode(views))
    assert torch.equal(corrected, views)
    assert (round_trip - views).abs().max() > 0.1, "this VAE alone changes them"


def test_views_that_agree_as_pictures_come_back(vae):
    """Overlapping views of one colour picture, up to the error of floats."""

    class Flat:
        """Decodes to a picture that all views agree on, and encodes as the real VAE does."""

        def __init__(self) -> None:
            self.picture = Scene(SPACE, RIG).views(1).project(torch.rand(1, 3, 64, 128)).movedim(1, -1)
            self.encode = vae.encode if host.HAS_WRAPPERS else mean_encoding_vae(vae).encode

        def decode(self, samples: torch.Tensor) -> torch.Tensor:
            return self.picture

    views = noise(VIEWS, 4, 8, 8)
    with torch.inference_mode():
        corrected = rgb_sync(Flat())(views)
    assert torch.allclose(corrected, views, atol=1e-4)


def by_maps(scene: Scene) -> PictureMeans:
    """The means of spaces that have no way of their own."""
    return Geometry.means(scene.geometry, MeanWish(SyncPlan(), 8, scene.views, lambda: 2.0**40))


def test_it_is_the_formula(vae):
    views = noise(VIEWS, 4, 8, 8)
    scale = 0.18215
    model = gaussian()
    model.model.latent_format = copy.copy(model.model.latent_format)
    model.model.latent_format.scale_factor = scale
    mean = mean_encoding_vae(vae)
    with torch.inference_mode():
        actual = rgb_sync(vae, model=model)(views)
        decoded = vae.decode(views / scale)
        synced = by_maps(Scene(SPACE, RIG)).begin(VIEWS, 0.0)
        synced.add(0, decoded)
        expected = views + scale * (mean.encode(synced.views(0, VIEWS)) - mean.encode(decoded))
    assert torch.allclose(actual, expected, atol=1e-5)
    assert (actual - views).abs().max() > 1e-3


@pytest.mark.parametrize("at_once", [1, 2])
def test_chunks_change_nothing(vae, at_once):
    views = noise(2 * VIEWS, 4, 8, 8)
    with torch.inference_mode():
        whole, chunked = rgb_sync(vae)(views), rgb_sync(vae, at_once=at_once)(views)
    assert relative_error(chunked, whole) < 1e-5


def test_rigs_that_are_no_windows_use_their_maps(vae):
    """The general way, on the windows' own maps: the same result as window by window."""

    views, scene = noise(2 * VIEWS, 4, 8, 8), Scene(SPACE, RIG)
    given = (RgbDomain(vae), scene, SyncPlan(), gaussian().model, lambda: 2)
    with torch.inference_mode():
        assert relative_error(RgbSync(*given, _means=by_maps(scene))(views), RgbSync(*given)(views)) < 1e-5


def test_the_hosts_tiles_when_memory_runs_out():
    """The VAE's own fallback works inside the loop."""
    exhausted = torch.cuda.OutOfMemoryError
    tiling, failed = tiny_vae(), []
    decode = tiling.first_stage_model.decode

    def fail_once(samples: torch.Tensor) -> torch.Tensor:
        if not failed:
            failed.append(samples.shape)
            raise exhausted("out of memory")
        return decode(samples)

    tiling.first_stage_model.decode = fail_once
    views = noise(2, 4, 8, 8)
    with torch.inference_mode():
        corrected = rgb_sync(tiling, APART)(views)
    assert failed and torch.equal(corrected, views)


class Crowded:
    """A VAE without a fallback of its own, on a device that holds so many pictures. ``fails``: calls that do anyway."""

    def __init__(self, vae, most, fails=()):
        self._vae, self._most, self._fails, self.calls = vae, most, fails, []

    def __getattr__(self, name):
        if name.startswith("_") or name == "first_stage_model":
            raise AttributeError(name)
        return getattr(self._vae, name)

    def _check(self, rows):
        self.calls.append(rows)
        if rows > self._most or len(self.calls) in self._fails:
            raise RuntimeError("MPS backend out of memory (MPS allocated: 8.92 GB)")

    def decode(self, samples):
        self._check(samples.shape[0])
        return self._vae.decode(samples)

    def encode(self, images):
        self._check(images.shape[0])
        return self._vae.encode(images)


def test_fewer_pictures_at_once_when_memory_runs_out(vae, monkeypatch):
    """(whatever this machine has free meanwhile)"""
    monkeypatch.setattr(host, "free_memory", lambda device: 1e15)
    views, vae = noise(6, 4, 8, 8), mean_encoding_vae(vae)
    with torch.inference_mode():
        whole = rgb_sync(vae, APART)(views)
        small = Crowded(vae, 1)
        assert relative_error(rgb_sync(small, APART)(views), whole) < 1e-5
        assert max(small.calls) > 1 and small.calls[-1] == 1
        lone = Crowded(vae, 1, fails=range(6, 60, 9))
        assert relative_error(rgb_sync(lone, APART)(views), whole) < 1e-5, "one picture gets a second chance"


def test_one_picture_that_does_not_fit(vae):
    with torch.inference_mode(), pytest.raises(MemoryError, match=r"^the picture of one view alone, .*smaller views$"):
        rgb_sync(Crowded(vae, 0), APART)(noise(2, 4, 8, 8))


def test_twice_the_same_bits(vae):
    runs = [run_node(bounded(), SPACE, RIG, rgb_vae=vae)[0]["samples"] for _ in range(2)]
    assert torch.equal(*runs)
    without = run_node(bounded(), SPACE, RIG)[0]["samples"]
    assert (runs[0] - without).abs().max() > 1e-3


def test_the_vae_stays_as_it_is(vae):
    network, regularization = vae.first_stage_model, vae.first_stage_model.regularization
    sample, weights = regularization.sample, {k: v.clone() for k, v in network.state_dict().items()}
    run_node(bounded(), SPACE, RIG, rgb_vae=vae)
    assert vae.first_stage_model is network and network.regularization is regularization
    assert regularization.sample is sample
    assert all(torch.equal(v, weights[k]) for k, v in network.state_dict().items())


def test_encoding_takes_the_mean():
    """The host of 2024 draws a sample of the encoder's distribution; here it must be its mean on both hosts."""
    sampling = tiny_vae()
    sampling.first_stage_model.regularization.sample = True
    picture = torch.rand(1, 64, 64, 3)
    with torch.inference_mode():
        assert not torch.equal(sampling.encode(picture), sampling.encode(picture))
        mean = mean_encoding_vae(sampling)
        first = mean.encode(picture)
        assert torch.equal(first, mean.encode(picture))
        sampling.first_stage_model.regularization.sample = False
        assert torch.equal(first, sampling.encode(picture))
        assert mean_encoding_vae(sampling) is sampling


# Agreement


def test_the_result_is_consistent():
    """Decoded views agree after the last step, also when only some steps averaged pictures."""
    latent = {"samples": torch.zeros(VIEWS, 192, 8, 8)}
    for options in ({}, {"rgb_every": 3, "steps": 4}, {"sync_end": 0.5}, {"final_sync": False, "rgb_every": 2}):
        result = run_advanced(bounded(192), SPACE, RIG, latent, rgb_vae=PatchVae(), **options)
        pictures = PatchVae().decode(result).movedim(-1, 1)
        assert disagreement(SPACE, RIG, pictures) < 1e-5, options
    alone = run_advanced(bounded(192), SPACE, RIG, latent, process="0 no synchronisation")
    assert disagreement(SPACE, RIG, PatchVae().decode(alone).movedim(-1, 1)) > 1e-2


# Steps


@pytest.mark.parametrize(
    "schedule, every, expected",
    [
        (Schedule(), 1, "111111"),
        (Schedule(), 2, "010101"),
        (Schedule(), 4, "010001"),
        (Schedule(), 100, "000001"),
        (Schedule(every=2), 2, "100010"),
        (Schedule(start=0.5), 2, "000101"),
        (Schedule(end=0.5), 2, "101000"),
        (Schedule(strength=0.0), 1, "000000"),
    ],
)
def test_steps_are_counted_back_from_the_last_synchronised_one(schedule, every, expected):
    run = Trajectory.of([14.0, 8.0, 4.0, 2.0, 1.0, 0.5, 0.0])
    due = [is_rgb_step(every, schedule, run, s) for s in run.sigmas[:-1]]
    assert "".join("01"[d] for d in due) == expected


@pytest.mark.parametrize("every, final, trips", [(1, True, 7), (1, False, 6), (3, False, 2), (4, True, 3)])
def test_every_kth_step_uses_the_vae(every, final, trips):
    exact = PatchVae()
    latent = {"samples": torch.zeros(VIEWS, 192, 8, 8)}
    run_advanced(bounded(192), SPACE, RIG, latent, steps=6, rgb_vae=exact, rgb_every=every, final_sync=final)
    assert sum(exact.decoded) == trips * VIEWS and sum(exact.encoded) == 2 * trips * VIEWS


def test_least_squares_is_the_same_for_windows(vae):
    runs = [run_node(bounded(), SPACE, RIG, rgb_vae=vae, aggregation=a)[0] for a in ("mean", "least_squares")]
    assert relative_error(runs[1]["samples"], runs[0]["samples"]) < 1e-5


def test_steps_between_average_latents():
    """With an exact VAE for which both domains are one, rgb_every changes nothing."""
    expected = run_node(bounded(), SPACE, FLAT, steps=5)[0]["samples"]
    actual = run_node(bounded(), SPACE, FLAT, steps=5, rgb_vae=BlockVae(), rgb_every=2)[0]["samples"]
    assert relative_error(actual, expected) < 1e-5
