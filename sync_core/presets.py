"""Published methods as values of this engine: what each is called, and the settings it was published with.

Nothing reads this table while sampling. Tests hold the workflow of each method to it, and each plan to the update that
its paper prints; help pages and the README show it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from .schedule import Schedule
from .steering.edits import Edit
from .steering.pull import Pull
from .steering.structure_lock import CoarseLock
from .stochastic import Stochastic
from .synchronizer import SyncPlan
from .visits.policy import Visits

Steering = CoarseLock | Pull | Edit | Visits
"""What runs beside the plan: a node of its own."""


@dataclass(frozen=True)
class Preset:
    """A published method.

    name, source: as the paper calls itself, and where it appeared. plan, steps, cfg, sampler: the settings of its
    evaluation; "ddim" is the host's name for plain steps without noise, "ddpm" for those with. workflow: the template
    that has them. views: what its other nodes say, by the names of their inputs. steering: what acts beside the plan.
    beside: what the method has beyond that, in words. differs: what the template does in another way, and why.
    """

    name: str
    source: str
    plan: SyncPlan
    steps: int
    cfg: float
    sampler: str
    workflow: str
    views: Mapping[str, str | float] = field(default_factory=dict[str, "str | float"])
    denoise: float = 1.0
    steering: Steering | None = None
    beside: str = ""
    differs: str = ""


_UNTIL_80 = Schedule(end=0.8)
_TWEEDIES = "Kim, Koo, Yeo, Sung, SyncTweedies, NeurIPS 2024"

PRESETS: tuple[Preset, ...] = (
    Preset(
        name="MultiDiffusion",
        source="Bar-Tal, Yariv, Lipman, Dekel, ICML 2023",
        plan=SyncPlan(process=3),
        steps=50,
        cfg=7.5,
        sampler="ddim",
        workflow="method_multidiffusion",
        views={"width": 512, "height": 512, "spacing": "stride", "pixels": 64, "weights": "flat"},
        beside="regions with prompts of their own: CanonicalPrompt, alone 0.4",
    ),
    Preset(
        name="SyncTweedies, wide images",
        source=_TWEEDIES,
        plan=SyncPlan(noise="projected"),
        steps=50,
        cfg=7.5,
        sampler="ddim",
        workflow="method_synctweedies_wide",
        views={"width": 512, "height": 512, "spacing": "stride", "pixels": 64, "weights": "flat"},
    ),
    Preset(
        name="SyncTweedies, ambiguous images",
        source=_TWEEDIES,
        plan=SyncPlan(),
        steps=30,
        cfg=10.0,
        sampler="ddim",
        workflow="method_synctweedies_illusion",
        beside="both stages of DeepFloyd IF, noise level 50 for the second",
    ),
    Preset(
        name="SyncTweedies, panoramas",
        source=_TWEEDIES,
        plan=SyncPlan(noise="projected", schedule=_UNTIL_80),
        steps=30,
        cfg=25.0,
        sampler="ddim",
        workflow="method_synctweedies_panorama",
        views={"strength": 0.7, "width": 512, "height": 512},
        beside="a depth ControlNet; attention to the first view in the first fifth of the steps",
    ),
    Preset(
        name="SyncTweedies, meshes",
        source=_TWEEDIES,
        plan=SyncPlan(noise="projected", schedule=_UNTIL_80),
        steps=30,
        cfg=15.5,
        sampler="ddim",
        workflow="method_synctweedies_mesh",
        views={"kind": "orbit", "width": 768, "height": 768, "exponent": 1.0, "exponent_end": 1.0, "strength": 0.7},
        beside="a depth ControlNet; the ten cameras of SyncMVD; attention between views",
    ),
    Preset(
        name="SyncTweedies, splats",
        source=_TWEEDIES,
        plan=SyncPlan(noise="projected", schedule=_UNTIL_80, aggregation="least_squares"),
        steps=30,
        cfg=35.0,
        sampler="ddim",
        workflow="method_synctweedies_splats",
        views={"strength": 0.7, "views": 50},
        beside="a depth ControlNet; views averaged as pictures (rgb_vae)",
        differs="colours are solved for, where the paper fits them by gradient descent",
    ),
    Preset(
        name="Visual Anagrams",
        source="Geng, Park, Owens, CVPR 2024",
        plan=SyncPlan(process=4),
        steps=30,
        cfg=10.0,
        sampler="ddim",
        workflow="method_visual_anagrams",
        beside="both stages of DeepFloyd IF",
        differs="the variance that DeepFloyd learns is not used: steps add no noise",
    ),
    Preset(
        name="Factorized Diffusion",
        source="Geng, Park, Owens, ECCV 2024",
        plan=SyncPlan(process=4),
        steps=30,
        cfg=10.0,
        sampler="ddim",
        workflow="method_factorized",
        views={"kind": "near and far"},
        beside="both stages of DeepFloyd IF; a part of a real picture: Structure Lock",
        differs="steps add no noise",
    ),
    Preset(
        name="SyncMVD",
        source="Liu, Xie, Liu, Wong, SIGGRAPH Asia 2024",
        plan=SyncPlan(process=5, noise="projected", schedule=_UNTIL_80),
        steps=30,
        cfg=15.5,
        sampler="ddpm",
        workflow="method_syncmvd",
        views={
            **{"kind": "orbit", "width": 768, "height": 768, "exponent": 0.0, "exponent_end": 6.0},
            **{"latent_size": 1536, "policy": "random", "freeze_at": 0.4, "neighbours": 1, "end": 0.9},
        },
        beside="a depth ControlNet from strength 0.7 to 0.9; attention between neighbours and to the front view",
    ),
    Preset(
        name="StochSync",
        source="Yeo, Kim, Sung, ICLR 2025",
        plan=SyncPlan(stochastic=Stochastic()),
        steps=25,
        cfg=7.5,
        sampler="dpmpp_2m",
        workflow="method_stochsync",
        views={"width": 512, "height": 512, "fov": 72.0},
    ),
    Preset(
        name="SyncDiffusion",
        source="Lee, Kim, Kim, Sung, NeurIPS 2023",
        plan=SyncPlan(process=3, noise="projected"),
        steps=50,
        cfg=7.5,
        sampler="ddim",
        workflow="wide_image_syncdiffusion",
        views={"width": 512, "height": 512, "spacing": "stride", "pixels": 128, "weights": "flat"},
        steering=Pull(end=0.2),
        differs="views are compared by textures of their latents, at no model call; features lpips and full are nearer",
    ),
    Preset(
        name="SyncDiffusion on SyncTweedies",
        source="the same pull on clean estimates, after Lee, Kim, Kim, Sung, NeurIPS 2023",
        plan=SyncPlan(),
        steps=16,
        cfg=1.0,
        sampler="euler",
        workflow="wide_image_coherent",
        steering=Pull(),
        beside="steps, cfg and sampler are free; those are the template's, which needs no file",
    ),
    Preset(
        name="SpotDiffusion",
        source="Frolov, Moser, Dengel, WACV 2025",
        plan=SyncPlan(),
        steps=50,
        cfg=7.5,
        sampler="ddim",
        workflow="method_spotdiffusion",
        views={"width": 512, "height": 512, "spacing": "stride", "pixels": 8, "weights": "flat", "wrap_x": True},
        steering=Visits("turning", overlap=0.0, last=0.0),
        beside="windows that only touch, elsewhere at each step; overlap 0.125 of Sync Visits hides their seams",
    ),
    Preset(
        name="Collaborative Score Distillation",
        source="Kim, Lee, Choi, Jeong, Sohn, Shin, NeurIPS 2023",
        plan=SyncPlan(),
        steps=20,
        cfg=7.5,
        sampler="euler",
        workflow="method_csd_edit",
        views={"width": 512, "height": 512, "spacing": "stride", "pixels": 128, "source_cfg": 1.5},
        steering=Edit(walk="random", baseline="image", kernel="noisy"),
        beside="InstructPix2Pix; 200 iterations on 4 views each, which take the place of steps",
    ),
    Preset(
        name="FlowEdit",
        source="Kulikov, Kleiner, Huberman-Spiegelglas, Michaeli, 2024",
        plan=SyncPlan(),
        steps=33,
        cfg=13.5,
        sampler="euler",
        denoise=0.66,
        workflow="method_flowedit",
        views={"source_cfg": 3.5},
        steering=Edit(finish=0.0),
        beside="Stable Diffusion 3; the last 33 of 50 levels",
        differs="all views at once, on one noise",
    ),
    Preset(
        name="SyncSDE",
        source="Lee, Lee, Han, CVPR 2025",
        plan=SyncPlan(process=0, coupling=5.0),
        steps=50,
        cfg=7.5,
        sampler="ddim",
        workflow="method_syncsde",
        views={"width": 512, "height": 512, "spacing": "stride", "pixels": 256},
    ),
    Preset(
        name="DiffuseHigh",
        source="Kim, Hwang, Zhang, Park, AAAI 2025",
        plan=SyncPlan(),
        steps=50,
        cfg=7.5,
        sampler="ddim",
        denoise=0.7,
        workflow="method_diffusehigh",
        views={"width": 512, "height": 512},
        steering=CoarseLock(until=0.5, fade=True, channels="all"),
        beside="the picture of a first pass, enlarged, is what is held",
        differs="windows instead of the whole picture; the hold fades until half way, as HiFlow has it",
    ),
)
"""Every method, in the order of the README's table."""
