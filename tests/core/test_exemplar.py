"""The exemplar prior against its dense twin, and what a user may rely on."""

import functools
import itertools
import math

import pytest
import torch
from oracles.exemplar_twin import DenseTwin
from syncpack.sync_core.exemplar.bank import Level, area_matrix, cubic_matrix
from syncpack.sync_core.exemplar.prior import ExemplarConfig, ExemplarPrior
from syncpack.sync_core.exemplar.search import SearchConfig

SIGMAS = [0.0, 0.03, 0.06, 0.12, 0.25, 0.5, 1.0, 2.0, 4.0, 8.0, 14.6, 40.0, 1e4]
RMS = 0.01


def picture(size=64, seed=0, channels=3):
    """Tiling material: coloured cells with dark joints and grain."""
    g = torch.Generator().manual_seed(seed)
    seeds = torch.rand(max(6, size * size // 150), 2, generator=g) * size
    y, x = torch.meshgrid(torch.arange(size) + 0.5, torch.arange(size) + 0.5, indexing="ij")
    far = (torch.stack([y, x], -1).reshape(-1, 1, 2) - seeds + size / 2) % size - size / 2
    two, owner = far.norm(dim=-1).topk(2, dim=1, largest=False)
    joint = ((two[:, 1] - two[:, 0]) / 2).clamp(0, 1)
    colour = torch.rand(len(seeds), channels, generator=g)[owner[:, 0]]
    grain = 0.05 * torch.randn(size * size, 1, generator=g)
    return ((colour * joint[:, None] + grain).clamp(0, 1) * 2 - 1).T.reshape(channels, size, size)


@functools.cache
def make(n_classes=1, periodic=True):
    sizes = [64, 72][:n_classes]
    images = [picture(size, seed) for seed, size in enumerate(sizes)]
    prior = ExemplarPrior.from_images(images, ExemplarConfig(periodic=periodic))
    return prior, DenseTwin(prior, images), images


def rms(a, b):
    return float((a - b).pow(2).mean().sqrt())


def noisy(x0, sigma, seed=1):
    return x0 + sigma * torch.randn(x0.shape, generator=torch.Generator().manual_seed(seed))


def euler(prior, start, steps, wrap=(False, False), log_prior=None, last=0.03):
    """Euler from sigma = 14.6: the state at each sigma, the result under 0."""
    sigmas = [14.6 * (last / 14.6) ** (i / (steps - 1)) for i in range(steps)] + [0.0]
    states, x = {}, start * sigmas[0]
    for now, then in itertools.pairwise(sigmas):
        states[now] = x
        x = x + (then - now) * (x - prior.denoise(x, now, log_prior, wrap)) / now
    return states | {0.0: x}


@pytest.mark.parametrize("sigma", SIGMAS)
@pytest.mark.parametrize(("n_classes", "periodic"), [(1, True), (2, False)])
def test_agrees_with_the_dense_twin(sigma, n_classes, periodic):
    prior, twin, images = make(n_classes, periodic)
    x = noisy(torch.stack([image[:, 4:52, 8:56] for image in images]), sigma)
    wrap = (periodic, False)
    chosen = None
    if n_classes == 2:
        chosen = torch.tensor([[0.3, 0.7], [0.9, 0.1]]).log()
    assert rms(prior.denoise(x, sigma, chosen, wrap), twin.denoise(x, sigma, chosen, wrap)) <= RMS


def test_agrees_with_the_dense_twin_along_a_synthesis():
    prior, twin, _ = make()
    states = euler(prior, torch.randn(1, 3, 48, 48, generator=torch.Generator().manual_seed(3)), 9)
    for sigma, x in states.items():
        assert rms(prior.denoise(x, sigma), twin.denoise(x, sigma)) <= RMS, sigma


@pytest.mark.parametrize("sigma", [0.1, 0.4, 1.5, 8.0])
@pytest.mark.parametrize("share", [0.0, 1.0])
def test_searched_and_in_full_agree(sigma, share):
    """Every query computed in full, and none, however much of the bank it needs."""
    _, twin, images = make(2, False)
    config = ExemplarConfig(search=SearchConfig(broad=share))
    other = ExemplarPrior.from_images(images, config)
    x = noisy(images[0][None, :, :40, :40], sigma)
    chosen = torch.tensor([[0.2, 0.8]]).log()
    dense = twin.denoise(x, sigma, chosen)
    assert rms(other.denoise(x, sigma, chosen), dense) <= (1e-4 if share == 0 else RMS)


@pytest.mark.parametrize("wrap", [(True, False), (False, True), (True, True)])
@pytest.mark.parametrize("sigma", [0.1, 0.5, 1.5, 8.0])
def test_agrees_with_the_dense_twin_on_views_that_wrap(sigma, wrap):
    prior, twin, images = make(2, False)
    x = noisy(torch.stack([image[:, 4:48, 8:60] for image in images]), sigma)
    chosen = torch.tensor([[0.0, -torch.inf], [0.1, 0.9]])
    chosen[1].log_()
    assert rms(prior.denoise(x, sigma, chosen, wrap), twin.denoise(x, sigma, chosen, wrap)) <= RMS


@pytest.mark.parametrize("sigma", [0.1, 0.5])
def test_agrees_with_the_dense_twin_on_odd_sizes(sigma):
    """Neither the view nor the number of queries or patches fills anything exactly (full resolution levels)."""
    images = [picture(64, 7)[:, :51, :58], picture(64, 8)[:, :47, :]]
    prior = ExemplarPrior.from_images(images)
    x = noisy(images[0][None, :, :37, 3:44], sigma)
    assert rms(prior.denoise(x, sigma), DenseTwin(prior, images).denoise(x, sigma)) <= RMS


@pytest.mark.parametrize("sigma", [0.02, 0.3, 5.0])
def test_a_flat_exemplar(sigma):
    """All patches alike: nothing can be left out."""
    image = torch.full((3, 48, 48), 0.25)
    x = noisy(image[None, :, :32, :32], sigma)
    out = ExemplarPrior.from_images([image]).denoise(x, sigma)
    torch.testing.assert_close(out, torch.full_like(out, 0.25), atol=1e-5, rtol=0)


def test_a_patch_is_bounded_by_what_the_screen_says():
    """Without noise no score is above its bound: Cauchy and Schwarz hold."""
    prior, _, images = make()
    bank = prior.banks[-1]
    query = (torch.nn.functional.unfold(images[0][None, :, :20, :20], bank.level.patch)[0].T - bank.mean) @ bank.basis
    rest = query[:, bank.axes :].norm(dim=1, keepdim=True)
    lead = torch.cat([query[:, : bank.axes], torch.ones_like(rest), rest], 1)
    bound = torch.matmul(bank.screen, lead.T).reshape(-1, bank.MEMBERS, bank.GROUPS, len(query)).amax(1)
    score = bank.coef[:, :1] + bank.coef[:, 1:] @ query.T
    highest = score.reshape(-1, bank.GROUPS, bank.MEMBERS, len(query)).amax(2)
    assert bool((bound >= highest - 1e-3 * highest.abs().clamp(min=1)).all())
    filled = bank.coef[:, 0] > -1e29
    assert int(filled.sum()) == sum(bank.counts) and len(bank.coef) % bank.TILE == 0


def test_every_level_is_used():
    prior, _, _ = make()
    used = {prior.level_index(sigma, 64, 64) for sigma in SIGMAS}
    assert used == set(range(len(prior.banks))) == {0, 1, 2, 3}


def test_views_smaller_than_a_patch_use_a_finer_level():
    prior, twin, images = make()
    assert prior.level_index(14.6, 64, 64) == 0
    assert prior.banks[prior.level_index(14.6, 16, 64)].level.span <= 16
    x = noisy(images[0][None, :, :8, :24], 14.6)
    assert rms(prior.denoise(x, 14.6), twin.denoise(x, 14.6)) <= RMS


@pytest.mark.parametrize("size", [(8, 8), (9, 50), (47, 45), (65, 83)])
@pytest.mark.parametrize("wrap", [(False, False), (True, True)])
def test_any_size(size, wrap):
    prior, _, _ = make()
    for sigma in (0.1, 1.5, 14.6):
        x = sigma * torch.randn(1, 3, *size, generator=torch.Generator().manual_seed(0))
        out = prior.denoise(x, sigma, wrap=wrap)
        assert out.shape == x.shape and bool(torch.isfinite(out).all()) and float(out.abs().max()) < 1.3


def test_batch_equals_one_by_one():
    prior, _, images = make(2, False)
    x0 = torch.stack([images[i % 2][:, i : i + 48, 2 * i : 2 * i + 48] for i in range(4)])
    sigma = torch.tensor([0.1, 0.6, 0.1, 5.0])
    x = x0 + sigma.reshape(-1, 1, 1, 1) * torch.randn(x0.shape, generator=torch.Generator().manual_seed(2))
    chosen = torch.tensor([[0.0, 0.0], [0.0, -torch.inf], [-2.0, 1.0], [0.0, 0.5]])
    together = prior.denoise(x, sigma, chosen)
    for i in range(4):
        alone = prior.denoise(x[i : i + 1], float(sigma[i]), chosen[i : i + 1])
        torch.testing.assert_close(together[i : i + 1], alone, atol=2e-4, rtol=0)


def test_chunks_do_not_change_the_result():
    _, _, images = make()
    x = noisy(images[0][None, :, :40, :40].repeat(3, 1, 1, 1), 0.4)
    results = []
    for rows, elements, views in ((512, 1 << 18, 16), (48, 1 << 12, 1)):
        config = ExemplarConfig(periodic=True, views_per_chunk=views, search=SearchConfig(rows=rows, elements=elements))
        results.append(ExemplarPrior.from_images(images, config).denoise(x, 0.4))
    torch.testing.assert_close(results[0], results[1], atol=2e-4, rtol=0)


def test_deterministic():
    prior, _, images = make()
    again = ExemplarPrior.from_images(images, prior.config)
    x = noisy(images[0][None, :, :48, :48], 0.5)
    first = prior.denoise(x, 0.5)
    assert torch.equal(first, prior.denoise(x, 0.5))
    assert torch.equal(first, again.denoise(x, 0.5))


def test_large_noise_gives_the_mean():
    prior, _, images = make()
    x = 1e4 * torch.randn(2, 3, 64, 64, generator=torch.Generator().manual_seed(0))
    mean = images[0].mean((1, 2)).reshape(1, 3, 1, 1).expand(2, -1, 64, 64)
    assert rms(prior.denoise(x, 1e4), mean) < 0.02


def test_no_noise_gives_back_a_piece_of_the_exemplar():
    prior, _, images = make(1, False)
    x = images[0][None, :, 8:56, 4:52]
    for sigma in (0.0, 0.001, 0.01):
        assert rms(prior.denoise(x, sigma), x) < 0.01
    blank = torch.full((1, 3, 32, 32), 0.9)
    assert bool(torch.isfinite(prior.denoise(blank, 0.0)).all())


def test_less_noise_is_better_denoised():
    prior, _, images = make()
    x0 = images[0][None, :, :48, :48]
    errors = [rms(prior.denoise(noisy(x0, sigma), sigma), x0) for sigma in (0.05, 0.2, 0.5, 2.0, 8.0)]
    assert errors == sorted(errors)
    assert errors[2] < 0.25 * 0.5


def test_a_wrapped_view_rolls():
    """A view that tiles has no origin: rolling it rolls the result (by whole steps of the level, which fill it)."""
    prior, _, images = make()
    x = noisy(images[0][None, :, :60, :60], 0.5)
    rolled = prior.denoise(x.roll((18, -12), (2, 3)), 0.5, wrap=(True, True))
    straight = prior.denoise(x, 0.5, wrap=(True, True))
    torch.testing.assert_close(rolled, straight.roll((18, -12), (2, 3)), atol=2e-4, rtol=0)


def test_the_class_prior_picks_the_material():
    red = picture(64, 5) * 0.3 + torch.tensor([0.6, -0.5, -0.5]).reshape(3, 1, 1)
    blue = picture(64, 6) * 0.3 + torch.tensor([-0.5, -0.5, 0.6]).reshape(3, 1, 1)
    prior = ExemplarPrior.from_images([red, blue])
    start = torch.randn(1, 3, 48, 48, generator=torch.Generator().manual_seed(0)).repeat(2, 1, 1, 1)
    only = torch.tensor([[0.0, -torch.inf], [-torch.inf, 0.0]])
    made = euler(prior, start, 8, log_prior=only)[0.0].mean((2, 3))
    assert float(made[0, 0] - made[0, 2]) > 0.8
    assert float(made[1, 2] - made[1, 0]) > 0.8
    # A finite preference decides where the picture does not.
    x = 40 * start
    lean = prior.denoise(x, 40.0, torch.tensor([[3.0, 0.0], [0.0, 3.0]])).mean((2, 3))
    assert float(lean[0, 0]) > float(lean[1, 0]) + 0.3


def test_a_class_with_more_patches_weighs_the_same():
    small, large = torch.full((3, 48, 48), -0.5), torch.full((3, 96, 96), 0.5)
    prior = ExemplarPrior.from_images([small, large])
    out = prior.denoise(torch.zeros(1, 3, 48, 48), 1e4)
    assert float(out.abs().max()) < 1e-3


def test_samples_look_like_the_exemplar():
    """From pure noise: the contrast and the sharpness of the material, its patches, and not one verbatim copy."""
    prior, _, images = make()
    image = images[0]
    made = euler(prior, torch.randn(2, 3, 64, 64, generator=torch.Generator().manual_seed(1)), 14, (True, True))[0.0]
    assert float(made.std()) > 0.75 * float(image.std())

    def edge(t):
        return float((t - t.roll(1, -1)).abs().mean())

    assert edge(made) > 0.65 * edge(image)
    patches = torch.nn.functional.unfold(torch.cat([image, image], 2)[None], 5)[0].T
    own = torch.nn.functional.unfold(made, 5, stride=4).transpose(1, 2).reshape(-1, 75)
    assert float(torch.cdist(own, patches).amin(1).pow(2).mean() / 75) ** 0.5 < 0.2
    shifts = [rms(made[:1], image[None].roll((dy, dx), (2, 3))) for dy in range(0, 64, 2) for dx in range(0, 64, 2)]
    assert min(shifts) > 0.25


def test_grey_and_one_channel():
    prior = ExemplarPrior.from_images([picture(48, 3, channels=1)])
    x = torch.randn(1, 1, 32, 32, generator=torch.Generator().manual_seed(0))
    assert prior.denoise(x, 1.0).shape == x.shape


def test_moves_and_saves_with_everything():
    prior, _, _ = make()
    names = {name for name, _ in prior.named_buffers()}
    assert {f"banks.0.{name}" for name in ("coef", "screen", "owner", "basis", "mean", "window")} <= names
    assert not list(prior.parameters())
    assert not prior.denoise(torch.zeros(1, 3, 16, 16), 1.0).requires_grad


def test_thinned_bank():
    config = ExemplarConfig(max_patches=500)
    prior = ExemplarPrior.from_images([picture(64)], config)
    assert max(bank.counts[0] for bank in prior.banks) == 500
    assert math.isfinite(float(prior.denoise(torch.zeros(1, 3, 32, 32), 0.3).sum()))


@pytest.mark.parametrize(
    ("images", "words"),
    [
        ([], "no exemplar"),
        ([torch.zeros(64, 64)], r"exemplar 0 must be \[C,H,W\]"),
        ([torch.zeros(3, 64, 4)], "smaller than the smallest patch"),
        ([torch.zeros(3, 64, 64), torch.zeros(1, 64, 64)], "differ in channels"),
        ([torch.full((3, 64, 64), torch.nan)], "NaN"),
    ],
)
def test_bad_exemplars(images, words):
    with pytest.raises(ValueError, match=words):
        ExemplarPrior.from_images(images)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ((torch.zeros(3, 64, 64), 1.0), "must be"),
        ((torch.zeros(1, 4, 64, 64), 1.0), "must be"),
        ((torch.zeros(1, 3, 64, 7), 1.0), "at least 8 x 8"),
        ((torch.zeros(2, 3, 16, 16), torch.ones(3)), "one per view"),
        ((torch.zeros(2, 3, 16, 16), -1.0), "at least 0"),
        ((torch.zeros(2, 3, 16, 16), float("nan")), "finite"),
        ((torch.zeros(2, 3, 16, 16), 1.0, torch.zeros(2, 2)), "class_log_prior must be"),
        ((torch.zeros(1, 3, 16, 16), 1.0, torch.full((1, 1), -torch.inf)), "without any class"),
        ((torch.zeros(1, 3, 16, 16), 1.0, torch.full((1, 1), torch.nan)), "NaN"),
    ],
)
def test_bad_calls(arguments, words):
    with pytest.raises(ValueError, match=words):
        make()[0].denoise(*arguments)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"levels": ()}, "sigma_min 0"),
        ({"levels": (Level(1.0, 1, 5),)}, "sigma_min 0"),
        ({"levels": (Level(1.0, 2, 5), Level(2.0, 1, 5), Level(0.0, 1, 5))}, "must fall"),
        ({"levels": (Level(0.0, 1, 4),)}, "odd"),
        ({"sharpness": 0.0}, "above 0"),
        ({"max_patches": 0}, "at least 1"),
        ({"rest": 1.0}, "below 1"),
    ],
)
def test_bad_config(options, words):
    with pytest.raises(ValueError, match=words):
        ExemplarConfig(**options)


def test_resampling():
    for size, cells in ((64, 16), (65, 16), (50, 13), (9, 9)):
        down = area_matrix(size, cells)
        torch.testing.assert_close(down.sum(1), torch.ones(cells))
        torch.testing.assert_close(down.sum(0), torch.full((size,), cells / size))
        for wrap in (False, True):
            torch.testing.assert_close(cubic_matrix(cells, size, wrap).sum(1), torch.ones(size))
    torch.testing.assert_close(area_matrix(8, 2) @ torch.arange(8.0), torch.tensor([1.5, 5.5]))
    ramp = cubic_matrix(16, 64, False) @ (torch.arange(16.0) * 4 + 2)
    torch.testing.assert_close(ramp[8:-8], torch.arange(64.0)[8:-8] + 0.5)
