"""A space that the pack does not have, in some forty lines: one entry in the table of wings, and everything works."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

import pytest
import torch
from helpers.host_vaes import PatchVae, bounded
from helpers.hosting import Windows, relative_error, run_node
from syncpack.nodes.engine import preview
from syncpack.nodes.views.picture_nodes import SyncTweediesViewImages
from syncpack.nodes.views.report import RigPreview, RigReport
from syncpack.nodes.views.stitch_nodes import StitchViews, SyncReport
from syncpack.renderers import scene
from syncpack.renderers.directions import ViewPlace
from syncpack.renderers.geometry import Geometry, Wing
from syncpack.sync_core.linear_map import LinearMap
from syncpack.sync_core.views import ViewSet
from torch import Tensor

pytestmark = pytest.mark.host


@dataclass(frozen=True)
class Drum:
    """A picture around a drum, painted all the way around."""

    width: int
    height: int
    kind = "drum"


@dataclass(frozen=True)
class Slots:
    """The drum seen whole, cut open at ``count`` places."""

    count: int
    kind = "slots"


@dataclass(frozen=True)
class DrumGeometry(Geometry):
    space: Drum
    rig: Slots

    @property
    def size(self) -> tuple[int, int]:
        return self.space.width, self.space.height

    view_size = size

    def grid(self, cell: int) -> tuple[int, int]:
        return self.space.height // cell, self.space.width // cell

    def views(self, cell: int, finer: int) -> ViewSet:
        rows, columns = (side * finer for side in self.grid(cell))
        whole = torch.arange(rows * columns).reshape(rows, columns)
        index = torch.cat([whole.roll(-columns * i // self.rig.count, 1).flatten() for i in range(self.rig.count)])
        pixels = len(index)
        forward = LinearMap(torch.arange(pixels + 1, dtype=torch.int32), index.int(), torch.ones(pixels), whole.numel())
        return ViewSet(forward, (rows, columns), rows, columns, torch.ones(pixels))

    def places(self) -> tuple[ViewPlace, ...]:
        return tuple(ViewPlace(i, azimuth=360 * i / self.rig.count) for i in range(self.rig.count))

    def look(self, picture: Tensor) -> Tensor:
        seen = [picture.roll(-picture.shape[-1] * i // self.rig.count, -1) for i in range(self.rig.count)]
        return torch.stack(seen, 1).flatten(0, 1)

    def stitch(self, cell: int, images: Iterable[Tensor]) -> tuple[Tensor, Tensor]:
        back = [image.roll(self.space.width * i // self.rig.count, 1) for i, image in enumerate(images)]
        return torch.stack(back).mean(0), torch.full((self.space.height, self.space.width), float(len(back)))

    def seam_ratio(self, picture: Tensor, cell: int) -> float:
        return math.nan


DRUM = Wing(Drum, Slots, DrumGeometry, "a drum", "use slots")
SPACE, RIG = Drum(96, 32), Slots(3)


@pytest.fixture(autouse=True)
def registered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scene, "WINGS", (*scene.WINGS, DRUM))


def test_it_is_sampled_and_previewed(monkeypatch: pytest.MonkeyPatch):
    shown: list[tuple[int, ...]] = []
    monkeypatch.setattr(preview.host, "previewer", lambda model: object())
    monkeypatch.setattr(preview.host, "preview_format", lambda previewer, latent: shown.append(tuple(latent.shape)))
    views, whole = run_node(bounded(), SPACE, RIG)
    assert views["samples"].shape == (3, 4, 4, 12) and whole["samples"].shape == (1, 4, 4, 12)
    for number, view in enumerate(views["samples"]):
        assert torch.allclose(view, whole["samples"][0].roll(-4 * number, -1), atol=1e-5)
    assert float(whole["samples"].std()) > 0.1
    assert shown and set(shown) == {(1, 4, 4, 12)}


@pytest.mark.parametrize("process", [1, 3, 4, 5, 54])
def test_every_kind_of_process_takes_it(process: int):
    views, whole = run_node(bounded(), SPACE, RIG, process=process)
    assert bool(torch.isfinite(views["samples"]).all()) and whole["samples"].shape == (1, 4, 4, 12)


def test_pictures_are_averaged_as_latents_are():
    """With a VAE that loses nothing, and by a chunk of views at a time."""
    plain, _ = run_node(bounded(192), SPACE, RIG)
    pictures, _ = run_node(bounded(192), SPACE, RIG, rgb_vae=PatchVae(), views_per_batch=1)
    assert relative_error(pictures["samples"], plain["samples"]) < 1e-4


def test_it_is_stitched_cut_and_reported():
    picture = torch.rand(1, 32, 96, 3, generator=torch.Generator().manual_seed(0))
    images, masks = SyncTweediesViewImages().cut(SPACE, RIG, image=picture)[:2]
    assert images.shape == (3, 32, 96, 3) and bool((masks == 1).all())
    whole, coverage = StitchViews().stitch(SPACE, RIG, images=images)
    assert torch.allclose(whole, picture, atol=1e-6) and bool((coverage == 1).all())

    views, _ = run_node(bounded(), SPACE, RIG)
    text, counted, *_ = SyncReport().report(SPACE, RIG, views)["result"]
    assert "3 views of 96 x 32 on 96 x 32" in text and "no seams to measure" in text
    assert "views per cell 3 to 3" in text and "holes 0.00 %" in text and counted.shape == (1, 32, 96, 3)
    count, _, said = RigReport().report(SPACE, RIG)["result"]
    assert count == 3 and "coverage 100.0 % of the picture" in said and said.endswith("no holes")
    assert RigPreview().draw(SPACE, RIG, 288)["result"][0].shape == (1, 96, 288, 3)


def test_another_rig_is_refused_in_its_words():
    with pytest.raises(ValueError, match=r"^a rig of windows cannot look at a drum; use slots$"):
        scene.Scene(SPACE, Windows(64, 64, 32, 32))
    with pytest.raises(ValueError, match=r"^a str is no canonical space; connect CanonicalSpace, MeshSpace or SplatSp"):
        scene.Scene("drum", RIG)
