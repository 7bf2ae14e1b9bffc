"""Panorama files: readers find the sphere's metadata, and the picture is unharmed."""

import io
import xml.etree.ElementTree as ElementTree

import numpy as np
import pytest
from PIL import Image
from syncpack.renderers.panorama.gpano import SphereMetadata, with_xmp

GPANO = "{http://ns.google.com/photos/1.0/panorama/}"


def jpeg(width=64, height=32):
    rows = np.linspace(0, 255, height, dtype=np.uint8)[:, None, None].repeat(width, 1).repeat(3, 2)
    file = io.BytesIO()
    Image.fromarray(rows).save(file, "JPEG", quality=90)
    return file.getvalue()


def fields(data):
    """What a reader finds: the attributes of the packet's one description."""
    with Image.open(io.BytesIO(data)) as picture:
        packet = picture.info["xmp"]
    description = next(ElementTree.fromstring(packet).iter("{http://www.w3.org/1999/02/22-rdf-syntax-ns#}Description"))
    return {name.removeprefix(GPANO): value for name, value in description.items() if name.startswith(GPANO)}


def test_a_whole_sphere():
    found = fields(with_xmp(jpeg(), SphereMetadata.of(64, 32, heading=-90).xmp()))
    assert found["ProjectionType"] == "equirectangular" and found["UsePanoramaViewer"] == "True"
    assert (found["FullPanoWidthPixels"], found["FullPanoHeightPixels"]) == ("64", "32")
    assert (found["CroppedAreaImageWidthPixels"], found["CroppedAreaImageHeightPixels"]) == ("64", "32")
    assert (found["CroppedAreaLeftPixels"], found["CroppedAreaTopPixels"]) == ("0", "0")
    assert found["InitialViewHeadingDegrees"] == "270"


def test_a_part_of_the_sphere_lies_in_the_middle():
    found = fields(with_xmp(jpeg(100, 40), SphereMetadata.of(100, 40, full_width=200).xmp()))
    assert (found["FullPanoWidthPixels"], found["FullPanoHeightPixels"]) == ("200", "100")
    assert (found["CroppedAreaLeftPixels"], found["CroppedAreaTopPixels"]) == ("50", "30")
    strip = fields(with_xmp(jpeg(100, 20), SphereMetadata.of(100, 20).xmp()))
    assert (strip["FullPanoHeightPixels"], strip["CroppedAreaTopPixels"]) == ("50", "15")


def test_the_picture_is_the_same():
    plain = jpeg()
    tagged = with_xmp(plain, SphereMetadata.of(64, 32).xmp())
    with Image.open(io.BytesIO(plain)) as a, Image.open(io.BytesIO(tagged)) as b:
        assert np.array_equal(np.asarray(a), np.asarray(b))


def test_bad_input():
    with pytest.raises(ValueError, match="64 x 40 at 0, -4 does not lie in a whole panorama of 64 x 32"):
        SphereMetadata.of(64, 40)
    with pytest.raises(ValueError, match="does not lie in a whole panorama of 32 x 16"):
        SphereMetadata.of(64, 16, full_width=32)
    with pytest.raises(ValueError, match="33 x 16 is not twice"):
        SphereMetadata.of(30, 10, full_width=33)
    with pytest.raises(ValueError, match="no JPEG"):
        with_xmp(b"\x89PNG", b"")
    with pytest.raises(ValueError, match="does not fit in a JPEG segment"):
        with_xmp(jpeg(), b"x" * 70000)
