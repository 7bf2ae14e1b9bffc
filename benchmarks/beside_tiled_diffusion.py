"""Wide pictures beside ComfyUI-TiledDiffusion on one host: same network, windows, noise and steps.

``python benchmarks/beside_tiled_diffusion.py FOLDER [--repeat N]``: FOLDER is a copy of
https://github.com/shiimizu/ComfyUI-TiledDiffusion, which needs a checkout of ComfyUI (``COMFYUI_DIR``). Nothing of it
is part of this pack. Every row is a process of its own.

Two networks: a UNet of random weights on latents of 256 x 1536 pixels, for calls, time and memory, and the small
model of this pack on 384 x 64 pixels, for pictures; square windows, guidance, four windows a call. areas: windows
that went through the network at a step, in areas of the canvas. seconds: of the processor, for a whole run, and those
outside of the network. MiB: at the peak, beyond what was there before. seam: squared steps across the borders of the
last step's windows over those elsewhere. steepest: the column of the steepest step over the usual one, wherever
windows were. detail: variance of the Laplacian. Medians of the seeds.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import statistics
import subprocess
import sys
import time
import types
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))

TOGETHER = 4
# Cells of a window; the canvas is six of them.
SIDES = {"random": 32, "toy": 64}
STEPS = {"random": 4, "toy": 20}
WORDS = "a sunset over the sea"


def ways() -> dict[str, tuple[str, int, Any]]:
    """Name -> (who, from one window to the next in 64ths of a window, its method or our visits)."""
    from syncpack.sync_core.visits.policy import Visits

    return {
        "TiledDiffusion, MultiDiffusion, every half": ("peer", 32, "MultiDiffusion"),
        "ours, all windows, every half": ("ours", 32, None),
        "TiledDiffusion, MultiDiffusion, every eighth": ("peer", 8, "MultiDiffusion"),
        "ours, all windows, every eighth": ("ours", 8, None),
        "TiledDiffusion, SpotDiffusion": ("peer", 64, "SpotDiffusion"),
        "ours, turning, only touching": ("ours", 8, Visits("turning", 0.0, 0.0)),
        "ours, turning": ("ours", 8, Visits("turning")),
    }


class Network:
    """Counts what goes through the network, and the seconds there."""

    def __init__(self, network: Any) -> None:
        self.rows, self.seconds, self._began = 0, 0.0, 0.0
        network.register_forward_pre_hook(self._begin)
        network.register_forward_hook(self._end)

    def _begin(self, _: Any, given: Any) -> None:
        self.rows += given[0].shape[0]
        self._began = time.process_time()

    def _end(self, *_: Any) -> None:
        self.seconds += time.process_time() - self._began


def peer(folder: str) -> Any:
    """The nodes of the pack in a folder."""
    spec = importlib.util.spec_from_file_location(
        "peer_pack", Path(folder) / "__init__.py", submodule_search_locations=[folder]
    )
    assert spec is not None and spec.loader is not None, f"{folder} is no pack of nodes"
    module = sys.modules["peer_pack"] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.NODE_CLASS_MAPPINGS


def model_of(kind: str) -> tuple[Any, Any, Any, int, int]:
    """(MODEL, positive, negative, channels, pixels of a cell)."""
    from unets import prompt, random_unet, start_host

    if kind == "random":
        return random_unet("small"), prompt("small", 1), prompt("small", 2), 4, 8
    start_host()
    from syncpack.nodes.models.toy_nodes import ToyWorldModel

    model, clip, _, _ = ToyWorldModel().load(0.0)
    positive, negative = (clip.encode_from_tokens_scheduled(clip.tokenize(words)) for words in (WORDS, ""))
    return model, positive, negative, 3, 1


def child(folder: str, kind: str, way: str, seed: int, picture: str) -> dict[str, float]:
    sys.modules["syncpack"] = alias = types.ModuleType("syncpack")
    alias.__path__ = [str(HERE.parent)]
    import torch

    model, positive, negative, channels, cell = model_of(kind)
    from helpers.hosting import Plane, Scene, Windows, run_node
    from syncpack.nodes import host
    from syncpack.sync_core.quality import high_frequency_energy, seam_ratio
    from syncpack.sync_core.visits.policy import Visiting
    from unets import peak_memory_mib

    who, part, method = ways()[way]
    side, wide = SIDES[kind], 6 * SIDES[kind]
    stride = part * side // 64
    steps, cfg = STEPS[kind], 3.0
    network = Network(model.model.diffusion_model)
    space, rig = (
        Plane(wide * cell, side * cell),
        Windows(side * cell, side * cell, stride * cell, side * cell),
    )
    latent = torch.zeros(1, channels, side, wide)
    # Where the windows of the last step begin.
    starts = list(range(0, wide - side + 1, stride))

    def run(count: int) -> Any:
        if who == "ours":
            return run_node(
                model,
                space,
                rig,
                positive=positive,
                negative=negative,
                seed=seed,
                steps=count,
                cfg=cfg,
                views_per_batch=TOGETHER,
                visits=method,
            )[1]["samples"]
        nodes = peer(folder) if "peer_pack" not in sys.modules else sys.modules["peer_pack"].NODE_CLASS_MAPPINGS
        # (it divides by 8, whatever a model's cell is)
        tiled = nodes["TiledDiffusion"]().apply(model, method, 8 * side, 8 * side, 8 * (side - stride), TOGETHER)[0]
        if method == "SpotDiffusion":
            tiled = nodes["SpotDiffusionParams_TiledDiffusion"]().apply(tiled, "random", seed)[0]
        sigmas = host.k_sampler_sigmas(tiled, count, "euler", "normal", 1.0)
        noise, sampler = host.prepare_noise(latent, seed), host.sampler_object("euler")
        with torch.inference_mode():
            found = host.sample(tiled, noise, positive, negative, cfg, sampler, sigmas, latent, None, None, seed)
        if method == "SpotDiffusion":
            last = int(tiled.model_options["model_function_wrapper"].uniform_distribution[1][count - 1])
            starts[:] = [(side * number - last) % wide for number in range(wide // side)]
        return found

    run(1)
    before, network.rows, network.seconds, began = peak_memory_mib(), 0, 0.0, time.process_time()
    found = run(steps)
    seconds, more = time.process_time() - began, peak_memory_mib() - before
    whole = found.reshape(channels, side, wide).clone().float()
    if who == "ours" and method is not None:
        scene = Scene(space, rig)
        views = scene.views(cell)
        visiting = Visiting.of(method, lambda o: scene.geometry.tilings(views, o), views.count, steps, seed, False)
        assert visiting is not None
        starts[:] = [stride * row for row in visiting.sets[-1] or range(views.count)]
    borders = sorted({b % wide for s in starts for b in (s, s + side)} - {0})
    energy = (whole[:, :, 1:] - whole[:, :, :-1]).square().mean((0, 1))
    if picture:
        torch.save(whole, picture)
    return {
        "areas": network.rows / 2 * side / wide / steps,
        "seconds": seconds,
        "outside": seconds - network.seconds,
        "MiB": more,
        "seam": seam_ratio(whole, borders),
        # (whichever windows there were: the steepest column over the usual one)
        "steepest": float(energy.max() / energy.median()),
        "detail": high_frequency_energy(whole),
    }


def measured(folder: str, kind: str, way: str, seed: int, picture: str = "") -> dict[str, float]:
    code = (
        "import beside_tiled_diffusion as b, json; "
        f"print(json.dumps(b.child({folder!r}, {kind!r}, {way!r}, {seed}, {picture!r})))"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=HERE, capture_output=True, text=True)
    if done.returncode:
        raise RuntimeError(done.stderr.strip()[-600:])
    return json.loads(done.stdout.strip().splitlines()[-1])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", help="a copy of ComfyUI-TiledDiffusion")
    parser.add_argument("--repeat", type=int, default=5, help="seeds of the small model's pictures")
    parser.add_argument("--kind", choices=tuple(STEPS), help="one network alone")
    parser.add_argument("--ways", default="", help="those alone whose names begin so")
    parser.add_argument("--pictures", default="", help="a folder for the pictures of the first seed, as tensors")
    options = parser.parse_args()
    from run_all import name_pack

    name_pack()
    for kind in STEPS if options.kind is None else (options.kind,):
        for way in ways():
            if not way.startswith(options.ways):
                continue
            if kind == "random" and "every eighth" in way:
                continue  # (six times as long, and no other figures)
            rows = list[dict[str, float]]()
            for seed in range(options.repeat if kind == "toy" else 1):
                file = str(Path(options.pictures) / f"{way}.pt") if options.pictures and not seed else ""
                rows.append(measured(str(Path(options.folder).resolve()), kind, way, seed, file))
            told = {key: f"{statistics.median(row[key] for row in rows):.4g}" for key in rows[0]}
            print(f"{kind:8}{way:42}", *(f"{key} {value}" for key, value in told.items()), flush=True)


if __name__ == "__main__":
    main()
