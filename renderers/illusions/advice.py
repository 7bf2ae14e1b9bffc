"""What a process will do to the noise of a rig that is not orthogonal, said before the run."""

from __future__ import annotations

from ...sync_core.processes import process
from .rig import Illusion, Warps


def noise_notes(space: Illusion, rig: Warps, number: int, rows: int, columns: int) -> list[str]:
    """One line for each thing that goes wrong when process ``number`` runs this rig on rows x columns cells; empty when
    nothing does. Raises ValueError for an unknown process or a size that a warp cannot take.

    A canonical state is white itself, so planes blended with weights b show only sum b^2 of its variance (T5, K9).
    Averaging noise (processes 1 and 4) lets what averaging takes away grow instead of following the noise level (T2,
    K12).
    """
    rule, notes = process(number), []
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
