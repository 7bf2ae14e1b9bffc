"""Texture files: every kind has its right colours, each is decoded once, and all together have a limit."""

import io

import numpy as np
import pytest
import torch
from helpers.mesh_files import picture
from PIL import Image
from syncpack.renderers.mesh.files.gltf.file import Missing, beside
from syncpack.renderers.mesh.files.pictures import Pictures, StoredPictures, TooManyPixels, read_picture


def stored(image, kind):
    data = io.BytesIO()
    image.save(data, kind)
    return data.getvalue()


RAMP = np.linspace(0, 1, 6, dtype=np.float32).reshape(2, 3)
KINDS = {
    "float TIFF": (Image.fromarray(RAMP), "TIFF"),
    "float TIFF of 8-bit numbers": (Image.fromarray(RAMP * 255), "TIFF"),
    "float TIFF of 16-bit numbers": (Image.fromarray(RAMP * 65535), "TIFF"),
    "16-bit PNG": (Image.fromarray((RAMP * 65535).astype(np.uint16)), "PNG"),
    "grey PNG": (Image.fromarray((RAMP * 255).astype(np.uint8)), "PNG"),
    "grey BMP": (Image.fromarray((RAMP * 255).astype(np.uint8)), "BMP"),
    "palette GIF": (Image.fromarray((RAMP * 255).astype(np.uint8)).convert("P"), "GIF"),
}


@pytest.mark.parametrize("kind", KINDS)
def test_grey_pictures_of_every_kind(kind):
    found = read_picture(stored(*KINDS[kind]), "x")
    assert found.shape == (2, 3, 3)
    assert torch.allclose(found, torch.from_numpy(RAMP)[..., None].expand(2, 3, 3), atol=1 / 255)


def test_a_picture_is_decoded_once_and_all_have_a_limit():
    pictures, a, b = Pictures(limit=30), picture(seed=1), picture(seed=2)
    one = pictures.read(a, "one")
    assert pictures.read(bytes(bytearray(a)), "again") is one and pictures.pixels == 12
    pictures.read(b, "two")
    with pytest.raises(TooManyPixels, match=r"three is 4 x 3.*textures to ignore"):
        pictures.read(picture(seed=3), "three")
    assert pictures.read(a, "again") is one


def test_pictures_are_stored_once():
    kept = StoredPictures()
    one = torch.rand(3, 4, 3)
    assert [kept.number(t) for t in (one, one.clone(), 1 - one, one)] == [0, 0, 1, 0]
    assert len(kept.files) == 2 and torch.allclose(read_picture(kept.files[1], "x"), 1 - one, atol=0.6 / 255)


def test_damaged_pictures_are_refused_in_one_line():
    whole = picture(size=(64, 64))
    random = np.random.default_rng(0)
    for _ in range(200):
        data = bytearray(whole[: random.integers(8, len(whole))])
        for at in random.integers(0, len(data), 2):
            data[at] = random.integers(0, 256)
        try:
            read_picture(bytes(data), "the texture 'a.png'")
        except ValueError as error:
            assert str(error).startswith("the texture 'a.png' ") and "\n" not in str(error)


@pytest.mark.parametrize("name", ["x" * 5000 + ".png", "a\0b.png", "two\nlines.png", "x/" * 2000, "..", "."])
def test_names_that_no_file_has_are_missing_in_one_line(tmp_path, name):
    with pytest.raises(Missing) as error:
        beside(tmp_path, tmp_path, name)
    assert "\n" not in str(error.value) and len(str(error.value)) < 200
