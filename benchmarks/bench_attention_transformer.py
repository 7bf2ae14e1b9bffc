"""What attention across views costs in a diffusion transformer: one call of the host's Flux class, 1536 wide (as SD3
medium), with random weights and 4 views of 1024 tokens (512 pixels). Claim: with 2 neighbours at most 1.3 times the
call without. Calls take turns, the fastest of each counts, in CPU seconds, so that other work on the machine does not.
What the host uses by default on a CPU is slower than torch's attention, which views use: so the time of views at their
true places, which is torch's without neighbours, is compared with, too.

Needs a host of late 2025 or newer: COMFYUI_DIR=... .venv/bin/python benchmarks/run_all.py bench_attention_transformer
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import torch

sys.path.insert(0, str(Path(__file__).resolve().parent))

VIEWS, CELLS, TEXT, WIDE = 4, 64, 77, 1536
DIALS: dict[str, dict[str, Any]] = {
    "true places, no neighbours": dict(neighbours=0),
    "2 neighbours": dict(neighbours=2),
    "2 neighbours, every key counts": dict(neighbours=2, overlaps=False),
    "all neighbours": dict(neighbours=64),
}


def run() -> dict[str, float | str | list[float]]:
    from bench_attention import cpu_seconds
    from unets import start_host

    start_host()
    from helpers.host_networks import SD3_POOLED, SD3_TEXT, normal
    from helpers.transformer_models import deep_flux
    from syncpack.nodes.host.transformers import HAS_OVERRIDE
    from syncpack.nodes.sampling.attention import CrossViewAttention
    from syncpack.renderers.plane.space import Plane, Windows

    if not HAS_OVERRIDE:
        return {"left out": "this host cannot override attention; set COMFYUI_DIR to one of late 2025 or newer"}
    model = deep_flux(hidden_size=WIDE, num_heads=WIDE // 64, axes_dim=[8, 28, 28], depth=1, depth_single_blocks=2)
    side = 8 * CELLS
    space, rig = Plane(side * (VIEWS + 1) // 2, side), Windows(side, side, side // 2, side)
    settings = dict(weight=1.0, reference=-1, reference_weight=1.0, start=0.0, end=1.0, reference_end=1.0)
    models = {"none": model}
    for name, dials in DIALS.items():
        wanted = dict(**settings, max_tokens=0, group=0, **dials)
        models[name] = CrossViewAttention().patch(model, space, rig, **wanted)[0]
    x, sigma = normal(0, VIEWS, 16, CELLS, CELLS), torch.full((VIEWS,), 0.6)
    context, pooled = normal(1, VIEWS, TEXT, SD3_TEXT), normal(2, VIEWS, SD3_POOLED)

    def call(patched: Any) -> None:
        options = {**patched.model_options["transformer_options"], "sigmas": sigma, "cond_or_uncond": [0]}
        model.model.apply_model(
            x, sigma, c_crossattn=context, y=pooled, guidance=torch.full((VIEWS,), 3.0), transformer_options=options
        )

    seconds = {name: float("inf") for name in models}
    with torch.inference_mode():
        for _ in range(2):
            for name, patched in models.items():
                seconds[name] = min(seconds[name], cpu_seconds(lambda m=patched: call(m)))
    figures: dict[str, float | str | list[float]] = {"views": VIEWS, "none, CPU seconds": seconds["none"]}
    for name in DIALS:
        figures[f"{name}, times none"] = seconds[name] / seconds["none"]
    figures["2 neighbours, times none by torch's attention"] = seconds["2 neighbours"] / seconds[next(iter(DIALS))]
    return figures


def main() -> None:
    from run_all import table

    print(table({"bench_attention_transformer": {"seconds": 0.0, "figures": run()}}))


if __name__ == "__main__":
    main()
