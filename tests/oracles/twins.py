"""Slow readable twins of the engine: loops over pixels and cells, dense matrices, slices. Float64 throughout."""

import torch
from syncpack.sync_core.linear_map import LinearMap
from syncpack.sync_core.views import ViewSet
from torch import Tensor

# Tiny matrices: on a busy machine two threads wait for each other a hundred times longer than they compute.
torch.set_num_threads(1)

F64 = torch.float64


def generator(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def draw(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(shape, generator=generator(seed), dtype=F64)


def make_views(
    matrix: Tensor,
    canonical: tuple[int, ...],
    count: int,
    height: int,
    width: int,
    weights: Tensor | None = None,
    dtype: torch.dtype = F64,
) -> ViewSet:
    """A view set from the dense projection matrix [N*h*w, K]; zeros are not entries."""
    row, col = torch.nonzero(matrix, as_tuple=True)
    forward = LinearMap.from_entries(matrix.shape[0], matrix.shape[1], row, col, matrix[row, col].to(dtype))
    weights = torch.ones(matrix.shape[0], dtype=dtype) if weights is None else weights.to(dtype)
    assert matrix.shape[0] == count * height * width
    return ViewSet(forward, canonical, height, width, weights)


def random_views(
    seed: int,
    count: int = 3,
    height: int = 3,
    width: int = 4,
    canonical: tuple[int, ...] = (4, 5),
    interpolating: bool = True,
    negative: bool = False,
    background: float = 0.0,
    dtype: torch.dtype = F64,
) -> ViewSet:
    """Random views: each pixel reads one cell (weight 1), or mixes up to three with weights that sum to 1.

    negative: whole views change sign. background: share of pixels that see nothing.
    """
    rng = generator(seed)
    cells = 1
    for size in canonical:
        cells *= size
    pixels = count * height * width
    matrix = torch.zeros(pixels, cells, dtype=F64)
    for p in range(pixels):
        if float(torch.rand((), generator=rng)) < background:
            continue
        reads = int(torch.randint(1, 4, (), generator=rng)) if interpolating else 1
        chosen = torch.randperm(cells, generator=rng)[:reads]
        share = 0.1 + torch.rand(chosen.numel(), generator=rng, dtype=F64)
        matrix[p, chosen] = share / share.sum()
    if negative:
        sign = 1.0 - 2.0 * torch.randint(0, 2, (count,), generator=rng).to(F64)
        matrix = matrix * sign.repeat_interleave(height * width)[:, None]
    weights = 0.2 + torch.rand(pixels, generator=rng, dtype=F64)
    return make_views(matrix, canonical, count, height, width, weights, dtype)


def permuted_views(seed: int, count: int, height: int, width: int, weights: Tensor | None = None) -> ViewSet:
    """One-to-one views: every view is a permutation of all cells; the first is the identity."""
    rng, cells = generator(seed), height * width
    rows = [torch.eye(cells, dtype=F64)]
    rows += [torch.eye(cells, dtype=F64)[torch.randperm(cells, generator=rng)] for _ in range(count - 1)]
    return make_views(torch.cat(rows), (height, width), count, height, width, weights)


def entries(matrix: LinearMap) -> list[tuple[int, int, float]]:
    """(row, column, value) of every stored entry, read straight from the CSR arrays."""
    found = []
    for row in range(matrix.rows):
        for k in range(int(matrix.offsets[row]), int(matrix.offsets[row + 1])):
            found.append((row, int(matrix.indices[k]), float(matrix.weights[k])))
    return found


def dense(matrix: LinearMap) -> Tensor:
    result = torch.zeros(matrix.rows, matrix.cols, dtype=F64)
    for row, col, value in entries(matrix):
        result[row, col] += value
    return result


def project(views: ViewSet, z: Tensor) -> Tensor:
    """[B, C, *canonical] -> [B*N, C, h, w], one pixel after the other."""
    batch, channels = z.shape[:2]
    flat = z.reshape(batch, channels, -1)
    out = torch.zeros(batch * views.count, channels, views.height, views.width, dtype=z.dtype)
    for pixel, cell, value in entries(views.forward):
        view, place = divmod(pixel, views.height * views.width)
        y, x = divmod(place, views.width)
        for b in range(batch):
            out[b * views.count + view, :, y, x] += value * flat[b, :, cell]
    return out


def adjoint(views: ViewSet, batch: Tensor) -> Tensor:
    """[B*N, C, h, w] -> [B, C, *canonical]: every pixel thrown back on the cells it read."""
    total = batch.shape[0] // views.count
    out = torch.zeros(total, batch.shape[1], views.cells, dtype=batch.dtype)
    for pixel, cell, value in entries(views.forward):
        view, place = divmod(pixel, views.height * views.width)
        y, x = divmod(place, views.width)
        for b in range(total):
            out[b, :, cell] += value * batch[b * views.count + view, :, y, x]
    return out.reshape(total, batch.shape[1], *views.canonical)


def mean_matrix(views: ViewSet) -> Tensor:
    """A as a dense matrix [K, N*P]: inside a view the hit-mean of the weighted pixels, then the mean over views."""
    size = views.height * views.width
    matrix, weight = dense(views.forward), views.weights.to(F64)
    result = torch.zeros(views.cells, matrix.shape[0], dtype=F64)
    for cell in range(views.cells):
        total = 0.0
        for view in range(views.count):
            pixels = range(view * size, (view + 1) * size)
            hits = sum(abs(float(matrix[p, cell])) for p in pixels)
            if hits == 0:
                continue
            for p in pixels:
                result[cell, p] = matrix[p, cell] / hits * weight[p]
                total += abs(float(result[cell, p]))
        if total > 0:
            result[cell] /= total
    return result


def apply_to_views(matrix: Tensor, views: ViewSet, batch: Tensor) -> Tensor:
    """A dense [K, N*P] matrix on a view batch -> [B, C, *canonical]."""
    out = []
    for one in batch.split(views.count):
        pixels = one.movedim(1, 0).reshape(one.shape[1], -1)
        out.append((pixels @ matrix.T).reshape(one.shape[1], *views.canonical))
    return torch.stack(out)


def least_squares(views: ViewSet, batch: Tensor) -> Tensor:
    """argmin sum w |f z - v|^2 of smallest norm, by dense lstsq."""
    root = views.weights.to(F64).sqrt()[:, None]
    solver = torch.linalg.lstsq(root * dense(views.forward), torch.diag(root[:, 0]), driver="gelsd").solution
    return apply_to_views(solver, views, batch)


def ridge_least_squares(views: ViewSet, batch: Tensor, ridge: float) -> Tensor:
    """(F^T W F + floor) z = F^T W v + floor mean, solved densely; floor = ridge x mean diagonal."""
    matrix, weight = dense(views.forward), views.weights.to(F64)[:, None]
    normal = matrix.T @ (weight * matrix)
    floor = ridge * normal.diagonal().mean()
    right = (weight * matrix).T + floor * mean_matrix(views)
    return apply_to_views(torch.linalg.solve(normal + floor * torch.eye(views.cells, dtype=F64), right), views, batch)


def strongest_only(views: ViewSet) -> Tensor:
    """The dense projection with only the first strongest entry of each row."""
    matrix = torch.zeros(views.forward.rows, views.cells, dtype=F64)
    best: dict[int, tuple[int, float]] = {}
    for row, col, value in entries(views.forward):
        if row not in best or abs(value) > abs(best[row][1]):
            best[row] = (col, value)
    for row, (col, value) in best.items():
        matrix[row, col] = value
    return matrix


def polar_noise(views: ViewSet, matrix: Tensor, z: Tensor, fresh: Tensor) -> Tensor:
    """U_i z + (I - U_i U_i^T) xi_i per view by a dense SVD; z [B, C, *canonical], fresh [B*N, C, h, w]."""
    size, out = views.height * views.width, torch.empty_like(fresh)
    for n in range(views.count):
        left, values, right = torch.linalg.svd(matrix[n * size : (n + 1) * size], full_matrices=False)
        keep = values > 1e-9
        factor = left[:, keep] @ right[keep]
        for b in range(z.shape[0]):
            own = fresh[b * views.count + n].reshape(fresh.shape[1], size).T
            noise = factor @ z[b].reshape(z.shape[1], -1).T + own - factor @ (factor.T @ own)
            out[b * views.count + n] = noise.T.reshape(fresh.shape[1:])
    return out


def crop_windows(z: Tensor, rows: tuple[int, ...], columns: tuple[int, ...], height: int, width: int) -> Tensor:
    """Windows [B*N, C, h, w] of z [B, C, H, W] in reading order, by slicing; past a border it goes on at the other."""
    around = torch.cat([z, z[:, :, :height]], dim=2)
    around = torch.cat([around, around[:, :, :, :width]], dim=3)
    crops = [around[:, :, y : y + height, x : x + width] for y in rows for x in columns]
    return torch.stack(crops, dim=1).flatten(0, 1)


def paste_windows(
    windows: Tensor, rows: tuple[int, ...], columns: tuple[int, ...], grid: tuple[int, int], weight: Tensor
) -> Tensor:
    """MultiDiffusion's average: weighted windows [N, C, h, w] summed onto the canvas, divided by the summed weights."""
    height, width = windows.shape[-2:]
    total = torch.zeros(windows.shape[1], *grid, dtype=F64)
    count = torch.zeros(grid, dtype=F64)
    places = [(y, x) for y in rows for x in columns]
    for (top, left), window in zip(places, windows, strict=True):
        for y in range(height):
            for x in range(width):
                cell = ((top + y) % grid[0], (left + x) % grid[1])
                total[:, cell[0], cell[1]] += weight[y, x] * window[:, y, x]
                count[cell] += weight[y, x]
    return total / count
