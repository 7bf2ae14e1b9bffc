"""Exemplar prior: a denoiser made of pictures, without weights or training.

The prior: around every pixel a picture looks like a patch of one of the exemplars. Under x = x0 + sigma * n the
posterior over the J patches of a level is a softmax of -|patch(x) - patch_j|^2 / (2 T); the denoised picture merges the
patches' posterior means (each counts mostly for its own middle). This is the equivariant local score machine of Kamb
and Ganguli, "An analytic theory of creativity in convolutional diffusion models" (2024),
with these choices, made by eye:

* Levels. At high noise patches are wide and read x and the exemplars through s x s box averages (noise sigma / s);
  the result is enlarged smoothly. At low noise they are small and at full resolution.
* Sharpness. Neighbouring patches look at the same place, so together they know more than one of them: T is
  (sharpness * sigma / s)^2 with sharpness < 1. With sharpness 1 overlapping patches disagree and average to mush.
* Steps. Patches are compared every two or three cells, since their middles are as wide. At every cell (FINE_LEVELS) it
  takes six times as long and pictures are softer (benchmarks/bench_exemplar_steps.py); but then, and only then, a view
  that is moved by any number of pixels is denoised alike.
* Levels are placed in units of the exemplars' standard deviation, so a pale exemplar behaves as a strong one.

Limits: sigma -> infinity gives the exemplars' mean; sigma -> 0 gives every pixel from the nearest exemplar patches,
which is x itself exactly where x is made of such patches. The noise that a patch is compared at never falls below
``sigma_floor``, so sigma = 0 is a plain nearest-patch copy.
"""

import itertools
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import torch
import torch.nn.functional as F
from torch import Tensor

from .bank import Level, LevelBank, area_matrix, cubic_matrix
from .search import Query, SearchConfig, posterior_mean

DEFAULT_LEVELS = (Level(6.5, 4, 11, 2, 2), Level(2.3, 2, 9, 2, 2), Level(0.45, 1, 7, 3, 1), Level(0.0, 1, 5, 2, 1))
# Patches at every cell.
FINE_LEVELS = tuple(replace(level, step=1) for level in DEFAULT_LEVELS)


@dataclass(frozen=True)
class ExemplarConfig:
    """How the exemplars are read. The defaults suit material pictures of 64 to 512 pixels.

    ``levels``: coarse to fine, the last with ``sigma_min`` 0. ``sharpness``: see the module. ``window``: standard
    deviation of the merging window in patch sides. ``periodic``: the exemplars tile. ``max_patches``: per class and
    level; more are thinned. ``sigma_floor``: least noise used. ``rest``: share of the patches' variance that the first
    look of the search leaves out. ``search``: how exact.
    """

    levels: tuple[Level, ...] = DEFAULT_LEVELS
    sharpness: float = 0.4
    window: float = 0.1
    periodic: bool = False
    max_patches: int = 65536
    sigma_floor: float = 0.02
    rest: float = 0.025
    views_per_chunk: int = 16
    search: SearchConfig = field(default_factory=SearchConfig)

    def __post_init__(self) -> None:
        if not self.levels or self.levels[-1].sigma_min != 0.0:
            raise ValueError("ExemplarConfig.levels: the last level must have sigma_min 0")
        starts = [level.sigma_min for level in self.levels]
        if any(a <= b for a, b in itertools.pairwise(starts)):
            raise ValueError(f"ExemplarConfig.levels: sigma_min must fall from level to level, got {starts}")
        if any(level.patch % 2 == 0 or level.patch < 3 or level.scale < 1 for level in self.levels):
            raise ValueError("ExemplarConfig.levels: patch must be odd and at least 3, scale at least 1")
        if not self.sharpness > 0 or not self.window > 0 or not self.sigma_floor > 0:
            raise ValueError("ExemplarConfig: sharpness, window and sigma_floor must be above 0")
        if min(self.max_patches, self.views_per_chunk) < 1:
            raise ValueError("ExemplarConfig: max_patches and views_per_chunk must be at least 1")
        if not 0 <= self.rest < 1:
            raise ValueError("ExemplarConfig: rest must be at least 0 and below 1")


class ExemplarPrior(torch.nn.Module):
    """Posterior-mean denoiser of pictures made of the exemplars' patches. Build it with ``from_images``."""

    def __init__(
        self, banks: Sequence[LevelBank], n_classes: int, channels: int, contrast: float, config: ExemplarConfig
    ):
        super().__init__()
        self.banks = torch.nn.ModuleList(banks)
        self.n_classes = n_classes
        self.channels = channels
        self.contrast = contrast
        self.config = config

    @classmethod
    def from_images(cls, images: Sequence[Tensor], config: ExemplarConfig | None = None) -> "ExemplarPrior":
        """Prior of one class per image, ``[C,H,W]`` in [-1,1]; sizes may differ, channels may not.

        Levels whose patch is larger than some exemplar are left out. Raises ValueError for an empty list, a wrong
        shape, values that are not finite, or an exemplar smaller than the smallest patch.
        """
        config = config or ExemplarConfig()
        pictures = [_checked_image(image, number) for number, image in enumerate(images)]
        if not pictures:
            raise ValueError("ExemplarPrior: no exemplar images; give at least one [C,H,W] in [-1,1]")
        channels = {image.shape[0] for image in pictures}
        if len(channels) > 1:
            raise ValueError(
                f"ExemplarPrior: exemplars differ in channels {sorted(channels)}; convert them all to one kind"
            )
        smallest = min(min(image.shape[1:]) for image in pictures)
        levels = [level for level in config.levels if level.span <= smallest]
        if not levels or levels[-1] != config.levels[-1]:
            raise ValueError(
                f"ExemplarPrior: an exemplar is {smallest} px on its short side, smaller than the smallest patch "
                f"({config.levels[-1].span} px); give a larger picture"
            )
        banks = [
            LevelBank(pictures, level, config.periodic, config.window, config.max_patches, config.rest)
            for level in levels
        ]
        deviations = [float(image.flatten(1).var(1, unbiased=False).mean()) ** 0.5 for image in pictures]
        contrast = max(sum(deviations) / len(deviations), 1e-3)
        prior = cls(banks, len(pictures), channels.pop(), contrast, config)
        return prior.to(images[0].device)

    def level_index(self, sigma: float, height: int, width: int) -> int:
        """The level used at ``sigma`` for views of this size: the coarsest allowed whose patch fits into the view."""
        for index, bank in enumerate(self._levels()):
            level = bank.level
            fits = min(low_size(height, level.scale), low_size(width, level.scale)) >= level.patch
            if fits and sigma >= level.sigma_min * self.contrast:
                return index
        return len(self.banks) - 1

    @torch.no_grad()
    def denoise(
        self,
        x: Tensor,
        sigma: Tensor | float,
        class_log_prior: Tensor | None = None,
        wrap: tuple[bool, bool] = (False, False),
        wanted: Tensor | None = None,
    ) -> Tensor:
        """Posterior mean of x0 for ``x [N,C,h,w] = x0 + sigma * n``; same shape, float32.

        ``sigma``: one number or [N], at least 0. ``class_log_prior [N, n_classes]``: log weight of each exemplar per
        view (need not be normalised; -inf leaves one out; uniform by default). ``wrap``: (vertical,
        horizontal) the view tiles. ``wanted [N,h,w]`` (bool): pixels whose estimate is asked for; patches that show
        none of them are not looked up, and what only these would tell is the exemplars' mean.
        h and w at least 8; levels wider than the view give way to finer ones; sizes that are not multiples of a level's
        scale are area-averaged to the nearest whole number of cells. Raises ValueError otherwise.
        """
        self._check(x)
        sigmas = self._sigmas(sigma, len(x))
        prior = self._log_prior(class_log_prior, x)
        out = torch.empty_like(x, dtype=torch.float32)
        groups: dict[float, list[int]] = {}
        for view, value in enumerate(sigmas):
            groups.setdefault(value, []).append(view)
        for value, views in groups.items():
            for start in range(0, len(views), self.config.views_per_chunk):
                part = torch.tensor(views[start : start + self.config.views_per_chunk], device=x.device)
                asked = None if wanted is None else wanted[part].to(x.device)
                out[part] = self._denoise_group(x[part].float(), value, prior[part], wrap, asked)
        return out

    def _denoise_group(
        self, x: Tensor, sigma: float, log_prior: Tensor, wrap: tuple[bool, bool], wanted: Tensor | None
    ) -> Tensor:
        """``denoise`` for views of one noise level."""
        height, width = x.shape[-2:]
        bank = self._levels()[self.level_index(sigma, height, width)]
        s, k = bank.level.scale, bank.level.patch
        if s > 1:
            rows, cols = low_size(height, s), low_size(width, s)
            x = area_matrix(height, rows, x.device) @ x @ area_matrix(width, cols, x.device).T
        low = tuple(x.shape[-2:])
        x = wrap_pad(x, k, wrap)
        grid = (x.shape[-2] - k + 1, x.shape[-1] - k + 1)
        place = patch_places(grid, bank.level.step, wrap, x.device)
        patches = F.unfold(x, k)[:, :, place].transpose(1, 2)
        share = torch.tensor(bank.counts, device=x.device).log()
        noise = max(sigma, self.config.sigma_floor) / s
        patches = patches.reshape(-1, patches.shape[2])
        # Every class has weight 1 before its prior, however many patches it holds.
        log_weight = (log_prior - share).repeat_interleave(len(place), 0)
        rows = None if wanted is None else patches_that_show(wanted, bank.level, low, wrap)[:, place].flatten()
        if rows is not None:
            patches, log_weight = patches[rows], log_weight[rows]
        ask = Query(
            coef=(patches - bank.mean) @ bank.basis,
            log_weight=log_weight,
            temperature=(self.config.sharpness * noise) ** 2,
            noise=noise,
        )
        mean = bank.mean.expand(len(patches), -1)
        if len(patches):
            mean = posterior_mean(ask, bank, self.config.search) @ bank.basis.T + bank.mean
        if rows is not None:
            found, mean = mean, bank.mean.repeat(len(rows), 1)
            mean[rows] = found
        merged = merge_patches(mean, bank, grid, place, wrap)[..., : low[0], : low[1]]
        if s > 1:
            up = cubic_matrix(low[0], height, wrap[0], x.device)
            merged = up @ merged @ cubic_matrix(low[1], width, wrap[1], x.device).T
        return merged

    def _levels(self) -> list[LevelBank]:
        return [bank for bank in self.banks if isinstance(bank, LevelBank)]

    def _check(self, x: Tensor) -> None:
        if x.ndim != 4 or x.shape[1] != self.channels:
            raise ValueError(f"ExemplarPrior.denoise: x must be [N,{self.channels},h,w], got {list(x.shape)}")
        if min(x.shape[2:]) < 8:
            raise ValueError(f"ExemplarPrior.denoise: views must be at least 8 x 8, got {x.shape[2]} x {x.shape[3]}")

    def _sigmas(self, sigma: Tensor | float, n: int) -> list[float]:
        values = torch.as_tensor(sigma, dtype=torch.float64).flatten()
        if values.numel() not in (1, n):
            raise ValueError(
                f"ExemplarPrior.denoise: sigma must be one number or one per view ({n}), got {values.numel()}"
            )
        if not bool(torch.isfinite(values).all()) or bool((values < 0).any()):
            raise ValueError("ExemplarPrior.denoise: sigma must be finite and at least 0")
        return [float(v) for v in values.expand(n)]

    def _log_prior(self, class_log_prior: Tensor | None, x: Tensor) -> Tensor:
        shape = (len(x), self.n_classes)
        if class_log_prior is None:
            return torch.zeros(shape, device=x.device)
        if tuple(class_log_prior.shape) != shape:
            raise ValueError(
                f"ExemplarPrior.denoise: class_log_prior must be {list(shape)} (views, classes), "
                f"got {list(class_log_prior.shape)}"
            )
        prior = class_log_prior.to(device=x.device, dtype=torch.float32)
        if bool(torch.isnan(prior).any()) or bool((prior == torch.inf).any()):
            raise ValueError("ExemplarPrior.denoise: class_log_prior holds NaN or +inf")
        if bool((prior.amax(1) == -torch.inf).any()):
            raise ValueError("ExemplarPrior.denoise: class_log_prior leaves a view without any class (all -inf)")
        return prior - torch.logsumexp(prior, 1, keepdim=True)


def _checked_image(image: Tensor, number: int) -> Tensor:
    """The exemplar as float32 on the CPU, or ValueError."""
    if image.ndim != 3 or min(image.shape) < 1:
        raise ValueError(f"ExemplarPrior: exemplar {number} must be [C,H,W], got {list(image.shape)}")
    picture = image.detach().to(device="cpu", dtype=torch.float32)
    if not bool(torch.isfinite(picture).all()):
        raise ValueError(f"ExemplarPrior: exemplar {number} holds NaN or infinite values")
    return picture


def low_size(size: int, scale: int) -> int:
    """Cells that ``size`` pixels become at a scale: the nearest whole number, at least 1."""
    return max(1, (2 * size + scale) // (2 * scale))


def wrap_pad(x: Tensor, patch: int, wrap: tuple[bool, bool]) -> Tensor:
    """Repeat the first ``patch - 1`` rows or columns after the last on axes that wrap."""
    if wrap[0]:
        x = torch.cat([x, x[:, :, : patch - 1]], 2)
    if wrap[1]:
        x = torch.cat([x, x[:, :, :, : patch - 1]], 3)
    return x


def patch_places(grid: tuple[int, int], step: int, wrap: tuple[bool, bool], device: torch.device) -> Tensor:
    """Positions on the ``rows x cols`` grid where patches are compared: every ``step`` cells, and the last before a
    border that does not wrap. int64 [P], in reading order."""
    axes: list[Tensor] = []
    for length, wraps in zip(grid, wrap, strict=True):
        at = list(range(0, length, step))
        axes.append(torch.tensor(at if wraps or at[-1] == length - 1 else [*at, length - 1], device=device))
    return (axes[0][:, None] * grid[1] + axes[1]).reshape(-1)


def patches_that_show(wanted: Tensor, level: Level, low: tuple[int, ...], wrap: tuple[bool, bool]) -> Tensor:
    """Which patches of views [N,h,w], ``low`` cells high and wide at the level, hold a cell that some wanted pixel is
    read from: bool [N, rows*cols], every position."""
    shown = wanted[:, None].float()
    if level.scale > 1:
        shown = area_matrix(shown.shape[2], low[0], shown.device) @ shown
        shown = shown @ area_matrix(shown.shape[3], low[1], shown.device).T
        # (a pixel is enlarged from the two cells on either side)
        shown = F.max_pool2d(shown, 5, 1, 2)
    return (F.max_pool2d(wrap_pad(shown, level.patch, wrap), level.patch, 1) > 0).flatten(1)


def open_border(grid: tuple[int, int], wrap: tuple[bool, bool], device: torch.device) -> Tensor:
    """Which of the ``rows x cols`` patch positions touch a border that does not wrap: bool [rows*cols]."""
    edge = torch.zeros(grid, dtype=torch.bool, device=device)
    if not wrap[0]:
        edge[0] = edge[-1] = True
    if not wrap[1]:
        edge[:, 0] = edge[:, -1] = True
    return edge.reshape(-1)


def merge_patches(
    mean: Tensor, bank: LevelBank, grid: tuple[int, int], place: Tensor, wrap: tuple[bool, bool]
) -> Tensor:
    """Weighted overlap average of patches [n*P, D] at the positions ``place`` of the grid: [n,C,h,w]."""
    k = bank.level.patch
    size = (grid[0] + k - 1, grid[1] + k - 1)
    border = open_border(grid, wrap, mean.device)[place]
    own = torch.zeros(k * k, len(place), device=mean.device)
    own[bank.core_cell] = bank.window[bank.core_cell].unsqueeze(1)
    own[:, border] = bank.window.unsqueeze(1)
    channels = mean.shape[1] // (k * k)
    patches = mean.reshape(-1, len(place), mean.shape[1]).transpose(1, 2) * own.repeat(channels, 1)
    columns = mean.new_zeros(len(patches), mean.shape[1], grid[0] * grid[1])
    columns[:, :, place] = patches
    weight = own.new_zeros(k * k, grid[0] * grid[1])
    weight[:, place] = own
    total = F.fold(columns, size, k)
    share = F.fold(weight[None], size, k)
    for axis, wraps in ((2, wrap[0]), (3, wrap[1])):
        if wraps:
            for t in (total, share):
                t.narrow(axis, 0, k - 1).add_(t.narrow(axis, t.shape[axis] - k + 1, k - 1))
    h, w = size[0] - (k - 1) * wrap[0], size[1] - (k - 1) * wrap[1]
    return total[:, :, :h, :w] / share[:, :, :h, :w]
