"""The small model that comes with the pack, in the hands of the host's own nodes, and what is refused in one line."""

import json
import logging

import pytest
import torch
from helpers.hosting import one_line
from helpers.model_files import DEPTH, text, with_control
from helpers.toy import painted, said, toy, with_blueprint, with_depth
from safetensors.torch import load_file, save_file
from syncpack.nodes.models.toy import files
from syncpack.nodes.models.toy.model import CONTROL, FOLDER, LORA, MODEL, toy_world
from syncpack.nodes.models.toy.networks import ToyUNet, initialise, noise_levels
from syncpack.nodes.models.toy_nodes import ToyWorldModel

pytestmark = pytest.mark.host


def test_the_files_are_small():
    sizes = {path.name: path.stat().st_size for path in FOLDER.glob("*.safetensors")}
    assert set(sizes) == {MODEL, CONTROL, LORA}
    assert sum(sizes.values()) <= 12e6, sizes


def test_the_host_s_own_nodes_take_it():
    """KSampler, VAEDecode, ControlNetApplyAdvanced and LoraLoader; each changes the picture, none changes the model."""
    plain = painted(said("a ball of gold"), said(""), steps=2)
    assert plain.shape == (1, 64, 64, 3) and bool(torch.isfinite(plain).all())
    hint = torch.zeros(1, 64, 64, 3)
    hint[:, 20:44, 20:44] = 1
    hinted = painted(*with_depth(said("a ball of gold"), said(""), hint), steps=2)
    styled = painted(said("a ball of gold"), said(""), steps=2, model=with_blueprint(1.0))
    assert (hinted - plain).abs().mean() > 1e-3 and (styled - plain).abs().mean() > 1e-3
    assert torch.equal(painted(said("a ball of gold"), said(""), steps=2), plain)


def test_the_node_s_blueprint_is_what_lora_loader_does():
    own, *_ = ToyWorldModel().load(0.7)
    args = said("a cube of wood"), said("")
    torch.testing.assert_close(
        painted(*args, steps=2, model=own), painted(*args, steps=2, model=with_blueprint(0.7)), atol=1e-5, rtol=0
    )


def test_a_hint_at_strength_nought_is_none():
    args = said("a vase of stone"), said("")
    hinted = painted(*with_depth(*args, torch.ones(1, 64, 64, 3), strength=0.0), steps=2)
    torch.testing.assert_close(hinted, painted(*args, steps=2), atol=1e-5, rtol=0)


def test_the_clean_estimate_follows_its_formula():
    """s² / (sigma² + s²) x + sigma / sqrt(sigma² + s²) F, written out: with F = 0 only the first term is left."""
    sizes, *_ = files.read_model(FOLDER / MODEL)
    empty = ToyUNet(sizes)
    initialise(empty, 0)  # (its last layer is nought)
    levels = noise_levels()
    x, context = torch.randn(2, 3, 16, 16), torch.zeros(2, 20, sizes.context)
    t = torch.tensor([5.0, 900.0])
    sigma = levels.sigmas[t.long()].reshape(-1, 1, 1, 1)
    with torch.no_grad():
        made = empty(x, t, context, context[:, 0])
    noisy = x * (sigma**2 + 1).sqrt()
    torch.testing.assert_close(made, 0.15**2 / (sigma**2 + 0.15**2) * noisy)


def test_weights_of_words_act_and_cases_do_not():
    clip = toy()[1]

    def encoded(words):
        return clip.encode_from_tokens(clip.tokenize(words))

    assert torch.equal(encoded("A GOLD Teapot, on (grass:1.0)!"), encoded("a gold teapot on grass"))
    assert not torch.equal(encoded("a (gold:1.4) teapot"), encoded("a gold teapot"))
    assert torch.equal(encoded("a lighthouse"), encoded("a tower"))


def test_words_it_does_not_know_are_named_in_a_note(caplog):
    caplog.set_level(logging.INFO)
    clip = toy()[1]
    known = clip.encode_from_tokens(clip.tokenize("a teapot of gold"))
    assert torch.equal(clip.encode_from_tokens(clip.tokenize("a porcelain teapot of shiny gold")), known)
    assert "porcelain, shiny" in caplog.text


def test_a_prompt_longer_than_it_reads_is_cut_with_a_note(caplog):
    clip = toy()[1]
    assert clip.encode_from_tokens(clip.tokenize("gold " * 40)).shape == (1, 20, 64)
    assert "21 words are cut from a prompt of 40" in caplog.text


# What is refused


@pytest.mark.parametrize(("height", "width"), [(66, 64), (64, 62), (4, 4)])
def test_views_that_do_not_divide_into_patches(height, width):
    network, context = toy()[0].model.diffusion_model, torch.zeros(1, 20, 64)
    with pytest.raises(Exception) as caught:
        network(torch.zeros(1, 3, height, width), torch.zeros(1), context, context[:, 0])
    one_line(caught.value, "ToyWorldModel", f"{width} x {height}", "multiple of 8")


def test_a_prompt_of_another_clip():
    with pytest.raises(Exception) as caught:
        painted(text("a house"), text(""), steps=1)
    one_line(caught.value, "ToyWorldModel", "another CLIP", "connect the CLIP of ToyWorldModel")


def test_a_controlnet_of_another_model():
    positive, negative = with_control(said("a ball of gold"), said(""), DEPTH, torch.ones(1, 64, 64, 3))
    with pytest.raises(Exception) as caught:
        painted(positive, negative, steps=1)
    one_line(caught.value, "ToyWorldModel", "another model", "connect the CONTROL_NET of ToyWorldModel")


def test_its_controlnet_on_another_model():
    network, context = toy()[3].control_model, torch.zeros(1, 77, 768)
    with pytest.raises(Exception) as caught:
        network(torch.zeros(1, 4, 8, 8), torch.zeros(1, 3, 8, 8), torch.zeros(1), context)
    one_line(caught.value, "ToyWorldModel", "CONTROL_NET", "ControlNetLoader")


def copied(folder, **heads):
    for name in (MODEL, CONTROL, LORA):
        from safetensors import safe_open

        with safe_open(FOLDER / name, "pt") as file:
            head = dict(file.metadata())
        save_file(load_file(FOLDER / name), folder / name, {**head, **heads.get(name.split(".")[0], {})})


def refused(folder, strength=0.0):
    with pytest.raises(ValueError) as caught:
        toy_world(strength, folder)
    assert "\n" not in str(caught.value)
    return str(caught.value)


@pytest.mark.parametrize("name", [MODEL, CONTROL, LORA])
@pytest.mark.parametrize("kept", [0, 5, 0.5, 0.99])
def test_files_cut_short(tmp_path, name, kept):
    copied(tmp_path)
    whole = (tmp_path / name).read_bytes()
    (tmp_path / name).write_bytes(whole[: int(kept if kept >= 1 else kept * len(whole))])
    message = refused(tmp_path, 1.0)
    assert name in message and "cut short; copy it again" in message


def test_a_file_that_is_missing(tmp_path):
    assert "is missing" in refused(tmp_path) and MODEL in refused(tmp_path)


def test_a_file_of_another_version(tmp_path):
    copied(tmp_path, toy_world={"version": "7"})
    assert "version 7, this pack reads version 1; update" in refused(tmp_path)


def test_another_file_under_its_name(tmp_path):
    copied(tmp_path)
    save_file({"a": torch.zeros(1)}, tmp_path / MODEL)
    assert "no file of the toy world" in refused(tmp_path)
    (tmp_path / MODEL).write_bytes((FOLDER / CONTROL).read_bytes())
    assert "holds the toy world's controlnet, not its model" in refused(tmp_path)


def test_weights_that_do_not_fit_their_head(tmp_path):
    sizes = json.dumps({**files.read_file(FOLDER / MODEL, "model")[0].sizes.to_json(), "channels": 32})
    copied(tmp_path, toy_world={"sizes": sizes})
    assert "does not fit its own sizes" in refused(tmp_path)


def test_a_lora_of_another_family_is_told_by_the_host(caplog):
    """A LoRA for Stable Diffusion finds nothing to change here; the host says so and the picture stays."""
    from helpers.model_files import LORA as OTHER
    from helpers.model_files import run_host_node, written

    model, clip, *_ = toy()
    changed, _ = run_host_node(
        "LoraLoader", model=model, clip=clip, lora_name=written(OTHER), strength_model=1.0, strength_clip=1.0
    )
    args = said("a ring of sand"), said("")
    assert torch.equal(painted(*args, steps=1, model=changed), painted(*args, steps=1))
