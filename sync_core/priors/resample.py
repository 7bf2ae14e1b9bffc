"""Shrinking and enlarging by any ratio as small dense matrices, one per axis: exact, differentiable, wrap-aware."""

import torch
from torch import Tensor


def area_matrix(size: int, cells: int, device: torch.device | str = "cpu") -> Tensor:
    """[cells, size]: each cell is the mean of the ``size / cells`` pixels below it, parts of pixels included."""
    edge = torch.arange(cells + 1, dtype=torch.float64) * size / cells
    pixel = torch.arange(size, dtype=torch.float64)
    overlap = torch.minimum(edge[1:, None], pixel + 1) - torch.maximum(edge[:-1, None], pixel)
    return (overlap.clamp(min=0) * cells / size).to(torch.float32).to(device)


def cubic_matrix(cells: int, size: int, wrap: bool, device: torch.device | str = "cpu") -> Tensor:
    """[size, cells]: Catmull-Rom interpolation between cell centres; beyond the ends it wraps or repeats the last."""
    at = (torch.arange(size, dtype=torch.float64) + 0.5) * cells / size - 0.5
    base = torch.floor(at)
    out = torch.zeros(size, cells, dtype=torch.float64)
    for tap in range(-1, 3):
        d = (at - base - tap).abs()
        near = (1.5 * d - 2.5) * d * d + 1
        far = ((-0.5 * d + 2.5) * d - 4) * d + 2
        index = base.long() + tap
        index = index % cells if wrap else index.clamp(0, cells - 1)
        out.scatter_add_(1, index[:, None], torch.where(d <= 1, near, far)[:, None])
    return out.to(torch.float32).to(device)
