"""Alternate and balanced averages in whole runs: on priors with opinions, by every door."""

from typing import Any

import pytest
import torch
from helpers.hosting import LABELS, analytic, disagreement, host, one_line, opinionated, run_node, run_patched
from syncpack.nodes.host.errors import SyncError
from syncpack.nodes.models.exemplar import PixelVAE
from syncpack.renderers.illusions.space import Illusion, Warps
from syncpack.renderers.illusions.warps import warp

pytestmark = pytest.mark.host

SPACE = Illusion(64, 64)


def divided(opinions: list[float], spread: float = 0.2) -> Any:
    """A MODEL whose view i wants pictures around ``opinions[i]``, Gaussian: its clean estimate is exact."""

    def clean(x: torch.Tensor, sigma: torch.Tensor) -> torch.Tensor:
        wish = torch.tensor(opinions).repeat(len(x) // len(opinions)).reshape(-1, 1, 1, 1)
        return (x * spread**2 + wish * sigma**2) / (spread**2 + sigma**2)

    return analytic(clean)


@pytest.mark.parametrize("process", [2, 4, 5])
@pytest.mark.parametrize("name", ["euler", "dpmpp_2m"])
def test_nobody_is_outvoted(process: int, name: str) -> None:
    """Three readings want 1, one wants -1: the plain mean is nearer to the three, the balanced one to nobody."""
    rig = Warps((warp("identity"), warp("rotate_90"), warp("rotate_180"), warp("rotate_270")))
    run: dict[str, Any] = {"steps": 20, "views_per_batch": 64, "process": process, "sampler_name": name}
    middle = {}
    for wish in ("mean", "balanced"):
        model = divided([1.0, 1.0, 1.0, -1.0])
        views, whole = run_node(model, SPACE, rig, aggregation=wish, batch_size=8, **run)
        middle[wish] = float(whole["samples"].mean())
        assert disagreement(SPACE, rig, views["samples"]) < 1e-5  # pyright: ignore[reportArgumentType]
    assert middle["mean"] == pytest.approx(0.5, abs=0.05) and abs(middle["balanced"]) < 0.05


def test_alternate_runs_and_ends_in_agreement() -> None:
    rig = Warps((warp("identity"), warp("rotate_90"), warp("negate")))
    seeds = [
        run_node(opinionated(), SPACE, rig, aggregation="alternate", steps=9, seed=s)[0]["samples"] for s in (5, 5)
    ]
    assert torch.equal(*seeds) and disagreement(SPACE, rig, seeds[0]) < 1e-5  # pyright: ignore[reportArgumentType]
    mean = run_node(opinionated(), SPACE, rig, steps=9)[0]["samples"]
    assert not torch.allclose(seeds[0], mean, atol=1e-2)
    cut = run_node(opinionated(), SPACE, rig, aggregation="alternate", steps=9, views_per_batch=1)[0]["samples"]
    torch.testing.assert_close(cut, seeds[0], rtol=0, atol=1e-5)


def test_the_model_s_door() -> None:
    rig, latent = Warps((warp("identity"), warp("rotate_90"))), torch.zeros(2, 4, 8, 8)
    options = {"aggregation": "alternate", "process": LABELS[2], "steps": 4}
    if not host.HAS_WRAPPERS:
        with pytest.raises(SyncError) as caught:
            run_patched(opinionated(), SPACE, rig, latent, **options)  # pyright: ignore[reportArgumentType]
        one_line(caught.value, "SyncTweediesPatch", "does not know its step", "aggregation mean")
        return
    patched = run_patched(opinionated(), SPACE, rig, latent, **options)  # pyright: ignore[reportArgumentType]
    node = run_node(opinionated(), SPACE, rig, aggregation="alternate", steps=4)[0]["samples"]
    torch.testing.assert_close(patched, node, rtol=0, atol=1e-5)


def test_pictures_are_refused() -> None:
    with pytest.raises(SyncError) as caught:
        run_node(opinionated(), SPACE, Warps((warp("identity"),)), aggregation="balanced", rgb_vae=PixelVAE())
    one_line(caught.value, "SyncTweediesSampler", "aggregation balanced", "use aggregation mean with rgb_vae")
