"""The widgets that describe how a run is synchronised, shared by the three doors, and what they mean."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

from ...renderers.scene import Scene
from ...sync_core.noise import NOISE_MODES
from ...sync_core.process_words import words
from ...sync_core.processes import PROCESSES
from ...sync_core.schedule import Schedule
from ...sync_core.steering.operators import CanonicalOperator
from ...sync_core.stochastic import Stochastic
from ...sync_core.synchronizer import AGGREGATIONS, STEP_NOISES, SyncPlan
from ...sync_core.time_travel import STAY, TimeTravel
from ...sync_core.visits.policy import ALL, Visits
from ..declare import LINKED, Choice, Inputs, Number, Socket, Switch, Unless, Whole
from ..engine.coherence import Coherence
from ..engine.edits.guider import EditJob
from ..engine.rgb_domain import RgbDomain
from ..engine.run import SyncSettings

# The named cases first, SyncTweedies leading; the labels are part of saved workflows and never change.
_ORDER = (2, 1, 3, 4, 5, 0)
STOCHASTIC_LABEL = "StochSync (fresh noise, for prompts alone)"
COUPLED_LABEL = "SyncSDE (each view leans on the one before)"
PROCESS_LABELS = [
    *(PROCESSES[n].label for n in _ORDER),
    *(p.label for p in PROCESSES if p.number not in _ORDER),
    STOCHASTIC_LABEL,
    COUPLED_LABEL,
]
# Bare numbers, in words.
_PROCESS_WORDS = tuple((p.label, f"{p.number} {words(p)}") for p in PROCESSES if not p.name)
# Widgets from 0 to 1.
_SHARES = ("sync_start", "sync_end", "sync_strength", "variance_correction", "travel_start", "travel_end")

PLAN_INPUTS: Inputs = {
    "process": Choice(PROCESS_LABELS, default=PROCESS_LABELS[0], labels=_PROCESS_WORDS).says(
        "What is averaged over the views, and when: case number and name as in the SyncTweedies paper. 2 is the "
        "paper's choice and works with every sampler. Cases that move the noisy state (3 and others) need euler or "
        "ddim. For flow models, cases that average noise average the velocity. StochSync draws new noise at every "
        "step and replaces instead of averaging, as published: whole pictures without depth or other guidance, at the "
        "cost of 420 model calls for 25 steps, each on a part of the views. SyncSDE averages nothing: each view "
        "is drawn to what the view before it shows of the same place."
    ),
    "aggregation": Choice(AGGREGATIONS, default="mean", advanced=True).says(
        "How views become one picture. mean: weighted average of every pixel that sees a cell. least_squares: the "
        "picture whose views differ least from the given ones (same for windows, sharper for views that interpolate; "
        "costs some milliseconds more). For readings of one picture: alternate, one view a step in turn (Visual "
        "Anagrams); balanced, views that are outvoted count more, so that the picture is as near to one opinion as to "
        "the other."
    ),
    "noise": Choice(NOISE_MODES, default="polar", advanced=True).says(
        "Starting noise of the views. polar: shared through the canonical picture and exactly white in every view. "
        "projected: the paper's, plainly looked up. independent: nothing shared; blurrier where views overlap."
    ),
    "sync_start": Number(0.0, 0.0, 1.0, advanced=True).says(
        "Fraction of the steps after which views are synchronised."
    ),
    "sync_end": Number(1.0, 0.0, 1.0).says(
        "Fraction of the steps after which each view goes on alone: 0.8 of 30 steps synchronises 24 (in the paper's "
        "mesh runs, which stop at a timestep, 23). More detail, less agreement. A canonical state (4, 5) is given up "
        "for the views it shows; SyncMVD does so at 0.8."
    ),
}

PLAN_OPTIONS: Inputs = {
    "sync_every": Whole(1, 1, 1000, advanced=True).says("Synchronise every k-th step only. 1 = every step."),
    "sync_strength": Number(1.0, 0.0, 1.0, advanced=True).says(
        "How far each view is moved to the common estimate: 1 = fully, less leaves views some freedom."
    ),
    "step_noise": Choice(STEP_NOISES, default="canonical", advanced=True).says(
        "Noise that ancestral and SDE samplers add. canonical: views share it. independent: each view draws its own, "
        "and overlaps blur."
    ),
    "final_sync": Switch(True, advanced=True).says(
        "End with one average over the views, so that they agree exactly. Costs nothing; with rgb_vae, one more "
        "decode and two more encodes per view."
    ),
    "views_per_batch": Whole(0, 0, 4096, advanced=True).says(
        "Views that go through the model at once. 0 = as many as the free memory holds. Fewer need less memory; the "
        "picture is the same."
    ),
    "inner_steps": Whole(Stochastic.inner_steps, 1, 1000, advanced=True)
    .says(
        "StochSync only: rungs of the ladder from noise to clean; each clean estimate takes those below its own noise "
        "level. 25 as published; fast samplers need fewer."
    )
    .when(process=(STOCHASTIC_LABEL,)),
    "variance_correction": Number(0.0, 0.0, 1.0, 0.05, advanced=True).says(
        "Gives back contrast that averaging takes where views disagree (independent noise, views with prompts of "
        "their own). 0: off. 0.5: the contrast of a single view. 1: as if all views were one. Process 2 only."
    ),
    "rgb_vae": Socket("VAE").says(
        "The VAE of this model. Connected: views are averaged as decoded pictures instead of latents, for views that "
        "are turned or warped. Costs one decode and two encodes per view and such step. Process 2 only."
    ),
    "rgb_every": Whole(1, 1, 1000, advanced=True)
    .says(
        "With rgb_vae: average as pictures on every k-th synchronised step, the last one included; the others average "
        "latents. To leave steps alone instead, use sync_every."
    )
    .when(rgb_vae=LINKED),
    "travel_times": Whole(1, 1, 100, advanced=True).says(
        "Time travel: go back to where a step began with fresh noise and do it again. Views of hard illusions settle; "
        "costs as many model calls. For euler, ddim, heun, dpm_2."
    ),
    "travel_start": Number(0.2, 0.0, 1.0, advanced=True)
    .says("Time travel: fraction of the steps after which steps are repeated.")
    .when(travel_times=Unless(1)),
    "travel_end": Number(0.8, 0.0, 1.0, advanced=True)
    .says("Time travel: fraction of the steps after which steps are done once again.")
    .when(travel_times=Unless(1)),
}

# The last inputs of the doors.
LAST: Inputs = {
    "operator": Socket("CANONICAL_OPERATOR").says(
        "Changes what views agree on, at every synchronised step: StructureLock, or one of another pack. Process 2 "
        "only."
    ),
    "coherence": Socket("PULL").says(
        "Makes the views look like one scene, or like a reference: SyncCoherence. Any process but StochSync."
    ),
    "edit": Socket("EDIT").says(
        "Changes what the run starts from by words and keeps its drawing: SyncEdit. Set denoise to 0.6 to 0.8."
    ),
    "save_every": Whole(0, 0, 10000, advanced=True).says(
        "Save the state after every so many steps, so that a run that was stopped or crashed goes on from there when "
        "it is queued again, to the same picture. Samplers that look back (dpmpp_2m) begin anew after each save. "
        "0 = off."
    ),
    "lean": Number(5.0, 0.0, 100.0, 0.1, advanced=True)
    .says(
        "SyncSDE only: how strongly a view leans on the one before it, 1/lambda; 5 as published. It fades with the "
        "noise. For euler, ddim, heun, dpmpp_2m; samplers of longer memory (uni_pc, lms, SDE) take it in 50 steps."
    )
    .when(process=(COUPLED_LABEL,)),
    "visits": Socket("VISITS").says(
        "Which views the model is asked about at which step: SyncVisits. Empty: all of them at every step, or "
        "StochSync's fixed turns."
    ),
}
# A patched MODEL knows no second prompt.
PATCHED: Inputs = {name: value for name, value in LAST.items() if name != "edit"}


@dataclass(frozen=True)
class PlanWishes:
    """What the widgets of a plan say, by their names."""

    process: str
    aggregation: str
    noise: str
    sync_start: float
    sync_end: float
    sync_every: int = 1
    sync_strength: float = 1.0
    step_noise: str = "canonical"
    final_sync: bool = True
    inner_steps: int = Stochastic.inner_steps
    variance_correction: float = 0.0
    travel_times: int = 1
    travel_start: float = 0.2
    travel_end: float = 0.8
    lean: float = 5.0
    visits: Visits | None = None

    def plan(self) -> SyncPlan:
        """The plan that they describe. Raises ValueError on values that make none, unused ones that are no numbers
        included."""
        for name in _SHARES:
            if not math.isfinite(getattr(self, name)):
                raise ValueError(f"{name} {getattr(self, name)} is no number; use a value from 0 to 1")
        stochastic, coupled = self.process == STOCHASTIC_LABEL, self.process == COUPLED_LABEL
        named = 2 if stochastic else 0 if coupled else int(self.process.split()[0])
        travel = TimeTravel(self.travel_times, self.travel_start, self.travel_end) if self.travel_times != 1 else STAY
        return SyncPlan(
            process=named,
            schedule=Schedule(self.sync_start, self.sync_end, self.sync_every, self.sync_strength),
            aggregation=self.aggregation,  # pyright: ignore[reportArgumentType] (checked by SyncPlan)
            noise=self.noise,  # pyright: ignore[reportArgumentType]
            step_noise=self.step_noise,  # pyright: ignore[reportArgumentType]
            final_sync=self.final_sync,
            stochastic=Stochastic(self.inner_steps) if stochastic else None,
            variance_correction=self.variance_correction,
            travel=travel,
            coupling=self.lean if coupled else 0.0,
            visits=self.visits or ALL,
        )


def settings_from(
    space: Any,
    rig: Any,
    views_per_batch: int = 0,
    rgb_vae: Any = None,
    rgb_every: int = 1,
    operator: CanonicalOperator | None = None,
    coherence: Coherence | None = None,
    edit: EditJob | None = None,
    save_every: int = 0,
    **plan: Any,
) -> SyncSettings:
    """What the engine is told: the scene, the plan of the other widgets, how views go through model and VAE, what
    changes their average, what makes them alike, and how their picture is edited."""
    rgb = None if rgb_vae is None else RgbDomain(rgb_vae, rgb_every)
    return SyncSettings(
        Scene(space, rig),
        PlanWishes(**plan).plan(),
        views_per_batch,
        rgb=rgb,
        operator=operator,
        coherence=coherence,
        edit=edit,
        save_every=save_every,
    )
