"""How much the lists of weights may take, estimated before they are made."""

from __future__ import annotations

import os

from .weights.project import Projected
from .weights.tiles import tile_grid
from .weights.weights_torch import listed_torch

# Tiles that an estimate looks at, spread over the view.
_TILES = 96
# For one entry of the view that is being listed, put in order and transposed, besides what is kept of it.
BYTES_AT_WORK = 60
# Where nobody can say how much is free.
_UNKNOWN = 8 << 30


def free_memory() -> int:
    """Bytes of main memory that can be had now; 8 GiB where the machine does not say."""
    try:
        import psutil

        return int(psutil.virtual_memory().available)
    except ImportError:
        pass
    try:
        return os.sysconf("SC_AVPHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (AttributeError, ValueError, OSError):
        return _UNKNOWN


def estimated_entries(view: Projected, prune: float) -> int:
    """About how many entries the lists of a view will have, from some of its tiles."""
    rows, columns = tile_grid(view)
    every = max(1, rows * columns // _TILES)
    # Neighbouring rows start at other columns: no part of the view is left out.
    every += every > 1 and columns % every == 0
    return listed_torch(view, prune, every).weight.numel() * every


def check_memory(name: str, entries: int, each: int, views: int, splats: int, free: int, largest: int) -> None:
    """Raise ValueError when ``entries`` of ``each`` bytes do not fit; it says how many views or splats would. largest:
    entries of one view, which is worked on while it is made."""
    working = largest * BYTES_AT_WORK
    needed = entries * each + working
    if needed <= free:
        return
    part = max(0, free - working) / max(1, needed - working)
    fitting = int(views * part)
    by_splats = f"about {int(splats * free / needed):,} splats fit"
    by_views = f"{fitting} of the {views} views" if fitting else "smaller views"
    raise ValueError(
        f"the weights of {splats:,} splats of '{name}' in {views} views need about {needed / 2**30:.1f} GiB, "
        f"{free / 2**30:.1f} are free: {by_views}, or {by_splats}; use fewer or smaller "
        "views, or thin the splats out"
    )


def check_more(what: str, needed: int, fix: str) -> None:
    """Raise ValueError when ``what`` would take more main memory than is free."""
    free = free_memory()
    if needed > free:
        raise ValueError(f"{what} takes about {needed / 2**30:.1f} GiB more, {free / 2**30:.1f} are free; {fix}")
