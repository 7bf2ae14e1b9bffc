"""Said before a run: where a rig's readings are exact, and what a process will do to noise that is not kept."""

from __future__ import annotations

import torch

from ...sync_core.processes import process
from .space import Illusion, Warps
from .warp import Warp

_SIDE = 64  # of the picture that labels are read at, about


def domain_advice(rig: Warps) -> list[str]:
    """One line for each reading (its prompt, what its warp does to noise, where it is exact and why), then one on what
    to connect."""
    lines: list[str] = []
    for number, warp in enumerate(rig.warps):
        said = f' "{rig.prompts[number]}"' if rig.prompts and rig.prompts[number] else ""
        domain = "latents or pictures" if warp.exact_on_latents else "pictures only"
        lines.append(f"{number} {warp.name}{said}: {_small_label(warp)}; {domain}: {warp.on_latents}")
    if rig.exact_on_latents:
        lines.append("latent models: average latents (leave rgb_vae empty); pixel models: nothing to set")
    else:
        names = ", ".join(dict.fromkeys(w.name for w in rig.warps if not w.exact_on_latents))
        lines.append(
            f"latent models: connect rgb_vae, because of {names}; "
            "pixel models (ExemplarModel, DeepFloyd): nothing to set"
        )
    return lines


def _small_label(warp: Warp) -> str:
    """What the warp does to a picture of about 64 pixels, in words."""
    found = warp.problem(_SIDE, _SIDE)
    height, width = (_SIDE, _SIDE) if found is None else found[1:]
    if warp.part(torch.zeros(1, 3, 1, 1)) is not None:
        return "a part of the picture"
    return _LABELS[warp.label(height, width)]


_LABELS = {
    "permutation": "moves pixels",
    "orthogonal": "moves pixels and changes signs",
    "linear": "mixes or repeats pixels",
    "not invertible": "repeats pixels and loses others",
}


def noise_notes(space: Illusion, rig: Warps, number: int, rows: int, columns: int) -> list[str]:
    """One line for each thing that goes wrong when process ``number`` runs this rig on rows x columns cells; empty when
    nothing does. Raises ValueError for an unknown process or a size that a warp cannot take.

    A canonical state is white itself, so planes blended with weights b show only sum b^2 of its variance.
    Averaging noise (processes 1 and 4) lets what averaging takes away grow instead of following the noise level.
    """
    rule, notes = process(number), list[str]()
    if space.planes > 1 and rule.state != "instance":
        kept = max(sum(b * b for b in row) for row in rig.blends(space.planes))
        notes.append(
            f"process {number} keeps its state in {space.planes} planes, whose blend shows {kept:.0%} of its variance: "
            "pictures will be flat; use process 2"
        )
    for warp in dict.fromkeys(rig.warps):
        warp.check(rows, columns)
        mixing = bool((warp.map(rows, columns).row_counts() > 1).any())
        moving = warp.label(rows, columns) in ("permutation", "orthogonal")
        # Polar starting noise gives repeated cells noise of their own, on which the views of process 1 never agree.
        if (number == 1 and not moving) or (number == 4 and mixing):
            notes.append(
                f"process {number} averages noise, and {warp.name} repeats or mixes cells: what the mean takes away "
                "grows to many times the picture's contrast; use process 2"
            )
        if rule.state != "instance" and mixing:
            notes.append(
                f"process {number} shows the model a {warp.name} of its noise, which is weaker and smoother than noise "
                "should be: pictures will be blurred; use process 2"
            )
    return notes
