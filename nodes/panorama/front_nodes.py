"""A picture as the front of a panorama."""

from __future__ import annotations

from typing import Any

from torch import Tensor

from ..declare import Node, Number, Socket, Whole
from .front import front_of_panorama


@Node(
    "Picture to Panorama",
    "panorama",
    inputs={
        "image": Socket("IMAGE").says("A picture as a camera takes it, of any proportions."),
        "width": Whole(2048, 32, 16384, 32).says("Width of the panorama in pixels; it is half as high."),
        "fov": Number(75.0, 5.0, 150.0, 1.0).says(
            "How many degrees the picture is wide: 65 to 75 for a phone, 40 for a portrait. Too large a number bends "
            "what stands at its sides."
        ),
        "azimuth": Number(0.0, -180.0, 180.0, 1.0).says("Where its middle is, degrees; 0 is the panorama's middle."),
        "elevation": Number(0.0, -85.0, 85.0, 1.0).says(
            "How far up its middle is, degrees: 0 where its horizon is half way up, more where the camera looked up."
        ),
        "fade": Number(0.12, 0.0, 0.5, 0.01).says(
            "Width of the border in which the picture gives way to what is made, as a part of its shorter side."
        ),
    },
    optional={
        "depth": Socket("IMAGE").says(
            "The picture's depth, near is white, as the host's MoGe and Depth Anything nodes give it."
        )
    },
    outputs={
        "image": Socket("IMAGE").says("The panorama: the picture, and colours that fade out from it."),
        "mask": Socket("MASK").says("1 where something is to be made, 0 where the picture stays."),
        "depth": Socket("IMAGE").says("The depth as a panorama; without one grey, all equally far."),
    },
    search=["outpaint", "image to 360", "image to panorama", "extend picture", "photo to panorama"],
)
class EquirectFromPicture:
    """Puts a picture on the sphere, so that a sampler makes the rest of the panorama around it: encode the image and
    give it the mask (Set Latent Noise Mask). Costs some milliseconds."""

    def place(
        self,
        image: Tensor,
        width: int,
        fov: float,
        azimuth: float,
        elevation: float,
        fade: float,
        depth: Tensor | None = None,
    ) -> tuple[Any, Any, Any]:
        return front_of_panorama(image, width, (azimuth, elevation, fov), fade, depth)
