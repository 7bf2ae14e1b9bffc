"""Models in the folder layout of the diffusers library, and what the second stage of a pixel cascade is told about the
first: a picture for every view, and which views."""

from __future__ import annotations

from typing import Any

from torch import Tensor

from ...renderers.scene import Scene
from ..declare import Choice, Node, Socket, Whole
from ..views.pictures import view_images
from .diffusers_folders import NO_FOLDER, NO_TEXT_FOLDER, folder_state, list_folders
from .diffusers_text import load_text
from .diffusers_unet import load_model


def low_resolution(image: Tensor, noise_level: int, space: Any, rig: Any) -> dict[str, Any]:
    """Options of a CONDITIONING for pictures [B, H, W, C] of the first stage: of the views, or, where ``space`` and
    ``rig`` say what the views are, of the whole, which is then cut into views.

    Raises ValueError for one without the other, and for as many pictures as are neither views nor wholes.
    """
    if (space is None) != (rig is None):
        missing = "rig" if rig is None else "space"
        raise ValueError(f"space and rig belong together; connect {missing}, or disconnect the other")
    added: dict[str, Any] = {"noise_level": noise_level}
    if space is not None:
        scene = Scene(space, rig)
        count = len(scene.view_places())
        if image.shape[0] % count:
            image = view_images(scene, image, None, 1)[0]
        added["concat_scene"] = scene
    return {"concat_image": image[..., :3].movedim(-1, 1) * 2.0 - 1.0, **added}


def with_options(entries: Any, added: dict[str, Any]) -> list[list[Any]]:
    """A CONDITIONING with further options in every entry."""
    return [[tokens, {**options, **added}] for tokens, options in entries]


@Node(
    "Load Diffusers UNet",
    "loaders",
    inputs={
        "folder": Choice(lambda: list_folders("unet") or [NO_FOLDER]).says(
            "A folder below models/diffusers that has unet/config.json."
        )
    },
    outputs={
        "MODEL": Socket("MODEL").says(
            "Samples like any other model; patches of attention and T2I-Adapters do not reach it and are refused."
        ),
        "VAE": Socket("VAE").says("The folder's VAE; for a pixel model images to pixels and back, exactly."),
    },
    search=["deepfloyd", "pixel space", "unet"],
)
class LoadDiffusersUNet:
    """A diffusers folder from models/diffusers as a MODEL: Stable Diffusion 1, 2 and XL, inpainting and upscaling
    U-Nets, and pixel models such as DeepFloyd IF, which ComfyUI itself cannot load. Needs the library diffusers; reads
    only safetensors. Costs about five seconds once to import it, and the time to read the file."""

    @classmethod
    def IS_CHANGED(cls, folder: str | None = "", **_: Any) -> str:
        return folder_state(folder or "", "unet")

    def load(self, folder: str) -> tuple[Any, Any]:
        return load_model(folder)


@Node(
    "Load Diffusers Text Encoder",
    "loaders",
    inputs={
        "folder": Choice(lambda: list_folders("text_encoder") or [NO_TEXT_FOLDER]).says(
            "A folder below models/diffusers that has text_encoder/config.json."
        )
    },
    outputs={"CLIP": Socket("CLIP").says("For CLIPTextEncode; the model of the same folder reads what it encodes.")},
    search=["t5", "deepfloyd", "text encoder"],
)
class LoadDiffusersText:
    """The text encoders of a diffusers folder as a CLIP for CLIPTextEncode: CLIP of Stable Diffusion 1, 2 and XL, T5 of
    DeepFloyd IF. Encodes as the diffusers pipelines do; '(words:1.2)' weights and LoRAs apply. IF's T5 takes 9 GB in
    half precision, 19 GB on a CPU; it is loaded once for all prompts."""

    @classmethod
    def IS_CHANGED(cls, folder: str | None = "", **_: Any) -> str:
        return folder_state(folder or "", "text_encoder")

    def load(self, folder: str) -> tuple[Any]:
        return (load_text(folder),)


@Node(
    "SyncTweedies Upscale (Second Stage)",
    "sampling",
    inputs={
        "positive": Socket("CONDITIONING").says("The prompt, as in the first stage."),
        "negative": Socket("CONDITIONING").says("The negative prompt."),
        "image": Socket("IMAGE").says(
            "Pictures of the first stage: one per view in rig order, or one for all. With space and rig one picture "
            "is the whole, and is cut into views. Any size."
        ),
        "noise_level": Whole(50, 0, 999).says(
            "Noise on the picture, as a time step: 0 is next to none, 50 is SyncTweedies' and Visual Anagrams' "
            "choice, 250 invents more."
        ),
    },
    optional={
        "space": Socket("CANONICAL_SPACE").says(
            "The second stage's; with rig, the views share the noise on their pictures."
        ),
        "rig": Socket("VIEW_RIG").says("The second stage's views. Without both, each has noise of its own."),
    },
    outputs={
        "positive": Socket("CONDITIONING").says("The prompt with the picture; for a model of LoadDiffusersUNet."),
        "negative": Socket("CONDITIONING").says("The negative prompt with the picture."),
    },
    search=["stage 2", "super resolution", "deepfloyd"],
)
class SyncTweediesUpscale:
    """Tells the second stage of a pixel cascade (DeepFloyd IF-II, the x4 upscaler) which picture to enlarge: one for
    all views, or one per view. It is noised at the level that the model is told. Costs nothing by itself."""

    def attach(
        self, positive: Any, negative: Any, image: Tensor, noise_level: int, space: Any = None, rig: Any = None
    ) -> tuple[Any, Any]:
        added = low_resolution(image, noise_level, space, rig)
        return with_options(positive, added), with_options(negative, added)
