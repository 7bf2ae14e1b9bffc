"""What the node of clips calls: the rig of a video model's clips, and what to tell of it."""

from __future__ import annotations

from typing import Any

from ...renderers.plane.space import Taper, windows_of
from ...renderers.scene import Scene
from ...renderers.video.clips import Clips, placed_clips
from ...renderers.video.space import Video
from .. import host


def video_clips(
    space: Any, length: int, overlap: int, joined: int, model: Any = None, windows: Any = None, weights: Taper = "hann"
) -> tuple[Clips, int, str]:
    """(The rig, how many clips there are, the figures). joined: frames of a latent frame, where the model, if one is
    given, does not say it. Raises ValueError for a space that is no video, a model of single pictures, a rig that is no
    windows, and for clips that do not fit the video."""
    if not isinstance(space, Video):
        kind = getattr(space, "kind", type(space).__name__)
        raise ValueError(f"a space of kind {kind} has no frames; connect VideoSpace's")
    if model is not None:
        joined = host.frames_joined(model) or joined
    rig = Clips(length, overlap, joined, windows_of(windows), weights)
    count = Scene(space, rig).geometry.count(1)
    clips = placed_clips(space, rig, 1)
    share = f", neighbours share {overlap} ({rig.shared})" if len(clips.starts) > 1 else ""
    of_each = "" if windows is None else f", {clips.frame.count} windows on each"
    return (
        rig,
        count,
        f"{space.frames} frames are {clips.frames} latent frames{', a loop' if space.loop else ''}\n"
        f"{len(clips.starts)} clips of {length} frames ({clips.length} of the latent){share}{of_each}\n"
        f"a step costs {count} times that of one clip",
    )
