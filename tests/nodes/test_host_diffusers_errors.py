"""Bad diffusers folders: each gives one line that names the node, the file and the fix; nothing unsafe is opened."""

import importlib
import json
import shutil
import sys

import pytest
import torch
from helpers.hosting import one_line
from syncpack.nodes.host.errors import SyncError
from syncpack.nodes.models.diffusers_folders import UNET, weight_files

pytest.importorskip("diffusers", reason="diffusers is not installed (extra 'diffusers')")

from helpers.diffusers_models import load, made_models

pytestmark = pytest.mark.host
models = pytest.fixture(scope="module")(made_models)


@pytest.fixture
def broken(models):
    """A copy of the small latent model, to be spoilt."""
    root, _ = models
    target = root / "broken"
    shutil.copytree(root / "eps", target)
    yield target
    shutil.rmtree(target)


def refused(name, *parts):
    with pytest.raises(SyncError) as error:
        load(name)
    text = one_line(error.value, "LoadDiffusersUNet", *parts)
    assert "Traceback" not in text and "/tmp" not in text
    return text


def edit(file, **values):
    config = json.loads(file.read_text())
    config.update(values)
    file.write_text(json.dumps({k: v for k, v in config.items() if v != "removed"}))


@pytest.mark.parametrize(
    "name", ["../eps", "eps/../../eps", "/etc", "..\\eps", "C:\\models\\eps", "", ".", "deep/../../x"]
)
def test_names_that_lead_elsewhere(models, name):
    refused(name, "is not the name of a folder" if name else "''", "list")


def test_names_without_a_model(models):
    refused("nothing", "no unet/config.json")


def test_only_pickles(broken):
    file = broken / "unet/diffusion_pytorch_model.safetensors"
    file.rename(file.with_suffix(".bin"))
    refused("broken", "only as .bin", "safe_serialization=True")


def test_no_weights(broken):
    (broken / "unet/diffusion_pytorch_model.safetensors").unlink()
    refused("broken", "broken/unet has no diffusion_pytorch_model.safetensors")


@pytest.mark.parametrize("content", [b"", b"\x08\0\0\0\0\0\0\0notjson!", b"x" * 5000], ids=["empty", "header", "junk"])
def test_damaged_weights(broken, content):
    (broken / "unet/diffusion_pytorch_model.safetensors").write_bytes(content)
    refused("broken", "diffusion_pytorch_model.safetensors is damaged", "copy it again")


def test_half_copied_weights(broken):
    file = broken / "unet/diffusion_pytorch_model.safetensors"
    file.write_bytes(file.read_bytes()[:-1000])
    refused("broken", "is damaged")


def test_weights_of_another_config(broken):
    edit(broken / "unet/config.json", block_out_channels=[32, 96])
    refused("broken", "do not fit unet/config.json", "differ, first")


def test_an_index_that_leads_elsewhere(broken):
    file = broken / "unet/diffusion_pytorch_model.safetensors"
    file.rename(broken / "diffusion_pytorch_model.safetensors")
    index = {"weight_map": {"conv_in.weight": "../diffusion_pytorch_model.safetensors"}}
    (broken / "unet/diffusion_pytorch_model.safetensors.index.json").write_text(json.dumps(index))
    refused("broken", "not a safetensors file beside it")


def test_several_files_with_an_index(models, broken):
    _, made = models
    (broken / "unet/diffusion_pytorch_model.safetensors").unlink()
    made["eps"].save_pretrained(broken / "unet", safe_serialization=True, max_shard_size="200KB")
    assert len(list((broken / "unet").glob("*-of-*.safetensors"))) > 1
    loaded = load("broken")[0].model.diffusion_model.state_dict()
    assert all(torch.equal(loaded[k], v) for k, v in made["eps"].state_dict().items())
    next((broken / "unet").glob("*00002-of-*.safetensors")).unlink()
    refused("broken", "00002-of", "missing")


def test_the_variant_in_half_precision(broken):
    """Read when the host computes in half, and when nothing else is there."""
    whole = broken / "unet/diffusion_pytorch_model.safetensors"
    half = broken / "unet/diffusion_pytorch_model.fp16.safetensors"
    shutil.copy(whole, half)
    assert weight_files(broken / "unet", UNET, True) == ([half], "fp16")
    assert weight_files(broken / "unet", UNET, False) == ([whole], "")
    whole.unlink()
    assert weight_files(broken / "unet", UNET, False) == ([half], "fp16")


@pytest.mark.parametrize(
    "values, parts",
    [
        ({"_class_name": "UNet3DConditionModel"}, ["UNet3DConditionModel", "not UNet2DConditionModel"]),
        ({"addition_embed_type": "image"}, ["addition_embed_type 'image'"]),
        ({"time_cond_proj_dim": 256}, ["time_cond_proj_dim"]),
        ({"class_embed_type": "projection"}, ["class_embed_type"]),
        ({"num_class_embeds": 10}, ["class labels"]),
        ({"in_channels": 8}, ["8 input channels"]),
        ({"out_channels": 5}, ["5 output channels"]),
        ({"down_block_types": ["NoSuchBlock", "DownBlock2D"]}, ["does not describe a U-Net"]),
    ],
)
def test_networks_that_do_not_fit(broken, values, parts):
    edit(broken / "unet/config.json", **values)
    refused("broken", *parts)


@pytest.mark.parametrize(
    "values, parts",
    [
        ({"prediction_type": "flow_prediction"}, ["flow"]),
        ({"_class_name": "FlowMatchEulerDiscreteScheduler"}, ["flow"]),
        ({"_class_name": "EDMEulerScheduler"}, ["EDMEulerScheduler"]),
        ({"_class_name": "UNet2DConditionModel"}, ["no scheduler of diffusers"]),
        ({"prediction_type": "score"}, ["'score'", "v_prediction"]),
        ({"rescale_betas_zero_snr": True}, ["pure noise"]),
        ({"beta_schedule": "wavy"}, ["cannot be built"]),
    ],
)
def test_schedulers_that_do_not_fit(broken, values, parts):
    edit(broken / "scheduler/scheduler_config.json", **values)
    refused("broken", *parts)


def test_missing_and_spoilt_configs(broken):
    (broken / "unet/config.json").write_text("[1, 2]")
    refused("broken", "broken/unet/config.json is not a JSON object")
    (broken / "unet/config.json").write_text("{")
    refused("broken", "cannot be read")
    shutil.copy(broken.parent / "eps/unet/config.json", broken / "unet/config.json")
    shutil.rmtree(broken / "vae")
    refused("broken", "vae/config.json is missing")
    shutil.rmtree(broken / "scheduler")
    shutil.copytree(broken.parent / "eps/vae", broken / "vae")
    refused("broken", "scheduler_config.json is missing")


def test_without_the_library(models, monkeypatch):
    monkeypatch.setitem(sys.modules, "diffusers", None)
    for name in [n for n in sys.modules if n.startswith("syncpack.nodes.models.diffusers_network")]:
        monkeypatch.delitem(sys.modules, name)
    package = importlib.import_module("syncpack.nodes")
    monkeypatch.delattr(importlib.import_module("syncpack.nodes.models"), "diffusers_network", raising=False)
    assert "LoadDiffusersUNet" in package.NODE_CLASS_MAPPINGS
    refused("eps", "diffusers is not installed", "extra 'diffusers'", "pip install")


def test_a_vae_that_is_not_there_says_so_when_used(models):
    _, vae = load("eps")
    with pytest.raises(ValueError) as error:
        vae.decode(torch.zeros(1, 4, 8, 8))
    one_line(error.value, "LoadDiffusersUNet", "VAELoader")
