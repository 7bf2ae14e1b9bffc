"""The node behind the viewer: files for the front end, and pictures that are none."""

import numpy as np
import pytest
import torch
from helpers.hosting import one_line
from PIL import Image
from syncpack.nodes.viewers.nodes import SyncTweediesPreview360

pytestmark = pytest.mark.host


def pictures(*shape):
    return torch.rand(*shape, generator=torch.Generator().manual_seed(3))


def show(image):
    shown = SyncTweediesPreview360().show(image)
    assert set(shown) == {"ui", "result"} and set(shown["ui"]) == {"panoramas"}
    return shown["ui"]["panoramas"], shown["result"]


def stored(folder, entry):
    assert set(entry) == {"filename", "subfolder", "type"} and entry["type"] == "temp"
    with Image.open(folder / entry["subfolder"] / entry["filename"]) as picture:
        return np.asarray(picture)


def test_every_picture_of_a_batch_is_written(temp_folder):
    image = pictures(3, 16, 32, 3)
    files, (out,) = show(image)
    assert out is image
    assert len({f["filename"] for f in files}) == 3
    for entry, expected in zip(files, image, strict=True):
        found = stored(temp_folder, entry)
        assert found.shape == (16, 32, 3) and np.abs(found / 255 - expected.numpy()).max() <= 0.5 / 255 + 1e-6
    again, _ = show(image)
    assert not {f["filename"] for f in files} & {f["filename"] for f in again}, "a second run keeps the first's files"


@pytest.mark.parametrize("channels", [1, 4])
def test_grey_and_transparent_pictures(temp_folder, channels):
    image = pictures(1, 8, 16, channels)
    ((entry,), _) = show(image)
    expected = image[0, ..., :3].expand(8, 16, 3).numpy()
    assert np.abs(stored(temp_folder, entry) / 255 - expected).max() <= 0.5 / 255 + 1e-6


def test_values_beyond_white_do_not_wrap(temp_folder):
    image = torch.full((1, 8, 16, 3), 1.3)
    image[:, 4:] = -0.2
    found = stored(temp_folder, show(image)[0][0])
    assert (found[:4] == 255).all() and (found[4:] == 0).all()


@pytest.mark.parametrize(
    "height, width, named, fix",
    [(480, 640, "640 x 480", "800 x 400"), (512, 1023, "1023 x 512", "1024 x 512"), (1, 2, "2 x 1", "4 x 2")],
)
def test_pictures_of_another_shape_are_refused(temp_folder, height, width, named, fix):
    with pytest.raises(ValueError) as error:
        show(pictures(1, height, width, 3))
    one_line(error.value, "SyncTweediesPreview360", named, "twice as wide as high", fix)
    assert not list(temp_folder.iterdir())


def test_nan_and_empty_batches_are_refused(temp_folder):
    image = pictures(2, 8, 16, 3)
    image[1, 3, 5, 0] = torch.nan
    with pytest.raises(ValueError) as error:
        show(image)
    one_line(error.value, "SyncTweediesPreview360", "NaN", "--fp32-vae")
    with pytest.raises(ValueError) as error:
        show(image[:0])
    one_line(error.value, "SyncTweediesPreview360", "empty", "connect an image")
    assert not list(temp_folder.iterdir())
