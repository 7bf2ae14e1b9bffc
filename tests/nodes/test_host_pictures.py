"""Pictures out: stitching, the report, the preview."""

import json
import math

import pytest
import torch
from helpers.hosting import Plane, Scene, Windows, comfy, gaussian, host, host_module, run_advanced, run_node, tiny_unet
from syncpack.nodes.views.stitch_nodes import StitchViews, SyncReport

pytestmark = pytest.mark.host

# Five overlapping windows of 8 x 8 cells on 24 x 8.
SPACE, RIG, VIEWS = Plane(192, 64), Windows(64, 64, 32, 64), 5


def picture(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def views_of(space, rig, canonical, cell=8):
    return Scene(space, rig).views(cell).project(canonical)


# Stitching


class BlockVae:
    """Each cell becomes a block of 8 x 8 pixels of its first three channels: what a decoder does, without blur."""

    def __init__(self):
        self.decoded = []

    def decode(self, samples):
        self.decoded.append(tuple(samples.shape))
        blocks = samples[:, :3].repeat_interleave(8, -2).repeat_interleave(8, -1)
        return blocks.movedim(1, -1)


@pytest.mark.parametrize(
    "space, rig",
    [
        (SPACE, RIG),
        (Plane(196, 68), RIG),  # not a multiple of the cell
        (Plane(200, 100), Windows(64, 64, 40, 24, "triangle")),
        (Plane(128, 64, wrap_x=True), Windows(64, 64, 48, 64)),
        (Plane(104, 100, wrap_x=True), Windows(64, 64, 32, 32, "flat")),
        (Plane(104, 104, wrap_x=True, wrap_y=True), Windows(64, 64, 32, 32, "flat")),
    ],
)
def test_stitched_latents_are_the_decoded_picture(space, rig):
    rows, columns = space.grid(8)
    whole = torch.rand(2, 4, rows, columns, generator=torch.Generator().manual_seed(1))
    samples = views_of(space, rig, whole)
    vae = BlockVae()
    image, coverage = StitchViews().stitch(space, rig, views={"samples": samples}, vae=vae)
    expected = BlockVae().decode(whole)[:, : space.height, : space.width]
    assert image.shape == (2, space.height, space.width, 3)
    assert coverage.shape == (2, space.height, space.width) and bool((coverage == 1).all())
    assert float((image - expected).abs().max()) <= 1e-5
    assert set(vae.decoded) == {(1, 4, rig.height // 8, rig.width // 8)}, "one view at a time"


@pytest.mark.parametrize("space", [SPACE, Plane(193, 71), Plane(184, 70, wrap_x=True)])
@pytest.mark.parametrize("cell", [0, 1])
def test_stitched_images(space, cell):
    whole = torch.rand(1, 3, *space.grid(cell or 8), generator=torch.Generator().manual_seed(2))
    if cell == 0:
        whole = whole.repeat_interleave(8, -2).repeat_interleave(8, -1)
    views = Scene(space, RIG).views(cell or 8, 1 if cell else 8)
    images = views.project(whole).movedim(1, -1)
    image, coverage = StitchViews().stitch(space, RIG, images=images, cell=cell)
    assert image.shape == (1, space.height, space.width, 3)
    expected = whole.movedim(1, -1)[:, : space.height, : space.width]
    assert float((image - expected).abs().max()) <= 1e-5 and bool((coverage == 1).all())


def test_windows_that_disagree_fade_into_each_other():
    """Black and white windows alternate: no step where a window begins or ends is larger than inside."""
    images = torch.zeros(VIEWS, 64, 64, 3)
    images[1::2] = 1.0
    image, _ = StitchViews().stitch(SPACE, RIG, images=images)
    assert float(image.min()) >= 0.0 and float(image.max()) <= 1.0
    assert float(image[0, 32].diff(dim=0).abs().max()) < 0.06
    flat, _ = StitchViews().stitch(SPACE, Windows(64, 64, 32, 64, "flat"), images=images)
    assert float(flat[0, 32].diff(dim=0).abs().max()) >= 0.5


def test_frames_of_one_image():
    """5-D latents of one frame (video models) are pictures."""
    samples = views_of(SPACE, RIG, picture(1, 4, 8, 24)).unsqueeze(2)

    class FrameVae(BlockVae):
        def decode(self, samples):
            return super().decode(samples[:, :, 0])[:, None]

    image, _ = StitchViews().stitch(SPACE, RIG, views={"samples": samples}, vae=FrameVae())
    flat, _ = StitchViews().stitch(SPACE, RIG, views={"samples": samples[:, :, 0]}, vae=BlockVae())
    assert torch.equal(image, flat)


# Report and preview


def test_the_report_of_views_that_agree(temp_folder):
    samples = views_of(SPACE, RIG, picture(1, 4, 8, 24))
    shown = SyncReport().report(SPACE, RIG, {"samples": samples})
    text, coverage, figures, apart = shown["result"]
    told = json.loads(figures)
    assert told["views"] == 5 and told["holes"] == 0 and told["seen_once"] == pytest.approx(1 / 3)
    assert told["detail_of_picture"] == pytest.approx(told["detail_of_views"], rel=1e-5) and "(100 %)" in text
    assert told["noise_of_picture"] == pytest.approx(told["noise_of_views"], rel=1e-5)
    assert told["canonical_noise"] == 1.0 and "note:" not in text
    assert "5 views of 64 x 64 on 192 x 64" in text and "holes 0.00 %" in text
    assert "views agree exactly" in text or float(text.split("PSNR ")[1].split()[0]) > 120
    assert "views per cell 1 to 2, mean 1.67" in text
    assert apart.shape == coverage.shape and len(apart.flatten(0, 2).unique(dim=0)) == 1
    ratio = float(text.split("seam ratio ")[1].split()[0])
    assert 0.5 < ratio < 2.0
    assert coverage.shape == (1, 64, 192, 3)
    one_view, two_views = coverage[0, 0, 0], coverage[0, 0, 40]
    assert float(two_views.sum()) > float(one_view.sum()) > 0, "more views are brighter, none is black"
    (file,) = shown["ui"]["images"]
    assert (temp_folder / file["subfolder"] / file["filename"]).stat().st_size > 0 and shown["ui"]["text"] == [text]


def test_the_report_sees_what_averaging_takes(temp_folder):
    told = json.loads(SyncReport().report(SPACE, RIG, {"samples": picture(VIEWS, 4, 8, 8)})["result"][2])
    assert told["detail_of_picture"] < 0.9 * told["detail_of_views"]
    assert told["noise_of_picture"] < 0.95 * told["noise_of_views"]
    silent = json.loads(SyncReport().report(SPACE, RIG, {"samples": torch.zeros(VIEWS, 4, 8, 8)})["result"][2])
    assert silent["views_agree_exactly"] and silent["cross_view_psnr"] is None


def test_the_report_sees_seams_and_disagreement(temp_folder):
    samples = views_of(SPACE, RIG, torch.zeros(1, 4, 8, 24)) + 0.1 * picture(VIEWS, 4, 8, 8)
    samples += torch.arange(VIEWS)[:, None, None, None]
    told = SyncReport().report(SPACE, Windows(64, 64, 32, 64, "flat"), {"samples": samples})["result"]
    text, figures = told[0], json.loads(told[2])
    assert figures["seam_ratio"] > 2 and not figures["views_agree_exactly"]
    assert float(text.split("seam ratio ")[1].split()[0]) > 2.0
    agreement = float(text.split("PSNR ")[1].split()[0])
    # Neighbours differ by 1, so each is half off where they overlap: 4/5 of the pixels.
    peak = float(samples.max() - samples.min())
    assert agreement == pytest.approx(10 * math.log10(peak**2 / (0.25 * 0.8)), abs=1.0)


@pytest.fixture
def previews_on():
    method = host_module("latent_preview", "comfy.cmd.latent_preview").LatentPreviewMethod.Latent2RGB
    before, comfy.cli_args.args.preview_method = comfy.cli_args.args.preview_method, method
    yield
    comfy.cli_args.args.preview_method = before


@pytest.fixture
def bar(monkeypatch):
    """What the host's progress bar is told: (value, total, picture)."""
    told = []

    class Bar:
        def __init__(self, total):
            pass

        def update_absolute(self, value, total=None, preview=None):
            told.append((value, total, preview))

    monkeypatch.setattr(host, "ProgressBar", Bar)
    return told


def pictures_in(told):
    return [(value, total, picture) for value, total, picture in told if picture is not None]


@pytest.mark.parametrize("process", [2, 4])
def test_the_preview_is_the_whole_picture(bar, previews_on, process):
    """With previews on, the host gets one picture of the canvas a step, not the first view."""
    model = tiny_unet()
    assert isinstance(model.model.latent_format, comfy.latent_formats.SD15), "a format that the host can preview"
    run_node(model, SPACE, RIG, process=process)
    shown = pictures_in(bar)
    assert [(value, total) for value, total, _ in shown] == [(1, 3), (2, 3), (3, 3)]
    for _, _, (kind, image, _) in shown:
        assert kind == "JPEG" and image.size == (24, 8)


def test_the_preview_of_a_wrapped_sampler_is_the_whole_picture(bar, previews_on):
    model = tiny_unet()
    run_advanced(model, SPACE, RIG, {"samples": torch.zeros(VIEWS, 4, 8, 8)})
    assert [image.size for _, _, (_, image, _) in pictures_in(bar)] == [(24, 8)] * 3


def test_no_preview_where_previews_are_off(bar, monkeypatch):
    monkeypatch.setattr(host, "previewer", lambda model: None)
    run_node(gaussian(), SPACE, RIG, sampler_name="heun")
    assert bar and not pictures_in(bar)


def test_progress_counts_chunks_of_views(bar):
    """Five views in chunks of two: nine model calls in three steps, each of which moves the bar."""
    run_node(gaussian(), SPACE, RIG, views_per_batch=2)
    assert {total for _, total, _ in bar} == {9}
    assert [value for value, _, _ in bar] == [1, 2, 3, 3, 4, 5, 6, 6, 7, 8, 9, 9]


def test_progress_never_falls_back(bar):
    """A second-order sampler takes two evaluations in most steps, one in the last: known only after the first."""
    run_node(gaussian(), SPACE, RIG, sampler_name="heun", views_per_batch=2, steps=4)
    fractions = [value / total for value, total, _ in bar]
    assert fractions == sorted(fractions) and fractions[-1] == 1.0
    assert {total for _, total, _ in bar} == {12, 24}
