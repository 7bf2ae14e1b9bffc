"""Changing a picture by words, as nodes."""

from __future__ import annotations

from typing import Any

from ...sync_core.steering.edits import BASELINES, EDIT_NOISES, KERNELS, WALKS, Descent, Edit
from ..declare import Choice, Inputs, Node, Number, Socket, Whole
from ..engine.edits.guider import EditGuider, EditJob, Prompts

_SOURCE_CFG = Number(1.5, 0.0, 100.0, 0.1, round=0.01)

# What only the random walk reads.
_DESCENT: Inputs = {
    "iterations": Whole(Descent.iterations, 1, 100000, advanced=True).says(
        "Walk random only: steps of the descent; the sampler's own steps are not used."
    ),
    "rate": Number(Descent.rate, 0.0, 100.0, advanced=True).says(
        "Walk random only: rate of the descent, which falls by a tenth every 20 iterations. 0 = as published: 2 with a "
        "kernel, 0.5 without, which is the same step."
    ),
    "batch": Whole(Descent.batch, 1, 4096, advanced=True).says("Walk random only: views drawn in each iteration."),
    "t_min": Number(Descent.earliest, 0.0, 1.0, advanced=True).says(
        "Walk random only: least noise that is drawn, as a fraction of the model's training timesteps."
    ),
    "t_max": Number(Descent.latest, 0.0, 1.0, advanced=True).says("Walk random only: most noise that is drawn."),
    "hold": Number(Descent.hold, 0.0, 1.0, 0.001, advanced=True).says(
        "Walk random only: how strongly each iteration is drawn back to the source (RED-Diff's data term). 0 = off."
    ),
}


@Node(
    "Sync Edit",
    "sampling",
    inputs={
        "source_cfg": _SOURCE_CFG.says(
            "Guidance of the source's prompt. The target's is the sampler's cfg. 1.5 and 5.5 for Flux, 3.5 and 13.5 "
            "for SD3, 3 and 7.5 for SD1 and SDXL. With baseline image: guidance by the picture. Not read where "
            "SyncEditGuider has the prompts."
        ),
        "walk": Choice(WALKS).says(
            "falling: along the sampler's noise levels (FlowEdit, Delta Denoising Score). random: levels at random, a "
            "few views at a time (Collaborative Score Distillation); slower, and nearer to the source."
        ),
        "finish": Number(Edit.finish, 0.0, 1.0)
        .says(
            "Fraction of the steps, the last ones, that the target's prompt does alone: they clean what an edit leaves "
            "rough, at half the cost. 0 = none. Walk falling only."
        )
        .when(walk=("falling",)),
        "averages": Whole(1, 1, 64, advanced=True)
        .says("Noises that a step is averaged over. Each costs two more model calls per view. Walk falling only.")
        .when(walk=("falling",)),
        "baseline": Choice(BASELINES, advanced=True).says(
            "What the target is compared with. source: an estimate by the source's prompt. image: by the picture that "
            "the model reads beside the noise (InstructPix2Pix). none: the picture itself (score distillation, walk "
            "random only, tends to glaring colours)."
        ),
        "noise": Choice(EDIT_NOISES, advanced=True).says(
            "Noise of each step. shared: one canonical noise, of which every view sees its part. same: one noise for "
            "all views. independent: each view its own."
        ),
        "kernel": Choice(KERNELS, advanced=True).says(
            "Mixes the changes of views, pixel by pixel, by how alike the views are. noisy: as published, which in "
            "practice mixes all alike. clean, features: by clean estimates or their texture. For views of one thing at "
            "one place (frames of a clip); off for windows and cameras."
        ),
        **{name: value.when(walk=("random",)) for name, value in _DESCENT.items()},
    },
    optional={
        "source": Socket("CONDITIONING").says(
            "The prompt of what the picture shows now; an empty text will do. For SyncTweediesSampler."
        ),
        "source_negative": Socket("CONDITIONING").says("Its negative; empty: the sampler's."),
    },
    outputs={"edit": Socket("EDIT").says("Connect to a sampler's edit.")},
    search=["flowedit", "dds", "csd", "instructpix2pix", "ip2p", "restyle", "red-diff", "sds"],
)
class SyncEdit:
    """Changes the picture that a run starts from by words, and keeps its drawing: at every step, what the target's
    prompt makes of it more than the source's prompt is added. Set denoise to 0.6 to 0.8. Costs two model calls per view
    and step, one in the last steps."""

    def build(
        self,
        source_cfg: float,
        walk: Any,
        finish: float,
        averages: int,
        baseline: Any,
        noise: Any,
        kernel: Any,
        iterations: int,
        rate: float,
        batch: int,
        t_min: float,
        t_max: float,
        hold: float,
        source: Any = None,
        source_negative: Any = None,
    ) -> tuple[EditJob]:
        descent = Descent()
        if walk == "random":
            descent, averages, finish = Descent(iterations, rate, batch, t_min, t_max, hold), 1, Edit.finish
        edit = Edit(walk, baseline, noise, averages, finish, kernel, descent)
        return (EditJob(edit, source, source_negative, source_cfg),)


@Node(
    "Sync Edit Guider",
    "sampling",
    inputs={
        "model": Socket("MODEL").says("Any image model, with its LoRAs and patches."),
        "positive": Socket("CONDITIONING").says("What the picture is to show."),
        "negative": Socket("CONDITIONING").says("What it is not to show."),
        "source": Socket("CONDITIONING").says("What the picture shows now; an empty text will do."),
        "cfg": Number(7.5, 0.0, 100.0, 0.1, round=0.01).says("Guidance of the target's prompt."),
        "source_cfg": _SOURCE_CFG.says("Guidance of the source's prompt; by the picture with baseline image."),
    },
    optional={"source_negative": Socket("CONDITIONING").says("The source's negative; empty: negative.")},
    outputs={"GUIDER": Socket("GUIDER").says("Connect to SamplerCustomAdvanced.")},
    search=["flowedit", "dds", "dual cfg"],
)
class SyncEditGuider:
    """The GUIDER of an edit, which knows two pairs of prompts, for SamplerCustomAdvanced with SyncTweediesSamplerWrap
    and SyncEdit. With any other SAMPLER it is a CFG guider of the target."""

    def build(
        self,
        model: Any,
        positive: Any,
        negative: Any,
        source: Any,
        cfg: float,
        source_cfg: float,
        source_negative: Any = None,
    ) -> tuple[EditGuider]:
        prompts = Prompts(positive, negative, source, negative if source_negative is None else source_negative)
        return (EditGuider(model, prompts, cfg, source_cfg),)
