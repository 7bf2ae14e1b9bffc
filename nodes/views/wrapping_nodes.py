"""A VAE for pictures whose borders meet."""

from __future__ import annotations

from typing import Any

from ..declare import Node, Socket
from ..engine.wrapping import WrappedVAE


@Node(
    "Wrapped VAE",
    "views",
    inputs={
        "vae": Socket("VAE").says("Any VAE of an image model; it stays as it is."),
        "space": Socket("CANONICAL_SPACE").says(
            "The picture that wraps: a plane with wrap_x, wrap_y or both, or a panorama."
        ),
    },
    outputs={
        "VAE": Socket("VAE").says(
            "For VAE Decode (also tiled) of the sampler's canonical output, and for VAE Encode of whole pictures. "
            "Views are decoded by the VAE as it is."
        )
    },
    search=[
        "circular VAE",
        "circular padding",
        "seamless",
        "tileable",
        "tiling",
        "make circular",
        "wrap",
        "VAE decode",
        "VAE encode",
        "panorama",
        "360",
    ],
)
class SyncTweediesWrappedVAE:
    """A VAE that knows which borders meet: what it decodes tiles without a seam, and what it encodes has none. Costs a
    fifth more than the VAE itself, twice as much for a panorama of 1024 x 512, which is decoded beyond its poles."""

    def wrap(self, vae: Any, space: Any) -> tuple[WrappedVAE]:
        return (WrappedVAE(vae, space),)
