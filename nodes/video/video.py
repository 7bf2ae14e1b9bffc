"""What the nodes of videos call: the space of a video, its motion, and how steady it is."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from ...renderers.cameras.lookouts import custom
from ...renderers.cells import nearest_multiple
from ...renderers.globe.flow import given_sphere_motion, sphere_motion_of
from ...renderers.globe.space import SphereVideo
from ...renderers.panorama.space import Lookout
from ...renderers.plane.space import Windows
from ...renderers.video.figures import Steadiness, steadiness
from ...renderers.video.flow import Method, motion_of
from ...renderers.video.given import given_motion
from ...renderers.video.motion import PROJECTIONS, Motion, Projection
from ...renderers.video.space import Noise, Sampling, Video
from ...sync_core.quality import intra_distance, seam_ratio_of_edges
from .. import host


def checked(motion: Any) -> Motion | None:
    """What a VIDEO_MOTION socket was given. Raises ValueError for anything else."""
    if motion is not None and not isinstance(motion, Motion):
        raise ValueError(f"motion is {type(motion).__name__}; connect VideoMotion's")
    return motion


@dataclass(frozen=True)
class Shape:
    """Of a video: pixels, and a number of frames."""

    width: int
    height: int
    frames: int

    @staticmethod
    def of(video: Tensor | None, motion: Motion | None, typed: Shape) -> Shape:
        """The video's own, else the motion's, else what is typed."""
        if video is not None:
            return Shape(int(video.shape[2]), int(video.shape[1]), int(video.shape[0]))
        return typed if motion is None else Shape(*motion.size, motion.frames)


def video_space(
    shape: Shape,
    loop: bool,
    motion: Motion | None,
    noise: Noise = "auto",
    sampling: Sampling = "nearest",
    projection: Projection = "flat",
) -> tuple[Video, Windows | Lookout]:
    """(The space, a rig of one view a frame; of a panorama of cameras that see all of it). Raises ValueError for a
    motion of another video."""
    _known(projection)
    if motion is not None and loop and motion.frames > 1 and not motion.loops:
        raise ValueError("the motion knows no way from the last frame to the first; set VideoMotion's loop too")
    sampling = "nearest" if motion is None else sampling
    if projection == "panorama":
        sphere = SphereVideo(shape.width, shape.height, shape.frames, loop, motion, noise, sampling)
        return sphere, cube_rig(shape.width)
    space = Video(shape.width, shape.height, shape.frames, loop, motion, noise, sampling)
    return space, Windows(shape.width, shape.height, shape.width, shape.height, "flat")


def _known(projection: str) -> None:
    if projection not in PROJECTIONS:
        raise ValueError(f"projection '{projection}' is unknown; use one of {', '.join(PROJECTIONS)}")


# Like the faces of a cube, and wide enough that neighbours share a tenth of a view.
_FACES, _FOV = "0 0\n90 0\n180 0\n-90 0\n0 90\n0 -90", 100.0


def cube_rig(width: int) -> Lookout:
    """Six cameras that see all of a panorama as wide as that, a little less finely than it is drawn."""
    side = max(8, nearest_multiple(width // 4, 8))
    return Lookout(custom(_FACES, _FOV), side, side, "nearest")


def video_motion(
    video: Tensor, loop: bool, method: Method, flow: Any = None, projection: Projection = "flat"
) -> tuple[Motion, str]:
    """(The motion of a video [T, H, W, C], the figures). flow: made by other nodes, instead of estimating it.

    Raises ValueError for a flow that does not fit, and for a single frame, in which nothing moves.
    """
    if len(video) < 2:
        raise ValueError("1 frame has no motion; connect a video of 2 frames or more, or no motion to VideoSpace")
    _known(projection)
    frames, round_about = video.cpu().float(), projection == "panorama"
    if flow is not None:
        motion = (given_sphere_motion if round_about else given_motion)(flow, frames, loop)
    else:
        bar: Any = host.ProgressBar(len(frames))

        def step() -> None:
            host.check_interrupt()
            bar.update(1)

        motion = (sphere_motion_of if round_about else motion_of)(frames, loop, method, step)
    lengths = motion.ahead.square().sum(-1).sqrt()[motion.before]
    longest, mean = (float(lengths.max()), float(lengths.mean())) if len(lengths) else (0.0, 0.0)
    known = float(steadiness(frames, motion).known)
    return motion, (
        f"{motion.frames} frames of {motion.size[0]} x {motion.size[1]}, {'a loop' if motion.loops else 'no loop'}\n"
        f"motion {mean:.1f} pixels a frame, at most {longest:.1f}\n"
        f"{100 * known:.1f} % of a frame goes on from the one before"
    )


def video_report(video: Tensor, motion: Motion | None, style: Tensor | None) -> tuple[str, str]:
    """(The figures of a video [T, H, W, C], one a line; the same as a JSON object). style: pictures to be like.

    Raises ValueError for a single frame, or a motion of another video.
    """
    if len(video) < 2:
        raise ValueError("1 frame has no neighbour to compare with; connect the frames of a video as one batch")
    frames = video[..., :3].cpu().float()
    found = steadiness(frames, motion)
    pictures = frames.movedim(-1, 1)
    across = intra_distance(pictures)
    away = math.nan if style is None else _away(pictures, style[..., :3].cpu().float().movedim(-1, 1))
    around = math.nan if motion is None or motion.projection == "flat" else _seam_around(pictures)
    values = {
        "frames": len(frames),
        "psnr": found.mean,
        "least_psnr": min(found.psnr),
        "known": found.known,
        "seam": found.seam,
        "seam_around": around,
        "style_between_frames": across,
        "style_away": away,
    }
    known = {name: value if math.isfinite(value) else None for name, value in values.items()}
    text = "\n".join(_lines(found, motion is not None, across, away, around))
    return text, json.dumps({**known, "frames_agree_exactly": found.mean == math.inf}, indent=1)


def _lines(found: Steadiness, moves: bool, across: float, away: float, around: float) -> list[str]:
    where = "along the motion" if moves else "in place"
    lines = [f"{len(found.psnr) + 1} frames"]
    if math.isfinite(found.mean):
        lines.append(f"neighbours agree {where}: PSNR {found.mean:.1f} dB (least {min(found.psnr):.1f})")
    else:
        lines.append(f"neighbours are equal {where}" if found.mean == math.inf else "no frame goes on from another")
    if moves:
        lines.append(f"{100 * found.known:.1f} % of a frame goes on from the one before")
    if math.isfinite(found.seam):
        lines.append(f"last frame to first {found.seam:.2f} times as far as neighbours are (1 = no seam in time)")
    if math.isfinite(around):
        lines.append(f"seam ratio where the left edge meets the right {around:.2f} (1 = no seam)")
    lines.append(f"style distance between frames {across:.4f} (0 = all alike)")
    if math.isfinite(away):
        lines.append(f"style distance to the given pictures {away:.3f}")
    return lines


def _seam_around(frames: Tensor) -> float:
    """Of equirectangular frames [T, C, h, w]: the seam ratio of their left and right edges."""
    left = torch.zeros(frames.shape[2:], dtype=torch.bool)
    left[:, 0] = True
    found = [seam_ratio_of_edges(frame, left, torch.zeros_like(left)) for frame in frames]
    return sum(found) / len(found)


def _away(frames: Tensor, style: Tensor) -> float:
    """The mean style distance of frames to pictures; one of each pair is scaled to nothing: statistics have no size."""
    found = [_style_distance(frame, picture) for frame in frames for picture in style]
    return sum(found) / len(found)


def _style_distance(frame: Tensor, picture: Tensor) -> float:
    """Of two pictures [C, h, w], cut to what both have."""
    height, width = (min(a, b) for a, b in zip(frame.shape[1:], picture.shape[1:], strict=True))
    return intra_distance(torch.stack([frame[:, :height, :width], picture[:, :height, :width]]))
