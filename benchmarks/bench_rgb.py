"""What averaging decoded pictures costs: Stable Diffusion 1.5's VAE against its UNet (random weights), and the time and
memory of the average itself. Arithmetic is counted exactly; seconds are this machine's."""

from __future__ import annotations

import subprocess
import sys
import time
import types
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))

VAE = dict(
    ddconfig=dict(
        double_z=True,
        z_channels=4,
        resolution=256,
        in_channels=3,
        out_ch=3,
        ch=128,
        ch_mult=[1, 2, 4, 4],
        num_res_blocks=2,
        attn_resolutions=[],
        dropout=0.0,
    ),
    embed_dim=4,
)
VIEW = 512


def counted(call: Callable[[], Any]) -> tuple[float, float]:
    """(10^12 operations, seconds) of one call."""
    from torch.utils.flop_counter import FlopCounterMode

    began = time.perf_counter()
    with FlopCounterMode(display=False) as counter:
        call()
    return counter.get_total_flops() / 1e12, time.perf_counter() - began


def child(way: str, views: int) -> None:
    """Average ``views`` pictures of 512 x 512 every 64 pixels and print MiB and seconds (first, later)."""
    sys.modules["syncpack"] = alias = types.ModuleType("syncpack")
    alias.__path__ = [str(HERE.parent)]
    from syncpack.renderers.plane.space import Plane, Windows
    from syncpack.renderers.plane.stitch import WindowMean
    from syncpack.renderers.scene import Scene
    from syncpack.sync_core.synchronizer import Synchronizer, SyncPlan
    from unets import peak_memory_mib

    scene = Scene(Plane(VIEW + 64 * (views - 1), VIEW), Windows(VIEW, VIEW, 64, 64))
    picture = torch.rand(1, VIEW, VIEW, 3)
    began, before = time.perf_counter(), peak_memory_mib()
    if way == "windows":
        mean = WindowMean(scene.geometry.placement(8).scaled(8), "hann")
        for i in range(views):
            mean.add(i, picture)
        for i in range(views):
            mean.views(i, i + 1)
        first = time.perf_counter() - began
    else:
        maps = Synchronizer(SyncPlan(), scene.views(8, 8))
        batch = picture.movedim(-1, 1).repeat(views, 1, 1, 1)
        maps.sync(batch)
        first = time.perf_counter() - began
    print(peak_memory_mib() - before, first)


def averaging(way: str, views: int) -> tuple[float, float]:
    code = f"import bench_rgb; bench_rgb.child({way!r}, {views})"
    done = subprocess.run([sys.executable, "-c", code], cwd=HERE, capture_output=True, text=True)
    if done.returncode:
        raise RuntimeError(done.stderr.strip().splitlines()[-1])
    memory, seconds = done.stdout.split()
    return float(memory), float(seconds)


def run() -> dict[str, float | str | list[float]]:
    figures: dict[str, float | str | list[float]] = {}
    # First: on Linux a process counts the peak of the one that started it.
    memory, took = averaging("windows", 41)
    figures["average of 41 views of 512 x 512, window by window, MiB"] = memory
    figures["the same, seconds"] = took
    memory, took = averaging("maps", 8)
    figures["average of 8 views of 512 x 512 through maps, bytes per view pixel"] = memory * 2**20 / (8 * VIEW**2)
    figures["the same, seconds for the first"] = took
    from unets import prompt, random_unet

    unet = random_unet("sd15").model.diffusion_model
    from comfy.ldm.models.autoencoder import AutoencoderKL

    vae = AutoencoderKL(**VAE).eval()
    with torch.no_grad():
        for weight in vae.parameters():
            weight.normal_(0.0, 0.02)
    context = prompt("sd15", 1)[0][0].repeat(2, 1, 1)
    cells = VIEW // 8
    noisy, latent = torch.randn(2, 4, cells, cells), torch.randn(1, 4, cells, cells)
    picture, level = torch.rand(1, 3, VIEW, VIEW), torch.full((2,), 500.0)
    calls: dict[str, Callable[[], Any]] = {
        "guided UNet call": lambda: unet(noisy, level, context=context),
        "decode": lambda: vae.decode(latent),
        "encode": lambda: vae.encode(picture),
    }
    with torch.inference_mode():
        spent = {name: counted(call) for name, call in calls.items()}
    for i, unit in enumerate(("tera-operations", "seconds")):
        for name, values in spent.items():
            figures[f"{name}, one view of 512 x 512, {unit}"] = values[i]
        trip = spent["decode"][i] + 2 * spent["encode"][i]
        figures[f"(decode + 2 encodes) / guided UNet call, {unit}"] = trip / spent["guided UNet call"][i]
    return figures


def main() -> None:
    from run_all import table

    print(table({"bench_rgb": {"seconds": 0.0, "figures": run()}}))


if __name__ == "__main__":
    main()
