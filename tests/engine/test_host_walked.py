"""Whole runs whose views are too many for stored maps are the runs through the maps, to float error."""

from typing import Any

import pytest
import torch
from helpers.host_vaes import PatchVae, bounded
from helpers.hosting import Plane, Scene, Windows, gaussian, host, one_line, relative_error, run_advanced, run_node
from syncpack.nodes.host.errors import SyncError
from syncpack.nodes.sampling.plan import STOCHASTIC_LABEL
from syncpack.nodes.sampling.sampler import SyncTweediesViewLatents
from syncpack.nodes.views.spaces import rig_from
from syncpack.nodes.views.stitch import report
from syncpack.renderers.panorama.space import Panorama
from syncpack.sync_core import walked
from syncpack.sync_core.walked import WalkedViews

pytestmark = pytest.mark.host

PLANE = (Plane(160, 96, wrap_x=True), Windows(64, 64, 32, 32))
SPHERE = (Panorama(256, 128), rig_from("sphere", 64, 64, sampling="bilinear"))


@pytest.fixture
def walking(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Run something with stored maps, then without."""

    def both(run: Any) -> tuple[Any, Any]:
        stored = run()
        monkeypatch.setattr(walked, "MAPS_AT_MOST", 0)
        return stored, run()

    return both


def picture(space: Any, channels: int = 4) -> dict[str, Any]:
    generator = torch.Generator().manual_seed(5)
    return {"samples": torch.randn(1, channels, space.height // 8, space.width // 8, generator=generator)}


OPTIONS: dict[str, dict[str, Any]] = {
    "plain": {},
    "canonical state": {"process": 5},
    "least squares, own noise": {"aggregation": "least_squares", "noise": "independent"},
    "variance": {"variance_correction": 1.0},
    "stochastic": {"process": STOCHASTIC_LABEL, "inner_steps": 2, "steps": 10},
    "ancestral": {"sampler_name": "euler_ancestral"},
}


@pytest.mark.parametrize("place", [PLANE, SPHERE], ids=["plane", "sphere"])
@pytest.mark.parametrize("options", OPTIONS.values(), ids=OPTIONS.keys())
def test_runs(walking, place, options):
    space, rig = place
    stored, made = walking(lambda: run_node(gaussian(), space, rig, **{"steps": 4, **options}))
    assert isinstance(Scene(space, rig).views(8), WalkedViews)
    for before, after in zip(stored, made, strict=True):
        assert relative_error(after["samples"], before["samples"]) < (
            2e-2 if "aggregation" in options and space.kind != "plane" else 1e-4
        )


@pytest.mark.parametrize("place", [PLANE, SPHERE], ids=["plane", "sphere"])
def test_a_masked_start(walking, place):
    space, rig = place
    start = picture(space)
    start["noise_mask"] = torch.zeros(1, space.height, space.width)
    start["noise_mask"][:, :, : space.width // 2] = 1.0
    stored, made = walking(lambda: run_node(gaussian(), space, rig, canonical=start, denoise=0.6, steps=4))
    for before, after in zip(stored, made, strict=True):
        assert relative_error(after["samples"], before["samples"]) < 1e-4


@pytest.mark.parametrize("place", [PLANE, SPHERE], ids=["plane", "sphere"])
def test_reports(walking, place):
    space, rig = place
    views = SyncTweediesViewLatents().build(space, rig, 1, canonical=picture(space))[0]["samples"]
    views = views + torch.randn(views.shape, generator=torch.Generator().manual_seed(2))
    stored, made = walking(lambda: report(Scene(space, rig), views))
    assert made.text == stored.text
    assert torch.equal(made.coverage, stored.coverage)


@pytest.mark.parametrize("aggregation", ["mean", "least_squares"])
def test_averages_of_pictures(walking, aggregation):
    space, rig = SPHERE
    views = Scene(space, rig).views(8).count
    generator = torch.Generator().manual_seed(1)
    latent = {"samples": torch.randn(views, 192, 8, 8, generator=generator)}
    options = {"aggregation": aggregation, "views_per_batch": 4}
    stored, made = walking(lambda: run_advanced(bounded(192), space, rig, latent, rgb_vae=PatchVae(), **options))
    assert relative_error(made, stored) < (1e-4 if aggregation == "mean" else 2e-2)


def test_more_views_than_memory_are_refused_in_a_line(monkeypatch):
    """Before anything is made: each overlap is held once for every view, whatever averages them."""
    monkeypatch.setattr("syncpack.nodes.host.free_memory", lambda device: 2.0**28)
    with pytest.raises(SyncError) as caught:
        SyncTweediesViewLatents().build(Plane(8192, 8192), Windows(512, 512, 8, 8), 1)
    one_line(caught.value, "SyncTweediesViewLatents", "923521 views of 64 x 64 cells", "56.4 GiB", "0.2 are free")
    assert host.free_memory(torch.device("cpu")) == 2.0**28
