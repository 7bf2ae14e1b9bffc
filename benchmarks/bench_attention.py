"""What attention across views costs: one SD1.5-sized UNet call of 8 views of 32 x 32 latents with random weights, each
view seeing 2 neighbours and a reference. Claim: at most 1.6 times the call without. Calls take turns, the fastest of
each counts, in CPU seconds, so that other work on the machine does not."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

sys.path.insert(0, str(Path(__file__).resolve().parent))

VIEWS = 8


def fastest(calls: dict[str, Callable[[], Any]], repeats: int) -> dict[str, float]:
    """CPU seconds of each call, the fastest of ``repeats`` in turn."""
    best = dict.fromkeys(calls, float("inf"))
    for _ in range(repeats):
        for name, call in calls.items():
            began = time.process_time()
            call()
            best[name] = min(best[name], time.process_time() - began)
    return best


def lengthened(near: list[list[int]]) -> Callable[..., Any]:
    """The other way: a patch before attention that copies the neighbours' tokens behind the view's own. It knows no
    weights, and a reference is one more neighbour."""

    def patch(n: Tensor, context: Tensor, value: Tensor, options: dict[str, Any]) -> Any:
        tokens = torch.cat([context, *(context[[row[j] for row in near]] for j in range(len(near[0])))], 1)
        return n, tokens, tokens

    return patch


def run() -> dict[str, float | str | list[float]]:
    from unets import peak_memory_mib, prompt, random_unet

    model = random_unet("sd15")
    from syncpack.nodes import host
    from syncpack.nodes.attention_nodes import CrossViewAttention
    from syncpack.renderers.neighbours import neighbours
    from syncpack.renderers.plane import Plane, Windows
    from syncpack.renderers.scene import Scene

    space, rig = Plane(128 * VIEWS, 256, wrap_x=True), Windows(256, 256, 128, 256)
    names = [name for name in CrossViewAttention.INPUT_TYPES()["required"] if name not in ("model", "space", "rig")]

    def node(weight: float, reference: int) -> Any:
        values = [weight, 2, reference, 1.0, 0.0, 1.0, 1.0, 0, 0]
        return CrossViewAttention().patch(model, space, rig, **dict(zip(names, values, strict=True)))[0]

    by_context = model.clone()
    table = neighbours(Scene(space, rig), 8, 2).tolist()
    by_context.set_model_attn1_patch(lengthened([[*row, 4] for row in table]))
    x, sigma = torch.randn(VIEWS, 4, 32, 32), torch.full((VIEWS,), 5.0)
    context = prompt("sd15", 1)[0][0].expand(VIEWS, -1, -1)

    def call(patched: Any) -> None:
        options = {**patched.model_options["transformer_options"], "sigmas": sigma, "cond_or_uncond": [0]}
        patched.model.apply_model(x, sigma, c_crossattn=context, transformer_options=options)

    models = {
        "none": model,
        "2 neighbours": node(1.0, -1),
        "2 neighbours + reference": node(1.0, 4),
        "2 neighbours + reference, weight 0.5": node(0.5, 4),
        "longer context (not used)": by_context,
    }
    figures: dict[str, float | str | list[float]] = {"views": VIEWS}
    peak = 0.0
    with torch.inference_mode():
        for name, patched in models.items():
            # The highest mark only rises, so each figure is what this one needs above all before it.
            call(patched)
            now = peak_memory_mib()
            figures[f"{name}, peak memory MiB" if not peak else f"{name}, more peak memory MiB"] = now - peak
            peak = now
        seconds = fastest({name: (lambda m=m: call(m)) for name, m in models.items()}, 2)
        q, k, v = (torch.randn(VIEWS, 1024, 320) for _ in range(3))
        options = {"n_heads": 8, "attn_precision": None}
        layer = fastest(
            {
                "host": lambda: host.self_attention(q, k, v, options),
                "ours": lambda: host.attention_to_many(q, k, v, options),
            },
            4,
        )
    figures["none, seconds"] = seconds["none"]
    for name in list(models)[1:]:
        figures[f"{name}, times none"] = seconds[name] / seconds["none"]
    figures["attention function across views / host's own, same tokens"] = layer["ours"] / layer["host"]
    return figures


def main() -> None:
    from run_all import table

    print(table({"bench_attention": {"seconds": 0.0, "figures": run()}}))


if __name__ == "__main__":
    main()
