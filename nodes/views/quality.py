"""Sizes, numbers of views and steps from a wish: what is made, how well, and what the model was trained for."""

# pyright: strict
from __future__ import annotations

from dataclasses import dataclass

from ..trained import Trained

RESULTS = ("picture", "panorama", "object", "illusion")
# Sides are multiples of it: what the cells of nearly every model fill, two by two.
STEP = 16
# Pictures are as wide as so many views, unless a width is given.
_ACROSS = 4


@dataclass(frozen=True)
class Quality:
    """steps: of the sampler; shared: part of a window that its neighbours see too; overlap: the same of cameras in a
    panorama; views: cameras around an object."""

    steps: int
    shared: float
    overlap: float
    views: int


QUALITIES = {
    "draft": Quality(steps=10, shared=0.25, overlap=0.1, views=8),
    "good": Quality(steps=20, shared=0.5, overlap=0.25, views=12),
    "best": Quality(steps=35, shared=0.75, overlap=0.4, views=18),
}


@dataclass(frozen=True)
class Wish:
    """What is asked for; 0 is "as fits". ``image``: width and height of a picture that is changed."""

    result: str
    quality: str
    width: int = 0
    height: int = 0
    view_size: int = 0
    guidance: float = 0.0
    image: tuple[int, int] | None = None


@dataclass(frozen=True)
class Sizes:
    """What samplers and rigs are told; pixels of the image."""

    width: int
    height: int
    view: int
    stride: int
    quality: Quality
    cfg: float

    def told(self, trained: Trained) -> str:
        """One line about it."""
        return (
            f"{self.width} x {self.height}, views of {self.view} (the model's are {trained.side}), "
            f"{self.quality.steps} steps, cfg {self.cfg:g}"
        )


def sizes_for(wish: Wish, trained: Trained) -> Sizes:
    """The sizes that a wish and a model come to. Raises ValueError for a result or a quality that is none."""
    if wish.result not in RESULTS:
        raise ValueError(f"result '{wish.result}' is unknown; use one of {', '.join(RESULTS)}")
    if wish.quality not in QUALITIES:
        raise ValueError(f"quality '{wish.quality}' is unknown; use one of {', '.join(QUALITIES)}")
    quality = QUALITIES[wish.quality]
    view = _whole(wish.view_size or trained.side)
    width, height = _canvas(wish, view)
    if wish.result in ("picture", "illusion"):  # what views are cut from, or are
        view = min(view, width, height)
    stride = _whole(view * (1 - quality.shared))
    return Sizes(width, height, view, stride, quality, wish.guidance or trained.cfg)


def _canvas(wish: Wish, view: int) -> tuple[int, int]:
    if wish.result == "picture":
        return _picture(wish, view)
    if wish.result == "panorama":
        height = _whole((wish.width or _ACROSS * view) / 2)
        return 2 * height, height
    side = _whole(wish.width or (view if wish.result == "illusion" else _ACROSS * view))
    return side, side


def _picture(wish: Wish, view: int) -> tuple[int, int]:
    """A strip of views, or in the proportions of a picture that is changed: at its own size where that is no smaller
    than one view and no longer than a strip."""
    if wish.image is None:
        return _whole(wish.width or _ACROSS * view), _whole(wish.height or view)
    width, height = wish.image
    if wish.width and wish.height:
        return _whole(wish.width), _whole(wish.height)
    if wish.width or wish.height:
        scale = wish.width / width if wish.width else wish.height / height
    else:
        scale = max(min(1.0, _ACROSS * view / max(width, height)), view / min(width, height))
    return _whole(width * scale), _whole(height * scale)


def _whole(side: float) -> int:
    return max(STEP, STEP * round(side / STEP))
