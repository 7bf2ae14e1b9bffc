"""The loop that the model, the ControlNet and the LoRA share: seeded, resumable, with a line of progress."""

from __future__ import annotations

import json
import math
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import torch
from torch import Tensor

from .pictures import Pictures
from .words import WORDS

Batch = tuple[Tensor, Tensor, Tensor]


@dataclass(frozen=True)
class Plan:
    """steps of ``batch`` pictures; rate: the highest learning rate, reached after ``warm`` steps, then half a cosine to
    a twentieth; average: of the moving average that is kept; every: steps between what is saved and reported."""

    steps: int
    batch: int
    rate: float
    warm: int = 200
    average: float = 0.999
    every: int = 500
    log: int = 50
    seed: int = 0

    def rate_at(self, step: int) -> float:
        cosine = 0.5 * (1 + math.cos(math.pi * min(1.0, step / self.steps)))
        return self.rate * min(1.0, (step + 1) / self.warm) * (0.05 + 0.95 * cosine)


class Job(Protocol):
    """What is trained. groups: (parameters, factor on the learning rate)."""

    name: str
    groups: Sequence[tuple[list[torch.nn.Parameter], float]]

    def loss(self, batch: Batch, levels: Tensor) -> Tensor:
        """levels: uniform numbers [B] in 0..1 that choose noise levels."""
        ...

    def report(self, folder: Path, step: int) -> dict[str, float]:
        """Write sheets and tell the probe's figures; called with the averaged weights in place."""
        ...


class Source:
    """Batches of pictures in [-1, 1], hints in 0..1 and captions' numbers, drawn again by seed and step.

    share: of the plan's batch that is drawn at once, so that larger pictures cost as much as smaller ones.
    """

    def __init__(self, pictures: Pictures, device: torch.device, share: float = 1.0) -> None:
        self.pictures, self.device, self.share = pictures, device, share
        self.ids = torch.tensor([WORDS.encode(caption) for caption in pictures.captions])
        self.empty = torch.tensor(WORDS.encode(""))

    def draw(self, generator: torch.Generator, count: int, without_words: float) -> Batch:
        index = torch.randint(len(self.pictures), (count,), generator=generator)
        picture = self.pictures.pictures[index].to(self.device).float() / 127.5 - 1
        hint = self.pictures.hints[index].to(self.device).float()[:, None] / 255
        mirrored = (torch.rand(count, generator=generator) < 0.5).to(self.device)[:, None, None, None]
        picture = torch.where(mirrored, picture.flip(-1), picture)
        hint = torch.where(mirrored, hint.flip(-1), hint)
        silent = torch.rand(count, generator=generator) < without_words
        ids = torch.where(silent[:, None], self.empty, self.ids[index])
        return picture, hint.expand(-1, 3, -1, -1), ids.to(self.device)


def stratified(generator: torch.Generator, count: int) -> Tensor:
    """Numbers in 0..1, one in each of ``count`` equal parts, in random order."""
    even = (torch.arange(count) + torch.rand(count, generator=generator)) / count
    return even[torch.randperm(count, generator=generator)]


def train(
    job: Job,
    source: Callable[[int], Source],
    plan: Plan,
    folder: Path,
    without_words: float,
    bfloat16: bool,
) -> None:
    """Train from where ``folder`` left off to the plan's end. ``source``: step -> where its pictures come from.

    Every ``plan.every`` steps: state.pt (to go on from), a row in log.jsonl, sheets and figures.
    """
    folder.mkdir(parents=True, exist_ok=True)
    parameters = parameters_of(job)
    optimiser = torch.optim.AdamW(
        [{"params": group, "factor": factor} for group, factor in job.groups],
        lr=plan.rate,
        betas=(0.9, 0.99),
        weight_decay=0.01,
        fused=True,
    )
    averaged = [p.detach().clone() for p in parameters]
    state = _State(job, parameters, averaged, optimiser)
    first, spent = state.read(folder / "state.pt")
    began, losses = time.process_time(), []
    for step in range(first, plan.steps):
        generator = torch.Generator().manual_seed(plan.seed * 1_000_003 + step)
        torch.manual_seed(plan.seed * 1_000_003 + step)
        now = source(step)
        for group in optimiser.param_groups:
            group["lr"] = plan.rate_at(step) * group["factor"]
        count = max(1, round(plan.batch * now.share))
        batch = now.draw(generator, count, without_words)
        levels = stratified(generator, count).to(now.device)
        with torch.autocast(now.device.type, torch.bfloat16, enabled=bfloat16):
            loss = job.loss(batch, levels)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(parameters, 1.0, foreach=True)
        optimiser.step()
        optimiser.zero_grad(set_to_none=True)
        keep = min(plan.average, (1 + step) / (10 + step))
        torch._foreach_lerp_(averaged, [p.detach() for p in parameters], 1 - keep)
        losses.append(float(loss.detach()))
        done, last = step + 1, step + 1 == plan.steps
        if done % plan.log == 0 or last:
            cpu = spent + time.process_time() - began
            mean = sum(losses) / len(losses)
            print(f"{job.name}: step {done} of {plan.steps}, loss {mean:.4f}, {cpu:.0f} CPU s", flush=True)
            _note(folder, {"step": done, "loss": round(mean, 5), "cpu_s": round(cpu)})
            losses = []
        if done % plan.every == 0 or last:
            state.write(folder / "state.pt", done, spent + time.process_time() - began)
            with state.using_average():
                figures = job.report(folder, done)
            if figures:
                print(f"{job.name}: {figures}", flush=True)
                _note(folder, {"step": done, **figures})


def _note(folder: Path, row: dict[str, Any]) -> None:
    with (folder / "log.jsonl").open("a", encoding="utf-8") as file:
        file.write(json.dumps(row) + "\n")


class _State:
    """Weights, their moving average and the optimiser's memory, on disk and back."""

    def __init__(
        self, job: Job, parameters: list[torch.nn.Parameter], averaged: list[Tensor], optimiser: torch.optim.Optimizer
    ) -> None:
        self.job, self.parameters, self.averaged, self.optimiser = job, parameters, averaged, optimiser

    def write(self, path: Path, step: int, cpu: float) -> None:
        part = path.with_suffix(".tmp")
        weights = [p.detach() for p in self.parameters]
        held = {"weights": weights, "average": self.averaged, "optimiser": self.optimiser.state_dict()}
        torch.save({**held, "step": step, "cpu_s": cpu}, part)
        part.replace(path)

    def read(self, path: Path) -> tuple[int, float]:
        """(the step to go on with, CPU seconds spent before); (0, 0) where nothing was saved."""
        if not path.is_file():
            return 0, 0.0
        held = torch.load(path, map_location="cpu", weights_only=True)
        with torch.no_grad():
            for own, saved in zip(self.parameters, held["weights"], strict=True):
                own.copy_(saved)
            for own, saved in zip(self.averaged, held["average"], strict=True):
                own.copy_(saved)
        self.optimiser.load_state_dict(held["optimiser"])
        return int(held["step"]), float(held["cpu_s"])

    def using_average(self) -> _Swapped:
        return _Swapped(self.parameters, self.averaged)


class _Swapped:
    def __init__(self, parameters: list[torch.nn.Parameter], averaged: list[Tensor]) -> None:
        self.parameters, self.averaged = parameters, averaged
        self.kept: list[Tensor] = []

    @torch.no_grad()
    def __enter__(self) -> None:
        self.kept = [p.detach().clone() for p in self.parameters]
        for p, average in zip(self.parameters, self.averaged, strict=True):
            p.copy_(average)

    @torch.no_grad()
    def __exit__(self, *_: object) -> None:
        for p, kept in zip(self.parameters, self.kept, strict=True):
            p.copy_(kept)


def parameters_of(job: Job) -> list[torch.nn.Parameter]:
    """What a job trains, in the order in which it is kept."""
    return [p for group, _ in job.groups for p in group]


def averaged_weights(folder: Path) -> list[Tensor]:
    """What training in ``folder`` kept, in the order of the job's parameters. Raises FileNotFoundError for none."""
    if not (folder / "state.pt").is_file():
        raise FileNotFoundError(f"nothing was trained in {folder}; run the step '{folder.name}' first")
    return torch.load(folder / "state.pt", map_location="cpu", weights_only=True)["average"]


def take_average(job: Job, folder: Path) -> None:
    """Give a job the weights that training in ``folder`` kept."""
    with torch.no_grad():
        for parameter, value in zip(parameters_of(job), averaged_weights(folder), strict=True):
            parameter.copy_(value)


def log_of(folder: Path) -> Iterator[dict[str, Any]]:
    for line in (folder / "log.jsonl").read_text(encoding="utf-8").splitlines():
        yield json.loads(line)
