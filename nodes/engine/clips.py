"""What a run whose views are clips of a video asks of settings and conditionings.

Conditionings of video models may hold latents with a frame for each of the video's (a picture to begin with, control
videos): a clip is given its own of these. What has frames that cannot be cut is refused.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, cast

from torch import Tensor

from ...renderers.pictures import Clip
from ...renderers.scene import Scene
from .conds import IMAGE, MASK, concat_views, project, repeated

# Conditionings that count frames by themselves: a clip would take them for its own.
_COUNTING = ("audio_embed", "keyframe_idxs", "guiding_frame_index", "camera_conditions", "face_video_pixels")


def check_options(scene: Scene, options: dict[str, Any]) -> None:
    """Raise ValueError for what reads views as single pictures, where they are clips. options: by input's name; None:
    not used."""
    if not scene.geometry.clip.is_video:
        return
    for name, value in options.items():
        if value is not None:
            raise ValueError(
                f"{name} reads views as single pictures, and these are clips, whose frames are joined in latent "
                f"frames; disconnect {name}"
            )


def conds_of_views(scene: Scene, conditioning: list[list[Any]], shape: tuple[int, ...]) -> list[list[Any]]:
    """A CONDITIONING whose latents are those of the views of a batch of ``shape`` [B*N, C, (t,) h, w]: pictures beside
    the noisy latent, and of clips whatever has a frame for each of the video's. The CONDITIONING given stays as it is.
    Raises ValueError for frames that no clip can be given."""
    conditioning, clip = concat_views(scene, conditioning, shape), scene.geometry.clip
    if not clip.is_video:
        return conditioning

    def cut(name: str, latent: Any) -> Any:
        if not isinstance(latent, Tensor) or latent.ndim != 5 or latent.shape[2] == 1:
            return latent
        if (len(latent), latent.shape[2]) == (shape[0], clip.latent):
            return latent
        rows, columns = scene.grid(scene.cell_of_views(shape))
        if tuple(latent.shape[2:]) != (clip.whole, rows // clip.whole, columns):
            raise _other_frames(name, latent, clip)
        return repeated(project(scene, latent, scene.views_of_batch(shape)), shape[0])

    result: list[list[Any]] = []
    for tokens, options, *more in conditioning:
        _check_counting(options)
        for name in (IMAGE, MASK):
            _check_frames(name, options.get(name), clip)
        made = {
            name: [cut(name, part) for part in _parts(value)] if isinstance(value, list) else cut(name, value)
            for name, value in options.items()
            if name not in (IMAGE, MASK)
        }
        result.append([tokens, {**options, **made}, *more])
    return result


def check_conds(conds: Iterable[list[dict[str, Any]] | None], clip: Clip) -> None:
    """Raise ValueError for conditionings with frames that are not those of a clip."""
    if not clip.is_video:
        return
    for entry in (e for entries in conds for e in entries or ()):
        _check_counting(entry)
        for name, value in entry.items():
            for part in _parts(value):
                _check_frames(name, part, clip)


def _parts(value: Any) -> list[Any]:
    return cast("list[Any]", value) if isinstance(value, list) else [value]


def _check_counting(options: dict[str, Any]) -> None:
    for name in _COUNTING:
        if options.get(name) is not None:
            raise ValueError(
                f"the conditioning has {name}, which goes by the frames of the whole video and cannot be cut into "
                "clips; leave it out, or make a video of one clip"
            )


def _check_frames(name: str, latent: Any, clip: Clip) -> None:
    if isinstance(latent, Tensor) and latent.ndim == 5 and latent.shape[2] not in (1, clip.latent):
        raise _other_frames(name, latent, clip)


def _other_frames(name: str, latent: Tensor, clip: Clip) -> ValueError:
    frames, height, width = latent.shape[2:]
    return ValueError(
        f"the conditioning's {name} has {frames} latent frames of {width} x {height} cells for a video of "
        f"{clip.whole}; make it of VideoSpace's size and length, and use SyncTweediesSampler, which cuts it into clips"
    )
