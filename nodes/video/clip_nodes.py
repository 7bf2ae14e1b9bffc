"""Clips of a video, for models that make several frames at once."""

from __future__ import annotations

from typing import Any

from ...renderers.plane.space import TAPERS
from ..declare import Choice, Node, Socket, Whole
from .clips import video_clips


@Node(
    "Video Clips",
    "video",
    inputs={
        "space": Socket("CANONICAL_SPACE").says("VideoSpace's, without a motion."),
        "length": Whole(81, 1, 4096, 4).says(
            "Frames of a clip: what the model was trained on, 81 for Wan, 129 for Hunyuan, 97 for LTX. 4 k + 1 where "
            "the model joins 4 frames in a latent frame, 8 k + 1 where it joins 8."
        ),
        "overlap": Whole(17, 1, 4096, 4).says(
            "Frames that neighbouring clips share, of the same kind of number. More joins better and needs more clips."
        ),
    },
    optional={
        "model": Socket("MODEL").says("The video model: tells how many frames it joins in a latent frame."),
        "frames_per_latent": Whole(4, 1, 64, advanced=True).says(
            "How many frames are joined in a latent frame: 4 for Wan and Hunyuan, 8 for LTX and Cosmos, 6 for Mochi. "
            "Not read where a model is connected that says it."
        ),
        "windows": Socket("VIEW_RIG").says(
            "ViewRig's of kind windows: clips of parts of the frames, for a video larger than the model makes. Empty: "
            "whole frames."
        ),
        "weights": Choice(TAPERS, advanced=True).says(
            "How much a frame counts where clips overlap. hann and triangle fade towards a clip's ends, flat does not."
        ),
    },
    outputs={
        "rig": Socket("VIEW_RIG").says("Connect instead of VideoSpace's own."),
        "count": Socket("INT").says("Number of clips: model calls a step."),
        "report": Socket("STRING").says("The figures, one a line."),
    },
    search=["wan", "hunyuan", "ltx", "long video", "infinite video", "context windows", "sliding window", "freenoise"],
)
class VideoClips:
    """Views that are clips of a video, for one longer, or larger, than a video model makes: neighbours share frames,
    and agree on them at every step. A loop (VideoSpace's) has no first frame. Costs one model call a clip and step."""

    def build(
        self,
        space: Any,
        length: int,
        overlap: int,
        model: Any = None,
        frames_per_latent: int = 4,
        windows: Any = None,
        weights: Any = "hann",
    ) -> tuple[Any, int, str]:
        return video_clips(space, length, overlap, frames_per_latent, model, windows, weights)
