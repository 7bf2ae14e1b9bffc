"""What a picture shows, by measures that never saw the model: classifiers of real pictures, and silhouettes.

A material is told from statistics of colours and edges inside a region (the object, the whole, its upper or lower
part), by ridge regression on pictures of the data.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from .materials import GROUNDS, MATERIALS, SKIES
from .pictures import Pictures
from .scenes import BACKGROUNDS

# The share of a landscape's rows that are surely sky, and surely ground.
_EDGE = 0.16
_USED = 4000


def _border(pictures: Tensor) -> Tensor:
    """[N, 3, h, w] -> [N, 3], the colour that most of the border has."""
    border = torch.cat([pictures[:, :, 0], pictures[:, :, -1], pictures[:, :, :, 0], pictures[:, :, :, -1]], -1)
    return border.median(-1).values


def object_mask(pictures: Tensor) -> Tensor:
    """[N, 3, h, w] in 0..1 -> bool [N, h, w]: what differs from the colour that the border has."""
    plain = _border(pictures)[..., None, None]
    return ((pictures - plain).abs() > 0.12).any(1)


def upper(pictures: Tensor) -> Tensor:
    rows = torch.arange(pictures.shape[-2]) < _EDGE * pictures.shape[-2]
    return rows[None, :, None].expand(len(pictures), -1, pictures.shape[-1])


def lower(pictures: Tensor) -> Tensor:
    return upper(pictures).flip(1)


def whole(pictures: Tensor) -> Tensor:
    return torch.ones(len(pictures), *pictures.shape[-2:], dtype=torch.bool)


def features(pictures: Tensor, mask: Tensor) -> Tensor:
    """Statistics [N, 17] of [N, 3, h, w] inside bool [N, h, w]."""
    weight = mask.float() / mask.sum((1, 2), keepdim=True).clamp_min(1)

    def mean(values: Tensor) -> Tensor:
        return (values * weight).sum((-2, -1))

    colour = (pictures * weight[:, None]).sum((2, 3))
    spread = ((pictures - colour[..., None, None]) ** 2 * weight[:, None]).sum((2, 3)).clamp_min(1e-6).sqrt()
    light = pictures.mean(1)
    across = mean(F.pad((light[:, :, 1:] - light[:, :, :-1]).abs(), (0, 1)))
    down = mean(F.pad((light[:, 1:] - light[:, :-1]).abs(), (0, 0, 0, 1)))
    strong = pictures.amax(1) - pictures.amin(1)
    shares = [mean((light < t).float()) for t in (0.2, 0.4, 0.6, 0.8)]
    shares += [mean((strong > t).float()) for t in (0.15, 0.35)]
    red, green, blue = pictures.unbind(1)
    shares += [mean((a - b > t).float()) for a, b, t in ((red, green, 0.15), (blue, red, 0.15), (green, red, 0.03))]
    return torch.cat([colour, spread, 4 * across[:, None], 4 * down[:, None], torch.stack(shares, 1)], 1)


@dataclass(frozen=True)
class Classifier:
    """Ridge regression on standardised features and their squares; ``accuracy``: on real pictures held out."""

    names: tuple[str, ...]
    middle: Tensor
    scale: Tensor
    weights: Tensor
    accuracy: float

    @staticmethod
    def fit(names: tuple[str, ...], given: Tensor, labels: Sequence[str]) -> Classifier:
        """given: features [N, D] of real pictures; the last fifth is held out."""
        wanted = torch.tensor([names.index(label) for label in labels])
        middle, scale = given.mean(0), given.std(0) + 1e-4
        cut = int(0.8 * len(given))
        ready = _squared((given - middle) / scale)
        target = F.one_hot(wanted, len(names)).float()
        gram = ready[:cut].T @ ready[:cut] + 3 * torch.eye(ready.shape[1])
        weights = torch.linalg.solve(gram, ready[:cut].T @ target[:cut])
        hit = (ready[cut:] @ weights).argmax(1) == wanted[cut:]
        return Classifier(names, middle, scale, weights, float(hit.float().mean()))

    def scores(self, given: Tensor) -> Tensor:
        """Features [N, D] -> how much each name fits [N, names]."""
        return _squared(((given - self.middle) / self.scale).clamp(-4, 4)) @ self.weights

    def names_of(self, given: Tensor) -> list[str]:
        return [self.names[i] for i in self.scores(given).argmax(1).tolist()]


def _squared(z: Tensor) -> Tensor:
    return torch.cat([z, z**2, torch.ones(len(z), 1)], 1)


@dataclass(frozen=True)
class Probe:
    """Tells materials of objects, of whole pictures and of grounds, skies and plain backgrounds."""

    object: Classifier
    material: Classifier
    ground: Classifier
    sky: Classifier

    @staticmethod
    def of(real: Pictures) -> Probe:
        """From real pictures with what they show."""

        def fit(
            names: tuple[str, ...], index: list[int], region: Callable[[Tensor], Tensor], labels: list[str]
        ) -> Classifier:
            index = index[:_USED]
            some = real.pictures[index].float() / 255
            return Classifier.fit(names, features(some, region(some)), [labels[i] for i in index])

        kinds, behind, edge = real.kinds, real.behind, round(_EDGE * real.hints.shape[-1])
        plain = [i for i, kind in enumerate(kinds) if kind == "object"]
        land = [i for i, kind in enumerate(kinds) if kind == "landscape"]
        high = [i for i in land if not bool(real.hints[i, :edge].any())]
        low = [i for i in land if bool(real.hints[i, -edge:].all())]
        return Probe(
            fit(MATERIALS, plain, object_mask, real.materials),
            fit(MATERIALS, [i for i, kind in enumerate(kinds) if kind == "material"], whole, real.materials),
            fit(GROUNDS, low, lower, real.materials),
            fit(SKIES, high, upper, behind),
        )

    def material_of_object(self, pictures: Tensor) -> list[str]:
        """Pictures [N, 3, h, w] in 0..1 of one object on a plain background."""
        return self.object.names_of(features(pictures, object_mask(pictures)))

    def material_of_whole(self, pictures: Tensor) -> list[str]:
        return self.material.names_of(features(pictures, whole(pictures)))

    def ground_of(self, pictures: Tensor) -> list[str]:
        """What lies in the lowest rows."""
        return self.ground.names_of(features(pictures, lower(pictures)))

    def sky_of(self, pictures: Tensor) -> list[str]:
        """What stands in the highest rows."""
        return self.sky.names_of(features(pictures, upper(pictures)))


def write(probe: Probe, path: Path) -> None:
    """Keep a probe as a file of numbers (.npz)."""
    kept: dict[str, Any] = {}
    for field in fields(probe):
        one: Classifier = getattr(probe, field.name)
        numbers = {"middle": one.middle, "scale": one.scale, "weights": one.weights}
        kept |= {f"{field.name}.{name}": value.numpy() for name, value in numbers.items()}
        kept |= {f"{field.name}.names": np.array(one.names), f"{field.name}.accuracy": np.array(one.accuracy)}
    np.savez_compressed(path, **kept)


def read(path: Path) -> Probe:
    """What ``write`` kept."""
    with np.load(path) as kept:

        def one(name: str) -> Classifier:
            numbers = (torch.from_numpy(kept[f"{name}.{part}"]) for part in ("middle", "scale", "weights"))
            return Classifier(tuple(kept[f"{name}.names"].tolist()), *numbers, float(kept[f"{name}.accuracy"]))

        return Probe(*(one(field.name) for field in fields(Probe)))


def background_of(pictures: Tensor) -> list[str]:
    """The plain background of objects: the nearest colour to the border's."""
    names, colours = list(BACKGROUNDS), torch.tensor(list(BACKGROUNDS.values()))
    return [names[i] for i in torch.cdist(_border(pictures), colours).argmin(1).tolist()]


def overlap(mask: Tensor, other: Tensor) -> float:
    """Mean intersection over union of bool [N, h, w]."""
    both, any_ = (mask & other).sum((1, 2)), (mask | other).sum((1, 2)).clamp_min(1)
    return float((both / any_).mean())


def share(found: Sequence[str], wanted: Sequence[str]) -> float:
    return round(sum(a == b for a, b in zip(found, wanted, strict=True)) / len(wanted), 3)
