"""The steps of make.py."""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from ...nodes.models.toy.files import FAMILY, VERSION
from . import figures, pictures
from .jobs import SIZES, ControlJob, Denoising, LoraJob, ModelJob, networks
from .probe import Probe, write
from .training import Plan, Source, take_average, train
from .words import WORDS

SEED = 1
# Parts of the pictures that the model learns, the one that is held out for the probe, and those of the ControlNet.
PARTS, HELD_OUT, HINTED = slice(0, 19), slice(19, 20), slice(20, 26)
NAME = "toy_world"


def _sources(folder: Path, device: torch.device, steps: int) -> Callable[[int], Source]:
    """64 pixels; in the last quarter of the steps every other batch has 96, which is what larger views need."""
    small, large = (Source(pictures.read(folder, n, PARTS), device, (64 / n) ** 2) for n in (64, 96))
    return lambda step: large if step % 2 and step >= 0.75 * steps else small


def _probe(folder: Path) -> Probe:
    return Probe.of(pictures.read(folder, 64, slice(14, 20)))


def make_pictures(given: argparse.Namespace) -> None:
    pictures.write(given.folder / "pictures", HINTED.stop, SEED, given.threads)


def _train(given: argparse.Namespace, job: Denoising, plan: Plan, without_words: float, several: bool) -> None:
    device = torch.device(given.device)
    if several:
        source = _sources(given.folder / "pictures", device, plan.steps)
    else:
        only = Source(pictures.read(given.folder / "pictures", 64, HINTED), device)
        source = lambda step: only  # noqa: E731
    train(job, source, plan, given.folder / job.name, without_words, not given.float32)  # pyright: ignore[reportArgumentType]


def make_model(given: argparse.Namespace) -> None:
    probe = _probe(given.folder / "pictures")
    write(probe, given.output / "probe.npz")
    accuracies = {k: round(getattr(probe, k).accuracy, 3) for k in ("object", "material", "ground", "sky")}
    print(f"the probe on real pictures that it has not seen: {accuracies}", flush=True)
    job = ModelJob(torch.device(given.device))
    job.own_report = lambda folder, step: figures.of_model(probe, job.unet, job.text, folder, step)
    _train(given, job, Plan(given.model_steps, 64, 1.2e-3), 0.12, True)


def trained(given: argparse.Namespace) -> ModelJob:
    """The model as its training kept it."""
    job = ModelJob(torch.device(given.device))
    take_average(job, given.folder / "model")
    job.unet.eval()
    return job


def make_controlnet(given: argparse.Namespace) -> None:
    base, real = trained(given), pictures.read(given.folder / "pictures", 64, HELD_OUT)
    job = ControlJob(base.unet, base.text)
    job.own_report = lambda folder, step: figures.of_control(real, job.unet, job.text, job.network, folder, step)
    # (half of the captions are dropped: what the words do not say, the hint must)
    _train(given, job, Plan(given.controlnet_steps, 32, 6e-4, warm=50), 0.5, False)


def make_lora(given: argparse.Namespace) -> None:
    base = trained(given)
    job = LoraJob(base.unet, base.text)
    job.own_report = lambda folder, step: figures.of_lora(job.unet, job.text, folder, step)
    _train(given, job, Plan(given.lora_steps, 32, 2e-3, warm=20, average=0.99), 0.1, False)


def _half(weights: dict[str, Tensor]) -> dict[str, Tensor]:
    return {name: value.detach().cpu().half().contiguous() for name, value in weights.items()}


def make_files(given: argparse.Namespace) -> None:
    """Write what was trained as files of half precision, with what is needed to read them in their heads."""
    from safetensors.torch import save_file

    head = {"family": FAMILY, "version": VERSION, "sizes": json.dumps(SIZES.to_json())}
    words = {"words": json.dumps(WORDS.known), "alike": json.dumps(WORDS.alike)}
    base = trained(given)
    model = {f"model.diffusion_model.{k}": v for k, v in base.unet.state_dict().items()}
    text = {f"cond_stage_model.{k}": v for k, v in base.text.state_dict().items()}
    save_file(_half(model | text), given.output / f"{NAME}.safetensors", {**head, **words, "part": "model"})
    if (given.folder / "controlnet" / "state.pt").is_file():
        control = ControlJob(*networks(torch.device("cpu")))
        take_average(control, given.folder / "controlnet")
        save_file(
            _half(control.network.state_dict()),
            given.output / f"{NAME}_depth.safetensors",
            {**head, "part": "controlnet"},
        )
    if (given.folder / "lora" / "state.pt").is_file():
        lora = LoraJob(*networks(torch.device("cpu")))
        take_average(lora, given.folder / "lora")
        save_file(_half(_kohya(lora)), given.output / f"{NAME}_blueprint.safetensors", {**head, "part": "lora"})
    for file in sorted(given.output.glob(f"{NAME}*.safetensors")):
        print(f"{file.name}: {file.stat().st_size / 1e6:.2f} MB", flush=True)


def _kohya(job: LoraJob) -> dict[str, Tensor]:
    """A LoRA's weights under the names that LoraLoader looks for."""
    named: dict[str, Tensor] = {}
    for name, part in job.parts.items():
        key = "lora_unet_" + name.replace(".", "_")
        tail = [1] * (part.down.ndim - 2)
        named[f"{key}.lora_down.weight"] = part.down
        named[f"{key}.lora_up.weight"] = part.up.reshape(*part.up.shape, *tail)
        named[f"{key}.alpha"] = torch.tensor(float(job.rank))
    return named


STEPS: dict[str, Callable[[Any], None]] = {
    "pictures": make_pictures,
    "model": make_model,
    "controlnet": make_controlnet,
    "lora": make_lora,
    "files": make_files,
}
