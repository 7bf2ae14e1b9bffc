"""The scripts that make the toy world's model: what they paint, and that training goes on where it was stopped."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from helpers.hosting import host  # noqa: F401  (a host in this process, before its networks are built)
from syncpack.assets.toy_world import probe as probes
from syncpack.assets.toy_world.jobs import ControlJob, LoraJob, ModelJob, blueprint, networks
from syncpack.assets.toy_world.pictures import PAINTED, Pictures, shrunk
from syncpack.assets.toy_world.probe import Probe
from syncpack.assets.toy_world.scenes import KINDS, Example, buffers, example, look_at
from syncpack.assets.toy_world.shapes import OBJECTS
from syncpack.assets.toy_world.training import Plan, Source, averaged_weights, log_of, train
from syncpack.assets.toy_world.words import WORDS
from syncpack.nodes.models.toy.model import FOLDER

pytestmark = pytest.mark.host
CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def examples() -> list[Example]:
    rng = np.random.default_rng(3)
    objects = buffers(rng, 1, PAINTED)
    return [example(rng, objects, PAINTED, kind) for kind in KINDS for _ in range(6)]


def packed(examples: list[Example]) -> Pictures:
    small = np.stack([shrunk(e.picture, 64) for e in examples])
    hints = np.stack([shrunk(e.hint, 64) for e in examples])
    words = ([getattr(e, name) for e in examples] for name in ("caption", "kind", "object", "material", "behind"))
    return Pictures(torch.from_numpy(small).movedim(-1, 1).contiguous(), torch.from_numpy(hints), *words)


def test_pictures_are_painted_again_by_their_seed(examples):
    rng = np.random.default_rng(3)
    objects = buffers(rng, 1, PAINTED)
    again = example(rng, objects, PAINTED, next(iter(KINDS)))
    assert np.array_equal(again.picture, examples[0].picture) and again.caption == examples[0].caption


def test_every_word_of_a_caption_is_known(examples):
    assert WORDS.unknown(word for e in examples for word, _ in WORDS.split([(e.caption, 1.0)])) == []


def test_hints_are_depth_as_mesh_views_gives_it(examples):
    """Near is white, nothing is black, and an object on a plain background is where its hint is."""
    for name in OBJECTS:
        seen = look_at(np.random.default_rng(1), name, 48)
        assert seen.near[seen.mask].max() == 1 and not seen.near[~seen.mask].any()
    for e in examples:
        assert e.hint.min() >= 0 and e.hint.max() <= 1 and e.picture.min() >= 0 and e.picture.max() <= 1
        if e.kind == "object" and e.material != "snow":
            seen = probes.object_mask(torch.from_numpy(e.picture).movedim(-1, 0)[None].float())
            assert probes.overlap(seen, torch.from_numpy(e.hint > 0)[None]) > 0.8, e.caption


def test_the_shipped_probe_reads_what_was_painted(examples):
    probe, pictures = probes.read(FOLDER / "probe.npz"), packed(examples)
    plain = [i for i, kind in enumerate(pictures.kinds) if kind in ("object", "material")]
    views = pictures.pictures.float() / 255
    told = [
        (probe.material_of_object if pictures.kinds[i] == "object" else probe.material_of_whole)(views[i : i + 1])[0]
        for i in plain
    ]
    assert probes.share(told, [pictures.materials[i] for i in plain]) >= 0.8


def test_a_probe_is_kept_as_it_is(tmp_path):
    features = torch.randn(40, 17, generator=torch.Generator().manual_seed(1))
    one = probes.Classifier.fit(("a", "b"), features, ["a", "b"] * 20)
    whole = Probe(one, one, one, one)
    probes.write(whole, tmp_path / "p.npz")
    assert torch.equal(probes.read(tmp_path / "p.npz").sky.scores(features), one.scores(features))


class Stopped(Exception):
    pass


@pytest.mark.parametrize("kind", ["model", "controlnet", "lora"])
def test_training_goes_on_where_it_was_stopped(tmp_path: Path, examples, kind):
    """The weights of four steps do not tell whether there was a stop after two, and they have moved."""
    source, plan = Source(packed(examples), CPU), Plan(4, 3, 1e-3, warm=2, every=2, log=2)

    def job():
        if kind == "model":
            return ModelJob(CPU)
        return {"controlnet": ControlJob, "lora": LoraJob}[kind](*networks(CPU))

    def until(step: int, last: int):
        if step >= last:
            raise Stopped
        return source

    train(job(), lambda step: source, plan, tmp_path / "whole", 0.1, False)
    with pytest.raises(Stopped):
        train(job(), lambda step: until(step, 2), plan, tmp_path / "parts", 0.1, False)
    train(job(), lambda step: source, plan, tmp_path / "parts", 0.1, False)
    whole, parts = averaged_weights(tmp_path / "whole"), averaged_weights(tmp_path / "parts")
    assert all(torch.allclose(a, b, atol=1e-6) for a, b in zip(whole, parts, strict=True))
    begun = [p.detach() for group, _ in job().groups for p in group]
    moved = [not torch.equal(a, b) for a, b in zip(whole, begun, strict=True)]
    assert sum(moved) > 0.2 * len(moved)  # (a ControlNet learns first where it starts at nought)
    assert [row["step"] for row in log_of(tmp_path / "parts")] == [2, 4]


def test_a_blueprint_is_white_on_blue(examples):
    drawn = blueprint(packed(examples).pictures[:8].float() / 127.5 - 1)
    assert bool((drawn[:, 2] >= drawn[:, 0] - 1e-6).all()) and float(drawn.abs().max()) <= 1
