"""Views back to one picture, and how well they fit."""

from __future__ import annotations

from functools import partial
from typing import Any

from torch import Tensor

from ...renderers.scene import Scene
from ..declare import Choice, Node, Socket, Whole
from ..engine.vae import GivenViews
from ..widgets import SCENE, VIEW_PICTURES
from .stitch import DECODES, decoded_views, decoded_whole, report, save_preview, stitch


@Node(
    "Stitch Views",
    "views",
    inputs=SCENE,
    optional={
        **VIEW_PICTURES,
        "images": Socket("IMAGE").says("View images in rig order, instead of latents (decoded or edited elsewhere)."),
        "cell": Whole(0, 0, 64, advanced=True).says(
            "Image pixels per latent cell of the model that made the images: 8 for most, 1 for ExemplarModel. 0 = "
            "from the latents, or 8. Only matters for odd sizes."
        ),
        "decode": Choice(DECODES).says(
            "How latents become pictures. view by view: memory does not grow with the picture. whole picture: once "
            "instead of once for every view, and a picture that wraps is decoded as one that wraps; planes and "
            "panoramas."
        ),
    },
    outputs={
        "image": Socket("IMAGE").says("The whole picture, exactly the size of the space."),
        "coverage": Socket("MASK").says("1 where some view sees the picture."),
    },
    search=["untile", "merge tiles", "join tiles", "stitch", "blend tiles"],
)
class StitchViews:
    """Joins views into the whole picture. Latents are decoded view by view, so memory does not grow with the picture;
    costs one VAE decode per view, or one of the whole picture."""

    def stitch(
        self,
        space: Any,
        rig: Any,
        views: dict[str, Any] | None = None,
        vae: Any = None,
        images: Tensor | None = None,
        cell: int = 0,
        decode: str = DECODES[0],
    ) -> tuple[Tensor, Tensor]:
        scene = Scene(space, rig)
        if views is not None and images is None and decode == DECODES[1]:
            return decoded_whole(scene, vae, views["samples"])
        if views is not None:
            cell = cell or scene.cell_of_views(tuple(views["samples"].shape))
        given = GivenViews(views, vae, images, scene.geometry.clip.frames)
        return stitch(scene, given.pictures("stitch", partial(decoded_views, scene)), given.count, cell or 8)


@Node(
    "Sync Report",
    "sampling",
    inputs={**SCENE, "views": Socket("LATENT").says("View latents in rig order, as sampled.")},
    optional={
        "vae": Socket("VAE").says(
            "Measures LPIPS of views that do not overlap too, where the python package lpips and VGG's weights are on "
            "disk. Costs a decode for each of these."
        ),
    },
    outputs={
        "text": Socket("STRING").says("The figures, one a line."),
        "coverage": Socket("IMAGE").says("How many views see each pixel, dark to bright; black is a hole."),
        "json": Socket("STRING").says(
            "The figures as a JSON object, for scripts; null where there is nothing to measure."
        ),
        "disagreement": Socket("IMAGE").says(
            "How far views are from what their average shows, dark to bright. Dark all over where they differ by less "
            "than a hundredth of their contrast; black is a hole."
        ),
    },
    search=["seam", "seam ratio", "quality", "psnr", "lpips", "metrics", "coverage", "measure"],
    output_node=True,
)
class SyncReport:
    """Measures how well the views fit: seam ratio (1 = no seam), cross-view PSNR, coverage, fine detail and noise that
    averaging leaves, and how unlike separate views are. Costs some milliseconds."""

    def report(self, space: Any, rig: Any, views: dict[str, Any], vae: Any = None) -> dict[str, Any]:
        result = report(Scene(space, rig), views["samples"], vae)
        shown = [save_preview(picture) for picture in result.shown]
        return {
            "ui": {"images": shown, "text": [result.text]},
            "result": (result.text, result.coverage[None], result.json, result.apart[None]),
        }
