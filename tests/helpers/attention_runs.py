"""The node CrossViewAttention on a small U-Net of the host, and its twin, for the test files about it."""

import math

import torch
from helpers.hosting import NEGATIVE, POSITIVE, Plane, Windows, comfy, prompt, run_node, tiny_unet
from syncpack.nodes.sampling.attention import CrossViewAttention

# Six overlapping windows of 8 x 8 cells in a row.
SPACE, RIG, VIEWS = Plane(224, 64), Windows(64, 64, 32, 64), 6
DEFAULTS = {
    name: spec[1].get("default", spec[0][0])
    for inputs in CrossViewAttention.INPUT_TYPES().values()
    for name, spec in inputs.items()
    if name not in ("model", "space", "rig")
}
WHOLE_RUN = dict(start=0.0, end=1.0, reference_end=1.0)
SIGMA = 3.0
ROW = [[1, 2], [0, 2], [1, 3], [2, 4], [3, 5], [4, 3]]


def attentive_unet():
    """Small random weights attend to everything alike and hardly matter: these are larger."""
    model = tiny_unet()
    for name, weight in model.model.diffusion_model.named_parameters():
        if "attn1" in name and weight.ndim > 1:
            weight.data.mul_(6.0)
        if "proj_out" in name or name.startswith("out."):
            weight.data.mul_(6.0)
    return model


def attend(model, **changes):
    space, rig = changes.pop("space", SPACE), changes.pop("rig", RIG)
    return CrossViewAttention().patch(model, space, rig, **{**DEFAULTS, **WHOLE_RUN, **changes})[0]


def run(model, **changes):
    inputs = dict(cfg=3.0, steps=2, positive=prompt(3, rows=VIEWS), negative=NEGATIVE)
    return run_node(model, SPACE, RIG, **{**inputs, **changes})[0]["samples"]


def noisy(rows=VIEWS, seed=0):
    return torch.randn(rows, 4, 8, 8, generator=torch.Generator().manual_seed(seed)) * SIGMA


def estimates(model, x, conds=(POSITIVE, NEGATIVE), sigma=SIGMA, options=None):
    """The model's clean estimates of views for each conditioning, by the host's own evaluation of a batch."""
    inner = model.model
    if hasattr(model, "pre_run"):
        model.pre_run()
    options = model.model_options if options is None else options
    converted = [
        None
        if cond is None
        else [
            {"model_conds": inner.extra_conds(cross_attn=c[0], device=x.device, noise=x, **c[1]), "uuid": None}
            for c in cond
        ]
        for cond in conds
    ]
    level = torch.full((x.shape[0],), sigma)
    with torch.inference_mode():
        return comfy.samplers.calc_cond_batch(inner, converted, x, level, options)


def patches(model):
    found = model.model_options["transformer_options"]["patches_replace"]["attn1"]
    return [found[key] for key in sorted(found)]


def shown_by(view, token, side, ring):
    """The views that show a token of ``view``, one of ``side`` x ``side``: by the column of its middle."""
    middle = 4 * view + (token % side + 0.5) * 8 / side
    return [other for other in range(VIEWS) if (middle - 4 * other) % (ring or 1000) < 8]


def twin_of_layer(q, k, v, heads, conds, near, weight, reference, reference_weight, once=True, ring=None):
    """A layer by plain softmax over chosen rows, conditionings and views one by one. once: a place that n of the rows
    show counts 1/n in each; ring: the canvas's width in cells where it wraps."""

    def counts(rows):
        side = round(k.shape[1] ** 0.5)
        seen = [row % VIEWS for row in rows]
        return torch.tensor(
            [len(set(seen) & set(shown_by(view, token, side, ring))) for view in seen for token in range(k.shape[1])]
        )

    def softmax(i, rows):
        split = lambda t: t.double().unflatten(-1, (heads, -1)).transpose(0, 1)  # noqa: E731
        keys, values = torch.cat([k[j] for j in rows]), torch.cat([v[j] for j in rows])
        scores = split(q[i]) @ split(keys).transpose(1, 2) / math.sqrt(q.shape[-1] // heads)
        weights = scores.exp() / (counts(rows) if once and k.shape[1] == q.shape[1] else 1)
        return (weights / weights.sum(-1, keepdim=True) @ split(values)).transpose(0, 1).flatten(1)

    views, out = q.shape[0] // conds, []
    for row in range(q.shape[0]):
        first, view = row - row % views, row % views
        first += view - view % VIEWS
        view %= VIEWS
        own = softmax(row, [row])
        cross = softmax(row, [row, *(first + j for j in near[view])])
        if reference is not None:
            cross = (cross + reference_weight * softmax(row, [first + reference])) / (1 + reference_weight)
        out.append((1 - weight) * own + weight * cross)
    return torch.stack(out).to(q)


def with_twin(model, **settings):
    """The same model with the twin in every block, installed as the host's users install patches."""

    def replaced(q, k, v, options):
        return twin_of_layer(q, k, v, options["n_heads"], len(options["cond_or_uncond"]), **settings)

    patched = model.clone()
    for name, numbers in (("input", range(12)), ("middle", [0]), ("output", range(12))):
        for number in numbers:
            patched.set_model_attn1_replace(replaced, name, number)
    return patched
