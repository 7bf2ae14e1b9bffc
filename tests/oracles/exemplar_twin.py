"""The exemplar prior in its plainest form: every patch position against every exemplar patch, in full patch space.

Written apart from the fast path on purpose: patches are gathered by index, box averages are summed in loops, nothing is
rotated, clustered or left out. It defines what ``ExemplarPrior.denoise`` approximates.
"""

import torch


def _boxes(image, scale, periodic):
    """Box averages of ``image [C,H,W]`` at every origin where the box fits (or wraps)."""
    _, height, width = image.shape
    rows = height if periodic else height - scale + 1
    cols = width if periodic else width - scale + 1
    r, c = torch.arange(rows), torch.arange(cols)
    total = torch.zeros(image.shape[0], rows, cols)
    for dy in range(scale):
        for dx in range(scale):
            total += image[:, ((r + dy) % height)[:, None], ((c + dx) % width)[None]]
    return total / scale**2


def _gather(picture, rows, cols, patch, step):
    """Patches [len(rows)*len(cols), C*k*k] with the given origins; ``step`` between their cells; wraps."""
    height, width = picture.shape[-2:]
    offset = torch.arange(patch) * step
    y = (rows[:, None] + offset) % height
    x = (cols[:, None] + offset) % width
    taken = picture[:, y[:, None, :, None], x[None, :, None, :]]
    return taken.permute(1, 2, 0, 3, 4).reshape(len(rows) * len(cols), -1)


def exemplar_bank(image, level, periodic):
    """All exemplar patches of a level, origins every ``stride`` pixels."""
    stride = level.stride
    boxes = _boxes(image, level.scale, periodic)
    height, width = image.shape[1:]
    last_row = height - 1 if periodic else height - level.span
    last_col = width - 1 if periodic else width - level.span
    return _gather(
        boxes,
        torch.arange(0, last_row + 1, stride),
        torch.arange(0, last_col + 1, stride),
        level.patch,
        level.scale,
    )


def _low(x, scale):
    """Box averages on the grid; only for sizes that the scale divides."""
    n, c, h, w = x.shape
    assert h % scale == 0 and w % scale == 0
    return x.reshape(n, c, h // scale, scale, w // scale, scale).mean((3, 5))


def _origins(size, patch, step, wraps):
    """Where patches are compared along an axis: every ``step`` cells, and at the far border when it is open."""
    if wraps:
        return torch.arange(0, size, step)
    return torch.tensor(sorted({*range(0, size - patch + 1, step), size - patch}))


def _cubic(d):
    d = abs(d)
    if d <= 1:
        return (1.5 * d - 2.5) * d * d + 1
    return ((-0.5 * d + 2.5) * d - 4) * d + 2 if d < 2 else 0.0


def _enlarge(x, scale, axis, wrap):
    """Catmull-Rom enlargement along one axis, pixel by pixel."""
    cells = x.shape[axis]
    out = []
    for pixel in range(cells * scale):
        at = (pixel + 0.5) / scale - 0.5
        base = int(at // 1)
        value = 0.0
        for cell in range(base - 1, base + 3):
            source = cell % cells if wrap else min(max(cell, 0), cells - 1)
            value = value + _cubic(at - cell) * x.select(axis, source)
        out.append(value)
    return torch.stack(out, axis)


def _posterior(query, bank, log_prior, temperature, rows):
    """Softmax over all patches of all classes, chunk by chunk: [Q,D]."""
    every = torch.cat(bank)
    half = (every * every).sum(1) / 2
    owner = torch.cat([torch.full((len(b),), i) for i, b in enumerate(bank)])
    share = torch.tensor([float(len(b)) for b in bank]).log()
    out = torch.empty_like(query)
    for start in range(0, len(query), rows):
        part = slice(start, start + rows)
        logit = (query[part] @ every.T - half) / temperature
        if log_prior is not None:
            logit = logit + (log_prior[part] - share)[:, owner]
        out[part] = torch.softmax(logit, 1) @ every
    return out


class DenseTwin:
    """Same levels, patch sizes and bandwidth as ``prior``, which gives only its configuration and choice of level."""

    def __init__(self, prior, images):
        self.prior = prior
        self.config = prior.config
        self.images = [image.float() for image in images]
        self.levels = [bank.level for bank in prior.banks]
        # The mean patch is taken off both sides: distances stay, float32 gains digits.
        self.banks = []
        for level in self.levels:
            bank = [exemplar_bank(image, level, self.config.periodic) for image in self.images]
            mean = torch.cat(bank).mean(0)
            self.banks.append((mean, [b - mean for b in bank]))

    def denoise(self, x, sigma, class_log_prior=None, wrap=(False, False), rows=2048):
        index = self.prior.level_index(sigma, *x.shape[2:])
        level, (mean, bank) = self.levels[index], self.banks[index]
        s, k = level.scale, level.patch
        temperature = (self.config.sharpness * max(sigma, self.config.sigma_floor) / s) ** 2
        low = _low(x, s)
        n, channels, h, w = low.shape
        ys, xs = _origins(h, k, level.step, wrap[0]), _origins(w, k, level.step, wrap[1])
        query = torch.cat([_gather(view, ys, xs, k, 1) for view in low]) - mean
        prior = None
        if len(bank) > 1:
            prior = torch.zeros(n, len(bank)) if class_log_prior is None else class_log_prior
            prior = prior.repeat_interleave(len(ys) * len(xs), 0)
        best = _posterior(query, bank, prior, temperature, rows) + mean
        patches = best.reshape(n, len(ys), len(xs), channels, k, k)
        total, weight = torch.zeros_like(low), torch.zeros(h, w)
        middle = (k - 1) / 2
        radius = int(k * 0.24)
        for dy in range(k):
            for dx in range(k):
                far = ((dy - middle) ** 2 + (dx - middle) ** 2) / (k * self.config.window) ** 2
                counts = torch.full((len(ys), len(xs)), float(torch.exp(torch.tensor(-far / 2))))
                if max(abs(dy - middle), abs(dx - middle)) > radius:
                    # Outside its middle a patch counts only where it lies on a border that does not wrap.
                    edge = torch.zeros(len(ys), len(xs))
                    if not wrap[0]:
                        edge[0] = edge[-1] = 1
                    if not wrap[1]:
                        edge[:, 0] = edge[:, -1] = 1
                    counts = counts * edge
                row, col = ((ys + dy) % h)[:, None], ((xs + dx) % w)[None]
                total[:, :, row, col] += patches[..., dy, dx].permute(0, 3, 1, 2) * counts
                weight[row, col] += counts
        merged = total / weight
        if s == 1:
            return merged
        return _enlarge(_enlarge(merged, s, 2, wrap[0]), s, 3, wrap[1])
