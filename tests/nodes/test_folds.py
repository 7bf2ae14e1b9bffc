"""What is folded away with a choice must mean nothing there: the function gives the same for any value of it."""

import dataclasses
import functools
import json

import pytest
import torch
from helpers.host_vaes import tiny_vae
from helpers.hosting import host  # noqa: F401  (skips where there is no host)
from helpers.javascript import needs_node, run
from helpers.meshes import box
from helpers.splat_files import random_splats
from syncpack.nodes import NODE_CLASS_MAPPINGS
from syncpack.nodes.declare import LINKED, Choice, Number, Socket, Switch, Text, Unless, Whole, defaults
from syncpack.nodes.host.mesh_socket import to_socket
from syncpack.nodes.host.splat_socket import to_splat
from syncpack.nodes.mesh.nodes import MeshSpace
from syncpack.nodes.sampling import attention
from syncpack.nodes.sampling.plan import (
    COUPLED_LABEL,
    LAST,
    PLAN_INPUTS,
    PLAN_OPTIONS,
    STOCHASTIC_LABEL,
    settings_from,
)
from syncpack.nodes.splats.nodes import SplatSpace
from syncpack.nodes.v1 import specification
from syncpack.nodes.views.orbit_nodes import OrbitRig
from syncpack.nodes.views.spaces import rig_from, space_from

pytestmark = pytest.mark.host

FOLDING = {
    name: node
    for name, node in NODE_CLASS_MAPPINGS.items()
    if any(value.shown_when for value in {**node.DECLARATION.inputs, **node.DECLARATION.optional}.values())
}
DOORS = ("SyncTweediesSampler", "SyncTweediesSamplerWrap", "SyncTweediesPatch")
VIEWER = {
    "position": {"x": 0.0, "y": 0.0, "z": 4.0},
    "target": {"x": 0.0, "y": 0.0, "z": 0.0},
    "zoom": 1.0,
    "cameraType": "perspective",
    "fov": 40.0,
}


def inputs_of(node):
    return {**node.DECLARATION.inputs, **node.DECLARATION.optional}


def others(value):
    """Other values than the one that is usual, broken ones for texts: nobody may look."""
    match value:
        case Number(low=low, high=high):
            return [float(low), float(high)]
        case Whole(low=low, high=high):
            return [low, min(high, 64)]
        case Choice(choices=choices):
            return list(choices)
        case Switch(default=default):
            return [not default]
        case Text():
            return ["no such thing"]
    raise AssertionError(value)


def idle_by(of, shown, value):
    """Values of another input with which one is folded away."""
    if shown == LINKED:
        return [None]
    if isinstance(shown, Unless):
        return [shown.value]
    return [choice for choice in value.choices if choice not in shown]


def cases():
    for name, node in FOLDING.items():
        given = inputs_of(node)
        controls = {of: None for value in given.values() for of, _ in value.shown_when}
        for of in controls:
            asked = {
                folded: dict(value.shown_when)[of] for folded, value in given.items() if of in dict(value.shown_when)
            }
            choices = list(dict.fromkeys(c for shown in asked.values() for c in idle_by(of, shown, given[of])))
            for choice in choices if len(choices) < 9 else [*choices[:2], *choices[-2:]]:
                hidden = [folded for folded, shown in asked.items() if choice in idle_by(of, shown, given[of])]
                yield pytest.param(name, of, choice, hidden, id=f"{name}-{of}={choice}"[:80])


def mesh():
    return to_socket(box())


def mesh_space():
    with torch.inference_mode():
        return MeshSpace().build(mesh(), 64, 0)[0]


def orbit(**changes):
    return OrbitRig().build(**{**defaults(inputs_of(OrbitRig)), "width": 64, "height": 64, **changes})[0]


def splat_space():
    return SplatSpace().build(to_splat(random_splats(20)), "+y", "antialiased")[0]


def pictures(count, height=32, width=32):
    return torch.rand(count, height, width, 3, generator=torch.Generator().manual_seed(0))


def plan(**wishes):
    return (settings_from(space_from("plane", 96, 64, False, False), rig_from("windows", 64, 64, pixels=32), **wishes),)


# What else each node needs; a plan's doors share one function.
SETUPS = {
    "CanonicalSpace": lambda: {"width": 512, "height": 256},
    "OrbitRig": lambda: {"width": 64, "height": 64, "space": mesh_space(), "views": 2, "camera": VIEWER},
    "SyncTweediesUnwrap": lambda: {"mesh": mesh()},
    "SyncTweediesLoadMesh": lambda: {"file": "teapot.glb"},
    "MeshTextureBake": lambda: {"space": mesh_space(), "rig": orbit(azimuth_step=90.0), "images": pictures(6, 64, 64)},
    "SplatTextureBake": lambda: {
        "space": splat_space(),
        "rig": orbit(azimuth_step=180.0),
        "images": pictures(4, 64, 64),
    },
    "EquirectStitch": lambda: {
        "space": space_from("panorama", 64, 32, False, False),
        "rig": rig_from("ring", 16, 16, azimuth_step=90.0),
        "images": pictures(4, 16, 16),
    },
    "EquirectCubemap": lambda: {"image": pictures(6, 8, 8)},
    "ViewBackground": lambda: {"rig": orbit(width=16, height=16), "vae": tiny_vae()},
    "CrossViewAttention": lambda: {
        "model": None,
        "space": space_from("plane", 96, 64, False, False),
        "rig": rig_from("windows", 64, 64, pixels=32),
    },
    "IllusionHybrid": lambda: {"mask": torch.ones(1, 16, 16), "prompt": "a", "second_prompt": "b"},
}


def same(one, other):
    """Whether two results are alike, all the way down."""
    if isinstance(one, torch.Tensor):
        return isinstance(other, torch.Tensor) and torch.equal(torch.nan_to_num(one), torch.nan_to_num(other))
    if dataclasses.is_dataclass(one) and not isinstance(one, type):
        return type(one) is type(other) and all(
            same(getattr(one, f.name), getattr(other, f.name)) for f in dataclasses.fields(one)
        )
    if isinstance(one, tuple | list):
        return len(one) == len(other) and all(same(a, b) for a, b in zip(one, other, strict=True))
    if isinstance(one, dict):
        return one.keys() == other.keys() and all(same(one[key], other[key]) for key in one)
    if type(one).__module__.split(".")[0] == "syncpack" or not hasattr(one, "__dict__") or one == other:
        return one == other
    return type(one) is type(other) and same(vars(one), vars(other))


@functools.cache
def setup(name):
    """What is needed beside the inputs that are tried, and the others at their defaults."""
    given = {k: v for k, v in inputs_of(FOLDING[name]).items() if not isinstance(v, Socket)}
    if name in DOORS:
        given = {k: v for k, v in given.items() if k in {**PLAN_INPUTS, **PLAN_OPTIONS, **LAST}}
    with torch.inference_mode():
        return {k: usual(v) for k, v in given.items()} | SETUPS.get(name, dict)()


def usual(value):
    if getattr(value, "default", None) is not None:
        return value.default
    return None if callable(value.choices) else next(iter(value.choices))


def run_node(name, **values):
    node = FOLDING[name]
    given = {**setup(name), **values}
    torch.manual_seed(0)  # (a VAE draws)
    with torch.inference_mode():
        made = plan(**given) if name in DOORS else getattr(node(), node.RUNS)(**given)
    return made[:1] if name == "SplatTextureBake" else made  # (its report tells the time)


@pytest.fixture(autouse=True)
def only_what_is_wanted(monkeypatch):
    """Attention is patched into a model's layers; what they are asked is enough here."""
    monkeypatch.setattr(attention, "with_cross_view_attention", lambda model, scene, wanted: wanted)


@pytest.mark.parametrize("name, of, choice, hidden", list(cases()))
def test_what_is_folded_away_changes_nothing(name, of, choice, hidden):
    given = inputs_of(FOLDING[name])
    chosen = {} if choice is None else {of: choice}
    expected = run_node(name, **chosen)
    for turn in range(2):
        changed = {folded: others(given[folded])[turn % len(others(given[folded]))] for folded in hidden}
        assert same(expected, run_node(name, **chosen, **changed)), f"one of {changed} is read where it is hidden"


@pytest.mark.parametrize(
    "name, changed, kept",
    [
        ("ViewRig", {"kind": "ring"}, {"azimuth_step": 90.0}),
        ("CanonicalSpace", {"kind": "plane"}, {"wrap_x": True}),
        ("OrbitRig", {"kind": "orbit"}, {"elevations": "0, 20"}),
        ("SyncVisits", {"policy": "still changing"}, {"stale": 1}),
        ("SyncEdit", {"walk": "random"}, {"iterations": 3}),
        ("SyncTweediesPatch", {"process": STOCHASTIC_LABEL}, {"inner_steps": 3}),
        ("SyncTweediesSampler", {"process": COUPLED_LABEL}, {"lean": 3.0}),
        ("SyncTweediesSamplerWrap", {"travel_times": 2}, {"travel_end": 0.5}),
        ("CrossViewAttention", {"reference": 0}, {"reference_end": 0.7}),
        ("MeshTextureBake", {"blend": "two bands"}, {"detail": 16.0}),
    ],
)
def test_what_is_shown_changes_something(name, changed, kept):
    """The comparison can fail, and the fold is not wider than it should be."""
    assert not same(run_node(name, **changed), run_node(name, **changed, **kept))


def test_most_of_a_rig_is_folded_away():
    """A beginner's widgets, control_after_generate counted: what the front end shows before anything is touched."""
    counts = {}
    for name in ("CanonicalSpace", "ViewRig", "OrbitRig", "MeshTextureBake", *DOORS):
        given = inputs_of(NODE_CLASS_MAPPINGS[name])
        values = {k: None if isinstance(v, Socket) else usual(v) for k, v in given.items()}
        counts[name] = sum(
            1 + bool(getattr(value, "after_generate", False))
            for value in given.values()
            if not isinstance(value, Socket) and not value.advanced and meant(value, given, values)
        )
    assert counts == {
        "CanonicalSpace": 5,
        "ViewRig": 5,
        "OrbitRig": 8,
        "MeshTextureBake": 2,
        "SyncTweediesSampler": 9,
        "SyncTweediesSamplerWrap": 2,
        "SyncTweediesPatch": 2,
    }


def meant(value, given, values):
    return not any(values[of] in idle_by(of, shown, given[of]) for of, shown in value.shown_when)


# The front end's half


@needs_node
def test_the_front_end_folds_by_the_same_rules():
    options = {name: specification(value)[1] for name, value in inputs_of(FOLDING["ViewRig"]).items()}
    options |= {name: specification(value)[1] for name, value in PLAN_OPTIONS.items()}

    def folds(**inputs):
        return run("fold/rules.mjs", f"return g.folds({json.dumps(options)}, {json.dumps(inputs)});")

    value = lambda v, linked=False: {"value": v, "linked": linked}  # noqa: E731
    windows = folds(
        kind=value("windows"), pixels=value(1), weights=value("hann"), fov=value(9), sampling=value("nearest")
    )
    assert windows == {"kind": "shown", "pixels": "shown", "weights": "rare", "fov": "idle", "sampling": "idle"}
    ring = folds(
        kind=value("ring"), pixels=value(1), weights=value("hann", True), fov=value(9), sampling=value("nearest")
    )
    assert ring == {"kind": "shown", "pixels": "idle", "weights": "shown", "fov": "shown", "sampling": "rare"}
    unknown = folds(kind=value(None, True), pixels=value(1), fov=value(9))
    assert unknown == {"kind": "shown", "pixels": "shown", "fov": "shown"}, "what comes by a link is not known"
    travel = folds(travel_times=value(1), travel_end=value(0.5), rgb_vae={"linked": False}, rgb_every=value(1))
    assert (travel["travel_end"], travel["rgb_every"]) == ("idle", "idle")
    travel = folds(travel_times=value(2), travel_end=value(0.5), rgb_vae={"linked": True}, rgb_every=value(1))
    assert (travel["travel_end"], travel["rgb_every"]) == ("rare", "rare")


@needs_node
@pytest.mark.parametrize(
    "saved, full, needed, height",
    [
        (500, 500, 200, 200),
        (540, 500, 200, 240),
        (200, 500, 200, 200),
        (350, 500, 200, 350),
        (900, 500, 200, 900),
        (100, 500, 200, 200),
        (500, 500, 500, 500),
    ],
)
def test_nodes_that_were_saved_with_all_their_widgets_become_smaller(saved, full, needed, height):
    assert run("fold/rules.mjs", f"return g.height({saved}, {full}, {needed});") == height
