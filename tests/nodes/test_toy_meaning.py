"""What words, hints and LoRAs do to what is painted, read by the toy world's probe, each beside its opposite."""

from __future__ import annotations

import functools
from typing import Any

import pytest
import torch
from helpers.hosting import Plane, Windows, run_node
from helpers.model_files import run_host_node
from helpers.toy import painted, said, toy, with_blueprint, with_depth
from syncpack.assets.toy_world import probe as probes
from syncpack.nodes.models.toy.model import FOLDER
from syncpack.nodes.sampling.attention import CrossViewAttention
from syncpack.nodes.sampling.controlnets import ControlStrengthSchedule
from syncpack.nodes.sampling.plan import STOCHASTIC_LABEL
from syncpack.nodes.views.prompt_nodes import CanonicalPrompt, ViewPrompts
from syncpack.nodes.views.spaces import rig_from
from syncpack.renderers.cameras.viewpoints import Orbit, Viewpoint
from syncpack.renderers.mesh.files.load import load_mesh
from syncpack.renderers.mesh.looks import MeshViews
from syncpack.renderers.mesh.space import MeshTexture
from syncpack.renderers.panorama.space import Panorama
from syncpack.renderers.scene import Scene
from syncpack.sync_core.aggregate import Aggregator
from torch import Tensor

pytestmark = pytest.mark.host

TEAPOT = FOLDER.parent / "teapot.glb"
RUN = {"scheduler": "karras", "sampler_name": "dpmpp_2m", "cfg": 3.0, "steps": 8}


@functools.cache
def probe() -> probes.Probe:
    return probes.read(FOLDER / "probe.npz")


def shown(samples: dict[str, Any]) -> Tensor:
    """Views of pixels -> pictures [N, 3, h, w] in 0..1."""
    return run_host_node("VAEDecode", vae=toy()[2], samples=samples)[0].movedim(-1, 1)


def run(
    space: Any, rig: Any, positive: Any, negative: Any, steps: int = 8, model: Any = None, **changes: Any
) -> Tensor:
    given = {**RUN, "positive": positive, "negative": negative, **changes}
    views, _ = run_node(toy()[0] if model is None else model, space, rig, **given)
    return shown(views)


def told(space: Any, rig: Any, prompts: str, prefix: str = "", suffix: str = "") -> tuple[Any, Any]:
    """(positive, negative) of ViewPrompts."""
    return ViewPrompts().build(toy()[1], space, rig, prompts, "", prefix, suffix)[:2]


# A sphere


# Around, above and below, 64 pixels each.
SPHERE = Panorama(192, 96)
CUBE = rig_from("custom", 64, 64, cameras="0 0 100\n90 0 100\n180 0 100\n-90 0 100\n0 90 100\n0 -90 100")


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_words_land_where_they_are_meant_on_a_sphere(seed):
    """Sky above, ground below; with the words of above and below exchanged, the picture is, too."""

    def ends(top: str, bottom: str) -> tuple[str, str]:
        words = told(SPHERE, CUBE, f"top: {top}\nbottom: {bottom}\n*: snow under a night sky")
        views = run(SPHERE, CUBE, *words, seed=seed)
        middle = views[4:, :, 16:48, 16:48]
        dark = middle.mean((1, 2, 3)) < 0.4
        return tuple("night" if d else "snow" for d in dark.tolist())

    assert ends("a night sky", "snow") == ("night", "snow")
    assert ends("snow", "a night sky") == ("snow", "night")


@pytest.mark.parametrize("changes", [{}, {"process": STOCHASTIC_LABEL, "steps": 6, "inner_steps": 6}])
def test_all_around_there_is_what_was_said(changes):
    """Ground below the horizon and sky above it in every direction, by plain averaging and with fresh noise."""
    ring = rig_from("ring", 64, 64, fov=80.0, azimuth_step=60.0)

    def around(ground: str, sky: str) -> tuple[float, float]:
        views = run(SPHERE, ring, said(f"{ground} under a {sky} sky"), said(""), **changes)
        return probe().ground_of(views).count(ground) / 6, probe().sky_of(views).count(sky) / 6

    for ground, sky in (("snow", "evening"), ("sand", "night")):
        assert min(around(ground, sky)) >= 5 / 6, (ground, sky)


# An object


@functools.cache
def teapot() -> tuple[MeshTexture, Orbit]:
    mesh = load_mesh(TEAPOT).mesh
    cameras = tuple(Viewpoint.orbit(torch.pi / 180 * a, 0.25, 2.1) for a in (0, 90, 180, 270))
    return MeshTexture(mesh, 128, 128), Orbit(cameras, 64, 64)


def hints() -> Tensor:
    space, rig = teapot()
    return MeshViews.of(space.mesh, rig).depth()[..., None].repeat(1, 1, 1, 3)


@pytest.mark.parametrize(("front", "back"), [("gold", "lava"), ("lava", "gold"), ("grass", "snow")])
def test_the_prompt_of_the_back_reaches_the_back(front, back):
    space, rig = teapot()
    words = told(space, rig, f"front: a teapot of {front}\nback: a teapot of {back}\n*: a teapot")
    views = run(space, rig, *with_depth(*words, hints()))
    masks = MeshViews.of(space.mesh, rig).mask() > 0
    scores = probe().object.scores(probes.features(views, masks))
    first, last = (scores[:, probe().object.names.index(name)] for name in (front, back))
    assert first[0] > last[0] and last[2] > first[2]


def test_hints_of_views_follow_their_views_in_every_chunk():
    """The same picture whether views go to the model one by one or together; silhouettes are those of their own hint
    more than of another view's, and without a hint they are not."""
    space, rig = teapot()
    words = told(space, rig, "*: a teapot of gold on a white background")
    masks = MeshViews.of(space.mesh, rig).mask() > 0
    plan = {"process": 0, "seed": 3}
    whole = run(space, rig, *with_depth(*words, hints()), **plan)
    for count in (1, 4):
        part = run(space, rig, *with_depth(*words, hints()), views_per_batch=count, **plan)
        torch.testing.assert_close(part, whole, atol=2e-3, rtol=0)
    none = run(space, rig, *words, **plan)
    own = probes.overlap(probes.object_mask(whole), masks)
    other = probes.overlap(probes.object_mask(whole), masks.roll(1, 0))
    without = probes.overlap(probes.object_mask(none), masks)
    assert own > other + 0.05 and own > without + 0.1


def test_a_schedule_of_strength_acts_with_its_sign():
    """Silhouettes follow the hint more, the stronger the ControlNet is."""
    space, rig = teapot()
    words = with_depth(*told(space, rig, "*: a teapot of gold on a white background"), hints())
    masks = MeshViews.of(space.mesh, rig).mask() > 0

    def overlap(start: float, end: float) -> float:
        scheduled = ControlStrengthSchedule().schedule(*words, start, end, "linear", 0.0, 1.0)
        return probes.overlap(probes.object_mask(run(space, rig, *scheduled, process=0, seed=3)), masks)

    none, half, full = overlap(0, 0), overlap(0.5, 0.5), overlap(1, 1)
    assert none < half < full


# A plane


PLANE, ROW = Plane(160, 64), Windows(64, 64, 32, 64)


def test_a_painted_prompt_keeps_to_its_region():
    mask = torch.zeros(1, 64, 160)
    mask[..., :80] = 1

    def sides(left: str, right: str) -> list[str]:
        first = CanonicalPrompt().build(PLANE, ROW, said(left), mask, 1.0, "default")[0]
        both = CanonicalPrompt().build(PLANE, ROW, said(right), 1 - mask, 1.0, "default", first)[0]
        views = run(PLANE, ROW, both, said(""))
        return probe().material_of_whole(views[[0, -1]])

    assert sides("lava", "snow") == ["lava", "snow"]
    assert sides("snow", "grass") == ["snow", "grass"]


def test_a_lora_acts_by_its_strength():
    """Bluer, the stronger; also in views of one run, whatever the chunk."""
    words = said("a vase of sand on a white background"), said("")
    blue = []
    for strength in (0.0, 0.5, 1.0):
        picture = painted(*words, model=with_blueprint(strength))
        blue.append(float((picture[..., 2] - picture[..., 0]).mean()))
    assert blue[0] < blue[1] < blue[2] and blue[2] - blue[0] > 0.2
    views = run(PLANE, ROW, *words, model=with_blueprint(1.0), views_per_batch=3)
    assert bool(((views[:, 2] - views[:, 0]).mean((1, 2)) > 0.2).all())


def test_guidance_acts_by_its_strength():
    """The picture moves away from the unguided one, the further the stronger; the probe is surer of the named material
    than of another, and than in a picture of no prompt."""
    lava, snow = (probe().material.names.index(name) for name in ("lava", "snow"))

    def made(cfg: float, prompt: str = "a picture of lava") -> Tensor:
        return torch.cat([painted(said(prompt), said(""), seed=s, cfg=cfg) for s in (1, 2)]).movedim(-1, 1)

    plain, guided = made(1.0), {cfg: made(cfg) for cfg in (1.5, 3.0, 6.0)}
    moved = [float((picture - plain).abs().mean()) for picture in guided.values()]
    assert moved[0] < moved[1] < moved[2]

    def sure(picture: Tensor, name: int) -> float:
        return float(probe().material.scores(probes.features(picture, probes.whole(picture)))[:, name].mean())

    assert sure(guided[3.0], lava) > 0.5 > max(sure(guided[3.0], snow), sure(made(3.0, ""), lava))


def test_views_that_look_at_each_other_agree_more_before_they_are_averaged():
    space, rig = Plane(160, 64), Windows(64, 64, 32, 64)
    words = said(""), said("")

    def disagreement(model: Any) -> float:
        total = 0.0
        for seed in (1, 2, 3):
            views = run(space, rig, *words, model=model, process=0, noise="polar", seed=seed)
            seen = Scene(space, rig).views(1)
            total += float((seen.project(Aggregator(seen)(views)) - views).square().mean())
        return total

    (looking,) = CrossViewAttention().patch(toy()[0], space, rig, 1.0, 2, -1, 1.0, 0.0, 1.0, 0.2, 4096, 0)
    plain, seeing = disagreement(toy()[0]), disagreement(looking)
    assert seeing < 0.9 * plain
