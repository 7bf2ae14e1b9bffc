"""Files that come with the pack: where they are, and the exemplar pictures among them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import Tensor

ASSETS = Path(__file__).resolve().parent.parent / "assets"


def shipped_pictures() -> list[str]:
    """Names of the shipped pictures, without ending."""
    return sorted(path.stem for path in ASSETS.glob("*.png"))


def load_picture(name: str) -> Tensor:
    """A shipped picture -> [1, H, W, 3] in [0, 1]. Raises ValueError for a name that is not shipped."""
    if name not in shipped_pictures():
        raise ValueError(f"picture '{name}' does not come with this pack; use one of {', '.join(shipped_pictures())}")
    with Image.open(ASSETS / f"{name}.png") as picture:
        return torch.from_numpy(np.asarray(picture.convert("RGB"), dtype=np.float32) / 255.0)[None]
