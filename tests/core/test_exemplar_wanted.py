"""Views that show an object: only what shows it is looked up, and the object's own pixels do not notice."""

import pytest
import torch
from syncpack.sync_core.exemplar import prior as module
from syncpack.sync_core.exemplar.prior import ExemplarConfig, ExemplarPrior

SIDE = 96


def stones():
    generator = torch.Generator().manual_seed(0)
    coarse = torch.rand(1, 3, 12, 12, generator=generator) * 2 - 1
    return torch.nn.functional.interpolate(coarse, scale_factor=6, mode="nearest")[0]


@pytest.fixture(scope="module")
def prior():
    return ExemplarPrior.from_images([stones()], ExemplarConfig(periodic=True))


def disc(radius=16):
    y, x = torch.meshgrid(torch.arange(SIDE) - SIDE // 2, torch.arange(SIDE) - SIDE // 2, indexing="ij")
    one = x.square() + y.square() <= radius**2
    return torch.stack([one, one.roll(20, 1)])


def noisy(sigma):
    generator = torch.Generator().manual_seed(1)
    clean = stones().repeat(1, 2, 2)[:, :SIDE, :SIDE].expand(2, -1, -1, -1)
    return clean + sigma * torch.randn(clean.shape, generator=generator)


@pytest.mark.parametrize("wrap", [(False, False), (True, True)])
@pytest.mark.parametrize("sigma", [8.0, 2.0, 0.6, 0.05])
def test_the_object_is_the_same_and_less_is_looked_up(prior, monkeypatch, sigma, wrap):
    asked = []

    def counted(query, *rest):
        asked.append(len(query.coef))
        return posterior(query, *rest)

    posterior = module.posterior_mean
    monkeypatch.setattr(module, "posterior_mean", counted)
    x, wanted = noisy(sigma), disc()
    whole = prior.denoise(x, sigma, wrap=wrap)
    part = prior.denoise(x, sigma, wrap=wrap, wanted=wanted)
    on_object = wanted[:, None].expand_as(whole)
    assert torch.allclose(part[on_object], whole[on_object], atol=2e-4)
    # (the wide patches of high noise, which cost little, reach far around it)
    assert asked[1] < (1.0 if sigma > 4 else 0.75) * asked[0]
    if sigma < 1:
        # Far from the object stands the exemplar's mean.
        mean = stones().mean((1, 2))
        assert torch.allclose(part[0, :, 4, 4], mean, atol=0.05)
        assert not torch.allclose(whole[0, :, 4, 4], mean, atol=0.05)


def test_views_without_the_object_and_views_full_of_it(prior):
    x = noisy(0.5)
    nothing = prior.denoise(x, 0.5, wanted=torch.zeros(2, SIDE, SIDE, dtype=torch.bool))
    assert torch.allclose(nothing, stones().mean((1, 2))[None, :, None, None].expand_as(nothing), atol=0.05)
    full = prior.denoise(x, 0.5, wanted=torch.ones(2, SIDE, SIDE, dtype=torch.bool))
    assert torch.equal(full, prior.denoise(x, 0.5))
