"""The pull against its formulas: features and their gradients, lengths of moves, what is left alone."""

from __future__ import annotations

import math

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given
from hypothesis import strategies as st
from oracles.gaussian import GaussianPrior
from oracles.parameterization import Level
from syncpack.sync_core.quality import intra_distance
from syncpack.sync_core.steering.features import (
    BandFeatures,
    ConvFeatures,
    Features,
    Seen,
    Through,
    TokenFeatures,
    rgb_of,
)
from syncpack.sync_core.steering.islands import gradient, ordinary
from syncpack.sync_core.steering.pull import SHAPES, Pull, wiener
from torch import Tensor


def noise(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def smooth(*shape: int, seed: int = 0) -> Tensor:
    return F.avg_pool2d(F.pad(noise(*shape, seed=seed), (1, 1, 1, 1), mode="replicate"), 3, 1) * 2


TIERS: dict[str, Features] = {
    "latent": ConvFeatures.of(4),
    "bands": BandFeatures(),
    "rgb": Through(rgb_of(noise(4, 3, seed=9)), ConvFeatures.of(3)),
    "tokens": TokenFeatures(lambda clean: clean.flatten(2).transpose(1, 2).tanh()),
}


@pytest.mark.parametrize("tier", TIERS)
@pytest.mark.parametrize("masked", [False, True])
def test_gradients_are_those_of_differences(tier: str, masked: bool):
    """Central differences along a random direction, in float64."""
    clean, wanted = smooth(3, 4, 13, 18), TIERS[tier](smooth(3, 4, 13, 18, seed=1))
    features = TIERS[tier]
    if masked:
        features = Seen(features, (noise(3, 13, 18, seed=3) > -0.3).double())
    distance, slope = features.toward(clean, wanted)
    torch.testing.assert_close(distance, (features(clean) - wanted).norm(dim=1), rtol=1e-6, atol=1e-9)
    along, step = noise(3, 4, 13, 18, seed=2), 1e-5
    ahead, back = ((features(clean + s * along) - wanted).norm(dim=1) for s in (step, -step))
    torch.testing.assert_close((slope * along).sum((1, 2, 3)), (ahead - back) / (2 * step), rtol=1e-4, atol=1e-6)


def test_filters_have_no_mean_and_norm_one():
    for bank in ConvFeatures.of(3, seed=4).banks:
        assert float(bank.sum((2, 3)).abs().max()) < 1e-5
        torch.testing.assert_close(bank.square().sum((1, 2, 3)), torch.ones(32))
    assert not torch.equal(ConvFeatures.of(3, seed=4).banks[0], ConvFeatures.of(3, seed=5).banks[0])


@pytest.mark.parametrize("tier", ["latent", "bands"])
def test_features_are_as_strong_as_the_picture_and_do_not_ask_where(tier: str):
    picture, features = smooth(1, 4, 32, 32), TIERS[tier]
    torch.testing.assert_close(features(3 * picture), 3 * features(picture), rtol=1e-4, atol=1e-6)
    moved = (features(picture.roll((8, 16), (2, 3))) - features(picture)).norm() / features(picture).norm()
    other = (features(-picture + 1) - features(picture)).norm() / features(picture).norm()
    assert float(moved) < 0.2 * float(other)


def test_small_views_have_features():
    for size in ((1, 1), (2, 5), (3, 3), (8, 4)):
        for tier in ("latent", "bands"):
            distance, slope = TIERS[tier].toward(noise(2, 4, *size), TIERS[tier](noise(2, 4, *size, seed=1)))
            assert bool(torch.isfinite(distance).all()) and bool(torch.isfinite(slope).all())


def test_what_is_not_seen_of_an_object_is_no_part():
    mask = (noise(2, 16, 16, seed=3) > 0).double()
    clean, other = smooth(2, 4, 16, 16), smooth(2, 4, 16, 16, seed=1)
    mixed = torch.where(mask[:, None] > 0, clean, other)
    for tier in ("latent", "bands"):
        features = Seen(TIERS[tier], mask)
        torch.testing.assert_close(features(mixed), features(clean), rtol=0, atol=1e-12)
        slope = features.toward(clean, features(other))[1]
        assert float((slope * (1 - mask[:, None])).abs().max()) == 0
    # A view that sees nothing has nowhere to go.
    assert (
        float(Seen(TIERS["latent"], torch.zeros(2, 16, 16)).toward(clean, TIERS["latent"](other))[1].abs().max()) == 0
    )


def moved(pull: Pull, clean: Tensor, wanted: Tensor, sigma: float, turn: int = 0) -> Tensor:
    return pull.moves(clean, TIERS["latent"], wanted, (1.0, sigma), turn).delta


def test_moves_are_a_share_of_the_noise():
    clean, wanted = smooth(3, 4, 16, 16), TIERS["latent"](smooth(3, 4, 16, 16, seed=1))
    distance, slope = TIERS["latent"].toward(clean, wanted)
    share = (distance / wanted.norm(dim=1)).clamp_max(1)
    for turn, sigma in ((0, 14.6), (3, 0.7)):
        delta = moved(Pull(0.05, decay=0.9), clean, wanted, sigma, turn)
        rms = delta.square().mean((1, 2, 3)).sqrt()
        torch.testing.assert_close(rms, 0.05 * 0.9**turn * sigma * share, rtol=1e-9, atol=0)
        cosine = F.cosine_similarity(delta.flatten(1), slope.flatten(1))
        torch.testing.assert_close(cosine, -torch.ones(3).double())


def test_moves_bring_views_nearer():
    clean, wanted = smooth(3, 4, 16, 16), TIERS["latent"](smooth(3, 4, 16, 16, seed=1) + 1)
    before = TIERS["latent"].toward(clean, wanted)[0]
    after = TIERS["latent"].toward(clean + moved(Pull(), clean, wanted, 1.0), wanted)[0]
    assert bool((after < before).all())


def test_views_that_are_alike_stay():
    clean = smooth(3, 4, 16, 16).float()
    alike = moved(Pull(), clean, TIERS["latent"](clean), 5.0)
    assert not bool(alike.count_nonzero())
    almost = moved(Pull(), clean, TIERS["latent"](clean) * (1 + 1e-7), 5.0)
    assert not bool(almost.count_nonzero())


class Broken(Features):
    def __call__(self, clean: Tensor) -> Tensor:
        return ConvFeatures.of(4)(clean)

    def toward(self, clean: Tensor, wanted: Tensor) -> tuple[Tensor, Tensor]:
        distance, slope = ConvFeatures.of(4).toward(clean, wanted)
        slope[1, 0, 3, 3] = math.nan
        return distance, slope


def test_a_gradient_that_is_no_number_is_dropped_and_counted():
    clean, wanted = smooth(3, 4, 16, 16), TIERS["latent"](smooth(3, 4, 16, 16, seed=1))
    moves = Pull().moves(clean, Broken(), wanted, (1.0, 2.0), 0)
    assert moves.dropped == 1 and not bool(moves.delta[1].count_nonzero())
    torch.testing.assert_close(moves.delta[[0, 2]], moved(Pull(), clean, wanted, 2.0)[[0, 2]])


@given(sigma=st.floats(0.1, 20), ratio=st.floats(0.01, 0.99), seed=st.integers(0, 9))
def test_a_move_after_a_step_is_an_euler_step_from_the_moved_state(sigma: float, ratio: float, seed: int):
    """With the estimate D kept; and evaluating again (the published order) differs by (1 - r) times what the estimate
    changes, exactly."""
    x, move = noise(2, 3, seed=seed), noise(2, 3, seed=seed + 20)
    prior = GaussianPrior.diagonal(0.3, 0.8)

    def estimate(state: Tensor) -> Tensor:
        return prior.denoise(state, Level(1.0, sigma))

    def euler(state: Tensor, clean: Tensor) -> Tensor:
        return state + (ratio * sigma - sigma) * (state - clean) / sigma

    kept = euler(x + move, estimate(x))
    torch.testing.assert_close(euler(x, estimate(x)) + ratio * move, kept, rtol=0, atol=1e-12)
    again = euler(x + move, estimate(x + move))
    gain = 0.64 / (0.64 + sigma**2)
    torch.testing.assert_close(again - kept, (1 - ratio) * gain * move, rtol=0, atol=1e-12)


def test_what_a_move_does_to_the_noise():
    """A move of beta sigma that knows nothing of the noise makes its strength sqrt(1 + beta^2)."""
    beta, sigma = 0.05, 3.0
    state = sigma * noise(64, 4, 32, 32)
    clean, wanted = smooth(64, 4, 32, 32, seed=1), TIERS["latent"](0.01 * smooth(64, 4, 32, 32, seed=2))
    delta = moved(Pull(beta), clean, wanted, sigma)
    strength = float(((state + delta).square().mean() / state.square().mean()).sqrt())
    assert abs(strength - math.sqrt(1 + beta**2)) < 1e-4


def test_flow_models_move_as_others_do():
    """s stands for sigma: the same move, seen in x / (1 - s), is one of sigma = s / (1 - s)."""
    clean, wanted = smooth(3, 4, 16, 16), TIERS["latent"](smooth(3, 4, 16, 16, seed=1))
    for s, after in ((0.9, 0.7), (0.5, 0.1)):
        flow = Pull().moves(clean, TIERS["latent"], wanted, (1 - s, s), 2).delta
        plain = moved(Pull(), clean, wanted, s / (1 - s), 2)
        torch.testing.assert_close(flow / (1 - s), plain, rtol=1e-9, atol=0)
        sigma, sigma_after = s / (1 - s), after / (1 - after)
        torch.testing.assert_close(after / s * flow / (1 - after), sigma_after / sigma * plain, rtol=1e-9, atol=0)


@pytest.mark.parametrize("sigma, least", [(14.6, 0.8), (5.0, 0.85), (1.0, 0.95)])
def test_the_wiener_shape_is_nearly_the_networks_own_gradient(sigma: float, least: float):
    """Gaussian pictures of an AR(1) law each way: the derivative of the exact estimate, by its spectrum alone."""
    size = 48
    line = GaussianPrior.ar1(size, 0.9).covariance()
    values, vectors = torch.linalg.eigh(line)
    law = values[:, None] * values[None]

    def through(picture: Tensor, gain: Tensor) -> Tensor:
        return vectors @ ((vectors.T @ picture @ vectors) * gain) @ vectors.T

    cosines: dict[str, float] = {"off": 0.0, "wiener": 0.0}
    count = 6
    for seed in range(count):
        truth = through(noise(1, 4, size, size, seed=seed), law.sqrt())
        other = through(noise(1, 4, size, size, seed=seed + 50), law.sqrt()) + 0.5
        gain = law / (law + sigma**2)
        clean = through(truth + sigma * noise(1, 4, size, size, seed=seed + 90), gain)
        slope = TIERS["latent"].toward(clean, TIERS["latent"](other))[1]
        full = through(slope, gain)
        for name, made in (("off", slope), ("wiener", wiener(slope, clean, sigma))):
            cosines[name] += float(F.cosine_similarity(made.flatten(), full.flatten(), 0)) / count
    assert cosines["wiener"] >= least, cosines
    assert cosines["wiener"] > cosines["off"]


@pytest.mark.parametrize("shape", SHAPES)
def test_shapes_keep_the_length(shape: str):
    clean, wanted = smooth(2, 4, 16, 24), TIERS["latent"](smooth(2, 4, 16, 24, seed=1))
    share = (TIERS["latent"].toward(clean, wanted)[0] / wanted.norm(dim=1)).clamp_max(1)
    for level in ((1.0, 8.0), (1.0, 0.02), (0.0, 1.0)):
        moves = Pull(shape=shape).moves(clean, TIERS["latent"], wanted, level, 0)  # pyright: ignore[reportArgumentType]
        rms = moves.delta.square().mean((1, 2, 3)).sqrt()
        torch.testing.assert_close(rms, 0.05 * level[1] * share, rtol=1e-4, atol=0)
        assert moves.dropped == 0


def test_when_views_are_moved():
    assert Pull().turns(20) == tuple(range(10))
    assert Pull(start=0.1, end=0.5, every=3).turns(20) == (2, 5, 8)
    assert Pull(end=1.0).turns(4) == (0, 1, 2), "after the last step nothing is noisy"
    assert Pull(0.0).turns(20) == () and Pull(end=0.0).turns(20) == () and Pull().turns(1) == ()


@pytest.mark.parametrize(
    "wrong, said",
    [
        (dict(strength=-0.1), "strength -0.1: use 0"),
        (dict(strength=math.nan), "strength nan: use 0"),
        (dict(decay=0.0), "decay 0: use more than 0"),
        (dict(start=0.6, end=0.5), "start 0.6 and end 0.5: use fractions"),
        (dict(every=0), "every 0: use 1"),
        (dict(shape="box"), "shape 'box' is unknown; use one of off, blur, wiener"),
    ],
)
def test_wrong_values_are_refused(wrong: dict, said: str):
    with pytest.raises(ValueError, match=f"^{said}"):
        Pull(**wrong)


def test_gradients_in_inference_mode():
    with torch.inference_mode():
        clean, weight = smooth(2, 4, 8, 8), noise(4, 4, 3, 3)
        values, slope = gradient(lambda v: F.conv2d(v, ordinary(weight)).square().sum((1, 2, 3)), clean)
        moves = Pull().moves(clean, ConvFeatures.of(4), ConvFeatures.of(4)(clean + 1), (1.0, 1.0), 0)
    assert values.shape == (2,) and slope.shape == clean.shape and bool(moves.delta.count_nonzero())
    assert ordinary(slope) is slope
    with pytest.raises(ValueError, match="no gradient flows"):
        gradient(lambda v: v.detach().sum((1, 2, 3)), clean)


def test_crops_that_are_alike():
    one = smooth(1, 3, 64, 64)
    assert intra_distance(one.expand(4, -1, -1, -1)) < 1e-9
    assert math.isnan(intra_distance(one))
    # Of one law and of different ones.
    same = intra_distance(smooth(6, 3, 64, 64))
    different = intra_distance(smooth(6, 3, 64, 64) + 2 * noise(6, 3, 1, 1, seed=4))
    assert same < 0.05 and different > 10 * same
    pairs = smooth(2, 3, 64, 64)
    features = ConvFeatures.of(3)(pairs)
    expected = (features[0] - features[1]).square().sum() / features.square().sum(1).mean()
    assert math.isclose(intra_distance(pairs, features=ConvFeatures.of(3)), float(expected), rel_tol=1e-5)
