"""Pictures that viewers open as a sphere: Google's photo sphere metadata (GPano) in an XMP packet.

https://developers.google.com/streetview/spherical-metadata. In a JPEG file the packet is an APP1 segment (Adobe, "XMP
specification part 3", 1.1.3).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

_EXIF = b"Exif\0\0"
_SIGNATURE = b"http://ns.adobe.com/xap/1.0/\0"
# A segment counts its bytes in 16 bits, its own two among them.
_LONGEST = 65533


@dataclass(frozen=True)
class SphereMetadata:
    """Where a picture of ``width`` x ``height`` pixels lies on the whole equirectangular map. ``heading``: the azimuth
    that a viewer first looks at, degrees, 0 the middle of the whole map."""

    width: int
    height: int
    full_width: int
    full_height: int
    left: int = 0
    top: int = 0
    heading: float = 0.0

    def __post_init__(self) -> None:
        if self.full_width != 2 * self.full_height:
            raise ValueError(f"a whole panorama of {self.full_width} x {self.full_height} is not twice as wide as high")
        right, bottom = self.left + self.width, self.top + self.height
        if min(self.left, self.top) < 0 or right > self.full_width or bottom > self.full_height:
            raise ValueError(
                f"a picture of {self.width} x {self.height} at {self.left}, {self.top} does not lie in a whole "
                f"panorama of {self.full_width} x {self.full_height}; set full_width to the width that 360 degrees "
                "would have"
            )

    @staticmethod
    def of(width: int, height: int, full_width: int = 0, heading: float = 0.0) -> SphereMetadata:
        """A picture centred on the whole map, whose width at 360 degrees is ``full_width`` (0: the picture's own).

        Raises ValueError when the picture is larger than the whole map, or it has no middle row.
        """
        full = full_width or width + width % 2
        half = full // 2
        return SphereMetadata(width, height, full, half, (full - width) // 2, (half - height) // 2, heading)

    def xmp(self) -> bytes:
        """The XMP packet."""
        values = {
            "ProjectionType": "equirectangular",
            "UsePanoramaViewer": "True",
            "FullPanoWidthPixels": self.full_width,
            "FullPanoHeightPixels": self.full_height,
            "CroppedAreaImageWidthPixels": self.width,
            "CroppedAreaImageHeightPixels": self.height,
            "CroppedAreaLeftPixels": self.left,
            "CroppedAreaTopPixels": self.top,
            # GPano's heading is a compass: the middle of the map looks north, degrees 0 to 360.
            "PoseHeadingDegrees": 0,
            "InitialViewHeadingDegrees": round(self.heading % 360),
        }
        fields = "".join(f'\n   GPano:{name}="{value}"' for name, value in values.items())
        text = (
            '<?xpacket begin="\ufeff" id="W5M0MpCehiHzreSzNTczkc9d"?>\n'
            '<x:xmpmeta xmlns:x="adobe:ns:meta/">\n'
            ' <rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">\n'
            '  <rdf:Description rdf:about="" xmlns:GPano="http://ns.google.com/photos/1.0/panorama/"'
            f"{fields}/>\n </rdf:RDF>\n</x:xmpmeta>\n"
            '<?xpacket end="w"?>'
        )
        return text.encode("utf-8")


def with_xmp(jpeg: bytes, packet: bytes) -> bytes:
    """A JPEG file with an XMP packet put in front of everything but its JFIF and EXIF headers.

    Raises ValueError for bytes that are no JPEG file, or a packet that fits in no segment.
    """
    return _with_segment(jpeg, _SIGNATURE + packet, "an XMP packet")


def with_exif(jpeg: bytes, exif: bytes) -> bytes:
    """A JPEG file with EXIF data (from its TIFF header on) put in; raises as ``with_xmp``."""
    return _with_segment(jpeg, _EXIF + exif, "EXIF data")


def png_xmp(texts: Any, packet: bytes) -> None:
    """Put an XMP packet among the texts (Pillow's ``PngInfo``) of a PNG file (Adobe, part 3, 1.1.5)."""
    texts.add_itxt("XML:com.adobe.xmp", packet.decode("utf-8"))


def _with_segment(jpeg: bytes, content: bytes, what: str) -> bytes:
    if jpeg[:2] != b"\xff\xd8":
        raise ValueError("these bytes are no JPEG file")
    if len(content) > _LONGEST:
        raise ValueError(f"{what} of {len(content)} bytes does not fit in a JPEG segment")
    at = 2
    while jpeg[at : at + 2] == b"\xff\xe0" or (jpeg[at : at + 2] == b"\xff\xe1" and jpeg[at + 4 : at + 10] == _EXIF):
        at += 2 + int.from_bytes(jpeg[at + 2 : at + 4], "big")
    return jpeg[:at] + b"\xff\xe1" + (len(content) + 2).to_bytes(2, "big") + content + jpeg[at:]
