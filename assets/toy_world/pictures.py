"""Many pictures of the toy world on disk, in parts that several processes make, each the same on every machine."""

from __future__ import annotations

import multiprocessing
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from .scenes import Example, buffers, example

# Painted at this size and averaged down to the sizes that are trained.
PAINTED = 192
SIZES = (64, 96)
PART = 2000
LOOKS = 24


@dataclass(frozen=True)
class Pictures:
    """uint8 pictures [N, 3, n, n] and hints [N, n, n] at one size; examples' captions and what they show, in order."""

    pictures: Tensor
    hints: Tensor
    captions: list[str]
    kinds: list[str]
    objects: list[str]
    materials: list[str]
    behind: list[str]

    def __len__(self) -> int:
        return len(self.captions)


def shrunk(picture: NDArray[np.floating], n: int) -> NDArray[np.uint8]:
    """[192, 192, ...] in 0..1 -> [n, n, ...] of 8 bits, by averaging."""
    k = PAINTED // n
    small = picture.reshape(n, k, n, k, -1).mean((1, 3)).reshape(n, n, *picture.shape[2:])
    return np.clip(small * 255 + 0.5, 0, 255).astype(np.uint8)


def _pack(examples: list[Example]) -> dict[str, object]:
    packed: dict[str, object] = {
        "captions": [e.caption for e in examples],
        "kinds": [e.kind for e in examples],
        "objects": [e.object for e in examples],
        "materials": [e.material for e in examples],
        "behind": [e.behind for e in examples],
    }
    for n in SIZES:
        pictures = np.stack([shrunk(e.picture, n) for e in examples])
        packed[f"pictures{n}"] = torch.from_numpy(pictures).movedim(-1, 1).contiguous()
        packed[f"hints{n}"] = torch.from_numpy(np.stack([shrunk(e.hint, n) for e in examples]))
    return packed


def write_part(folder: Path, part: int, seed: int) -> None:
    """Write PART pictures; nothing to do where they are. They appear complete or not at all."""
    path = folder / f"part_{part:03d}.pt"
    if path.is_file():
        return
    torch.set_num_threads(1)
    rng = np.random.default_rng([seed, part])
    objects = buffers(rng, LOOKS, PAINTED)
    torch.save(_pack([example(rng, objects, PAINTED) for _ in range(PART)]), path.with_suffix(".tmp"))
    path.with_suffix(".tmp").replace(path)


def write(folder: Path, parts: int, seed: int, processes: int) -> None:
    """Write the parts that are missing, with a line for each."""
    folder.mkdir(parents=True, exist_ok=True)
    began = time.time()
    with multiprocessing.get_context("fork").Pool(processes) as pool:
        jobs = [pool.apply_async(write_part, (folder, part, seed)) for part in range(parts)]
        for done, job in enumerate(jobs, 1):
            job.get()
            print(f"pictures: {done * PART} of {parts * PART}, {time.time() - began:.0f} s", flush=True)


def read(folder: Path, n: int, parts: slice = slice(None)) -> Pictures:
    """The pictures at one of SIZES. Raises FileNotFoundError where there are none."""
    files = sorted(folder.glob("part_*.pt"))[parts]
    if not files:
        raise FileNotFoundError(f"no pictures in {folder}; run the step 'pictures' first")
    read = [torch.load(f, mmap=True, weights_only=True) for f in files]

    def told(name: str) -> list[str]:
        return [word for part in read for word in part[name]]

    return Pictures(
        torch.cat([part[f"pictures{n}"] for part in read]),
        torch.cat([part[f"hints{n}"] for part in read]),
        *(told(name) for name in ("captions", "kinds", "objects", "materials", "behind")),
    )
