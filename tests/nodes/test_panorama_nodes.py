"""The panorama nodes: joining, looking, turning, cubes, depth, files, and what a rig sees."""

import io
import logging

import numpy as np
import pytest
import torch
from helpers.hosting import Plane, Scene, Windows, one_line
from PIL import Image
from syncpack.nodes.panorama.file_nodes import PanoramaDepthViews, SavePanorama
from syncpack.nodes.panorama.nodes import EquirectCubemap, EquirectRotate, EquirectStitch, EquirectViews
from syncpack.nodes.views.report import RigReport
from syncpack.nodes.views.spaces import CanonicalSpace, ViewRig, rig_from
from syncpack.renderers.panorama.space import Panorama, equirect_directions

pytestmark = pytest.mark.host

SPACE = Panorama(128, 64)
SPHERE = rig_from("sphere", 48, 48, fov=90)
RING = rig_from("ring", 48, 48, fov=72)
STITCH = dict(blend="average", detail=4.0, holes="nothing")


def smooth(rows):
    x, y, z = equirect_directions(rows, 2 * rows).float().unbind(-1)
    return torch.stack([0.5 + 0.4 * x, 0.5 + 0.3 * y * z, 0.5 - 0.4 * z], -1)[None]


# Space and rig


def test_the_space_nodes_build_a_panorama():
    (space,) = CanonicalSpace().build("panorama", 128, 64, False, False)
    (rig,) = ViewRig().build("sphere", 48, 48, spacing="stride", pixels=128, weights="hann", fov=90.0)
    assert (space, rig) == (SPACE, SPHERE)
    with pytest.raises(ValueError) as caught:
        CanonicalSpace().build("panorama", 128, 128, False, False)
    one_line(caught.value, "CanonicalSpace", "128 x 128", "use 192 x 96")
    with pytest.raises(ValueError) as caught:
        ViewRig().build("custom", 48, 48, spacing="stride", pixels=128, weights="hann", cameras="0 0\nup")
    one_line(caught.value, "ViewRig", "line 2 'up'")


def test_what_a_sphere_and_a_ring_see(folders, caplog):
    made = RigReport().report(SPACE, SPHERE)
    count, picture, text = made["result"]
    assert count == 17 and "coverage 100.0 % of the picture (100.0 % of the sphere)" in text and "no holes" in text
    assert picture.shape[-1] == 3 and float(picture.amax(-1).min()) > 0, "nothing is black"
    assert Image.open(folders / "temp" / made["ui"]["images"][0]["filename"]).size == picture.shape[2:0:-1]
    with caplog.at_level(logging.WARNING):
        count, picture, text = RigReport().report(Panorama(1024, 512), RING)["result"]
    assert count == 8 and "coverage 39.2 % of the picture" in text, "the reference's rig"
    assert "warning: 60.8 % of the picture is seen by no view" in text and "60.8 %" in caplog.text
    assert float((picture.amax(-1) == 0).float().mean()) == pytest.approx(0.608, abs=0.002)
    assert "0: 60.8 %" in text and "views per cell 0 to 2" in text


def test_what_windows_see(folders):
    count, picture, text = RigReport().report(Plane(192, 64), Windows(64, 64, 32, 64))["result"]
    assert count == 5 and "coverage 100.0 % of the picture\n" in text and "views per cell 1 to 2, mean 1.67" in text
    assert picture.shape[1] * 3 == picture.shape[2]
    with pytest.raises(ValueError) as caught:
        RigReport().report(Plane(192, 64), SPHERE)
    one_line(caught.value, "RigReport", "cannot look at a plane", "windows")


# Views and back


@pytest.mark.parametrize("blend", ["average", "two bands"])
def test_views_and_back(blend):
    picture = torch.cat([smooth(64), 1 - smooth(64)])
    images, masks = EquirectViews().look(SPHERE, image=picture)
    assert images.shape == (2 * 17, 48, 48, 3) and masks.shape == (34, 48, 48) and bool((masks == 1).all())
    back, coverage = EquirectStitch().stitch(SPACE, SPHERE, images=images, **{**STITCH, "blend": blend})
    assert back.shape == (2, 64, 128, 3) and coverage.shape == (2, 64, 128) and bool((coverage == 1).all())
    assert float((back - picture).abs().max()) < 0.03


def test_masks_are_looked_at_too():
    mask = torch.zeros(64, 128)
    mask[:, 64:] = 1.0
    images, masks = EquirectViews().look(RING, mask=mask)
    assert images.shape == (8, 48, 48, 3) and torch.equal(images[..., 1], masks)
    assert float(masks[2].min()) > 0.9999 and float(masks[6].max()) == 0.0, "to the right, to the left"
    assert float(masks[0][:, :22].max()) == 0.0 and float(masks[0][:, 26:].min()) > 0.9999, "split in the middle"


def test_large_panoramas_are_not_aliased():
    """Lines finer than a view's pixels become grey, not stripes."""
    lines = (torch.arange(2048) % 2).float().expand(1024, 2048)[None, ..., None].repeat(1, 1, 1, 3)
    images, _ = EquirectViews().look(rig_from("ring", 32, 32, fov=90), image=lines)
    assert float((images - 0.5).abs().max()) < 1e-3


class BlockVae:
    """Each cell becomes a block of 8 x 8 pixels of its first three channels."""

    def __init__(self):
        self.decoded = []

    def decode(self, samples):
        self.decoded.append(tuple(samples.shape))
        blocks = samples[:, :3].repeat_interleave(8, -2).repeat_interleave(8, -1)
        return blocks.movedim(1, -1) if samples.ndim == 4 else blocks.squeeze(2).movedim(1, -1)


def test_latents_are_decoded_one_by_one():
    samples = torch.rand(17, 4, 6, 6, generator=torch.Generator().manual_seed(0))
    vae = BlockVae()
    from_latents, _ = EquirectStitch().stitch(SPACE, SPHERE, views={"samples": samples}, vae=vae, **STITCH)
    assert vae.decoded == [(1, 4, 6, 6)] * 17
    images = BlockVae().decode(samples)
    from_images, _ = EquirectStitch().stitch(SPACE, SPHERE, images=images, **STITCH)
    assert torch.equal(from_latents, from_images)
    framed, _ = EquirectStitch().stitch(SPACE, SPHERE, views={"samples": samples[:, :, None]}, vae=vae, **STITCH)
    assert torch.equal(framed, from_images)


def test_views_made_larger_elsewhere():
    """Upscaled views go into a larger space, with the same rig."""
    images, _ = EquirectViews().look(rig_from("sphere", 96, 96, fov=90), image=smooth(128))
    back, _ = EquirectStitch().stitch(Panorama(256, 128), SPHERE, images=images, **STITCH)
    assert float((back - smooth(128)).abs().max()) < 0.01


def test_two_bands_keep_detail_where_views_differ():
    """Views with detail of their own: averaging halves its contrast, two bands keep that of one view."""
    noise = torch.rand(17, 48, 48, 3, generator=torch.Generator().manual_seed(1))
    contrast = {
        blend: float(EquirectStitch().stitch(SPACE, SPHERE, images=noise, **{**STITCH, "blend": blend})[0].std())
        for blend in ("average", "two bands")
    }
    assert contrast["two bands"] > 1.15 * contrast["average"]


def test_holes(caplog):
    images, _ = EquirectViews().look(RING, image=smooth(64))
    with caplog.at_level(logging.WARNING):
        black, coverage = EquirectStitch().stitch(SPACE, RING, images=images, **STITCH)
    assert "60." in caplog.text and "left black" in caplog.text
    assert bool((black[coverage == 0] == 0).all()) and float(coverage.mean()) == pytest.approx(0.392, abs=0.02)
    for holes in ("smooth", "nearest"):
        filled, seen = EquirectStitch().stitch(SPACE, RING, images=images, **{**STITCH, "holes": holes})
        assert torch.equal(seen, coverage) and torch.equal(filled[seen > 0], black[seen > 0])
        assert float((filled - smooth(64)).abs().mean()) < 0.15


@pytest.mark.parametrize(
    "options, parts",
    [
        (dict(images=torch.zeros(9, 48, 48, 3)), ("9 views", "17")),
        (dict(), ("nothing to stitch", "vae")),
        (dict(views={"samples": torch.zeros(17, 4, 6, 6)}), ("nothing to stitch",)),
        (dict(images=torch.zeros(17, 48, 48, 3), holes="magic"), ("magic", "smooth")),
    ],
)
def test_stitching_names_what_is_wrong(options, parts):
    with pytest.raises(ValueError) as caught:
        EquirectStitch().stitch(SPACE, SPHERE, **{**STITCH, **options})
    one_line(caught.value, "EquirectStitch", *parts)


def test_only_cameras_and_panoramas():
    windows = Windows(64, 64, 32, 64)
    with pytest.raises(ValueError) as caught:
        EquirectStitch().stitch(Plane(192, 64), windows, images=torch.zeros(5, 64, 64, 3), **STITCH)
    one_line(caught.value, "EquirectStitch", "windows", "sphere")
    with pytest.raises(ValueError) as caught:
        EquirectViews().look(windows, image=smooth(64))
    one_line(caught.value, "EquirectViews", "windows", "sphere")
    with pytest.raises(ValueError) as caught:
        EquirectViews().look(SPHERE, image=torch.zeros(1, 64, 100, 3))
    one_line(caught.value, "EquirectViews", "100 x 64", "twice as wide")
    with pytest.raises(ValueError) as caught:
        EquirectViews().look(SPHERE)
    one_line(caught.value, "EquirectViews", "connect an image or a mask")


# Turning and cubes


def test_turning():
    picture = smooth(64)
    (half,) = EquirectRotate().turn(picture, 180.0, 0.0, 0.0)
    assert torch.equal(half, picture.roll(64, 2))
    (up,) = EquirectRotate().turn(picture, 0.0, 90.0, 0.0)
    assert torch.allclose(up[0, 32, 64], picture[0, 0].mean(0), atol=0.03), "the zenith is in the middle"
    with pytest.raises(ValueError) as caught:
        EquirectRotate().turn(torch.zeros(1, 64, 64, 3), 0.0, 0.0, 0.0)
    one_line(caught.value, "EquirectRotate", "64 x 64")


@pytest.mark.parametrize("layout, shape", [("faces", (6, 32, 32)), ("row", (1, 32, 192)), ("cross", (1, 96, 128))])
def test_cubes_both_ways(layout, shape):
    (cube,) = EquirectCubemap().convert(smooth(64), "panorama to cube", layout, 0)
    assert tuple(cube.shape[:3]) == shape
    (back,) = EquirectCubemap().convert(cube, "cube to panorama", layout, 0)
    assert back.shape == (1, 64, 128, 3) and float((back - smooth(64)).abs().max()) < 0.02
    (small,) = EquirectCubemap().convert(cube, "cube to panorama", layout, 20)
    assert small.shape == (1, 20, 40, 3)
    with pytest.raises(ValueError) as caught:
        EquirectCubemap().convert(torch.zeros(5, 8, 8, 3), "cube to panorama", layout, 0)
    one_line(caught.value, "EquirectCubemap", "5 pictures of 8 x 8", "six")


# Depth


def room(rows=64):
    """Distances from the middle of a room to its walls."""
    return 2.0 / equirect_directions(rows, 2 * rows).abs().amax(-1).float()


def test_depth_from_files_and_from_an_image(folders):
    depth = room()
    np.save(folders / "input" / "room.npy", depth.numpy())
    inverse = 1 / depth
    inverse = inverse / inverse.max()
    Image.fromarray((inverse.numpy() * 65535).round().astype(np.uint16)).save(folders / "input" / "room.png")
    rig = rig_from("ring", 32, 32, fov=80)
    hints, valid = PanoramaDepthViews().build(rig, "distance", "joint", "room.npy")
    assert hints.shape == (8, 32, 32, 3) and valid.shape == (8, 32, 32) and bool((valid == 1).all())
    # In front of a flat wall the depth is the same everywhere, at 45 degrees the corner is far.
    assert float(hints[0].max() - hints[0].min()) < 0.03 and float(hints[1, :, 16].mean()) < 0.2
    from_png, _ = PanoramaDepthViews().build(rig, "inverse", "joint", "room.png")
    assert float((from_png - hints).abs().max()) < 0.01
    from_image, _ = PanoramaDepthViews().build(rig, "inverse", "joint", "", inverse[None, ..., None].repeat(1, 1, 1, 3))
    assert float((from_image - hints).abs().max()) < 0.01
    each, _ = PanoramaDepthViews().build(rig, "distance", "per view", "room.npy")
    assert all(float(hint.max()) == pytest.approx(1.0) for hint in each)


def test_a_changed_file_is_read_again(folders):
    file = folders / "input" / "depth.npy"
    np.save(file, room().numpy())
    before = PanoramaDepthViews.IS_CHANGED(file="depth.npy")
    assert before == PanoramaDepthViews.IS_CHANGED(file="depth.npy", image=None)
    np.save(file, room(32).numpy())
    assert before != PanoramaDepthViews.IS_CHANGED(file="depth.npy")
    assert PanoramaDepthViews.IS_CHANGED(file="gone.npy") == "gone.npy"


def test_depth_names_what_is_wrong(folders):
    rig = rig_from("ring", 16, 16)
    np.save(folders / "input" / "square.npy", np.ones((32, 32), np.float32))
    np.save(folders / "input" / "empty.npy", np.full((32, 64), np.nan, np.float32))
    (folders / "secret.npy").write_bytes(b"")
    grey = torch.rand(1, 32, 64, 1).repeat(1, 1, 1, 3)
    cases = [
        (dict(file=""), ("no depth", "input folder")),
        (dict(file="gone.png"), ("gone.png", "not in ComfyUI's input folder")),
        (dict(file="../secret.npy"), ("outside",)),
        (dict(file="square.npy"), ("32 x 32", "twice as wide")),
        (dict(file="empty.npy"), ("no valid value",)),
        (dict(file="square.npy", image=grey), ("both", "square.npy")),
        (dict(file="", image=torch.rand(1, 32, 64, 3)), ("colour",)),
        (dict(file="", image=grey.repeat(2, 1, 1, 1)), ("2 depth images",)),
        (dict(file="", image=grey[:, :, :50]), ("50 x 32", "twice as wide")),
    ]
    for options, parts in cases:
        with pytest.raises(ValueError) as caught:
            PanoramaDepthViews().build(rig, "inverse", "joint", **options)
        one_line(caught.value, "PanoramaDepthViews", *parts)


def test_unknown_depth_is_black_and_masked():
    grey = torch.full((1, 32, 64, 3), 0.5)
    grey[:, :16] = 0.0  # the sky
    hints, valid = PanoramaDepthViews().build(rig_from("ring", 16, 16), "inverse", "joint", "", grey)
    assert float(valid[0, :7].max()) == 0.0 and float(valid[0, 9:].min()) == 1.0
    assert not hints[valid == 0].any()


# Files


def test_saved_panoramas_open_as_spheres(folders):
    pictures = torch.cat([smooth(64), 1 - smooth(64)])
    made = SavePanorama().save(pictures, "sky/pano", 95, 0, 0.0)
    assert torch.equal(made["result"][0], pictures)
    names = [folders / "output" / i["subfolder"] / i["filename"] for i in made["ui"]["images"]]
    assert [n.name for n in names] == ["pano_00001_.jpg", "pano_00002_.jpg"] and names[0].parent.name == "sky"
    for name, picture in zip(names, pictures, strict=True):
        data = name.read_bytes()
        assert b'GPano:ProjectionType="equirectangular"' in data and b'GPano:FullPanoWidthPixels="128"' in data
        pixels = torch.from_numpy(np.asarray(Image.open(io.BytesIO(data)).convert("RGB")).copy())
        assert float((pixels / 255 - picture).abs().max()) < 0.03
    again = SavePanorama().save(pictures[:1], "sky/pano", 95, 0, 0.0)
    assert again["ui"]["images"][0]["filename"] == "pano_00003_.jpg"
    with pytest.raises(ValueError) as caught:
        SavePanorama().save(torch.zeros(1, 64, 64, 3), "square", 95, 0, 0.0)
    one_line(caught.value, "SavePanorama", "64 x 64", "full_width")


def test_the_scene_of_a_stitch_has_the_rigs_order():
    """View i of the batch is camera i: a marked view shows where that camera looks."""
    scene = Scene(SPACE, SPHERE)
    for number in (0, 5, 16):
        images = torch.zeros(17, 48, 48, 3)
        images[number] = 1.0
        picture, _ = EquirectStitch().stitch(SPACE, SPHERE, images=images, **STITCH)
        row, column = divmod(int(picture[0, ..., 0].argmax()), 128)
        elevation, azimuth = 90 - (row + 0.5) / 64 * 180, (column + 0.5) / 128 * 360 - 180
        place = scene.view_places()[number]
        assert abs(elevation - place.elevation) < 25
        if place.azimuth is not None:
            assert abs((azimuth - place.azimuth + 180) % 360 - 180) < 25
