"""One picture on several devices: chunks of views are dealt over the host's clones of a model.

No machine with two GPUs is needed: to the host ``cpu`` and ``cpu:1`` are two devices, each with its clone of the
network and its thread. What a test cannot show without GPUs is that tensors lie on the device that they are used on.
"""

import importlib.util
import threading
import time

import pytest
import torch
from helpers.hosting import (
    NEGATIVE,
    POSITIVE,
    Plane,
    Windows,
    host_module,
    one_line,
    prompt,
    relative_error,
    run_node,
    tiny_controlnet,
    tiny_unet,
    with_hints,
)
from helpers.model_files import LORA, checkpoint, run_host_node, text
from helpers.model_files import written as file_written
from syncpack.nodes.models.exemplar import exemplar_model
from syncpack.nodes.models.toy_nodes import ToyWorldModel
from syncpack.sync_core.exemplar.prior import ExemplarConfig

if not importlib.util.find_spec("comfy.multigpu"):
    pytest.skip("this host keeps a model on one device", allow_module_level=True)

pytestmark = pytest.mark.host

SPACE, RIG, VIEWS = Plane(192, 64), Windows(96, 64, 24, 64), 5
HINTS = (VIEWS, 3, 64, 96)
SECOND = torch.device("cpu", 1)


class Watch:
    """A MODEL on as many devices, and which device's thread evaluated how many rows."""

    def __init__(self, devices=2, fail=None, make=tiny_unet):
        self.seen = []
        model = make()
        model.cached_patcher_init = (make, ())
        clones = []
        for number in range(1, devices):
            clone = model.deepclone_multigpu(torch.device("cpu", number))
            clone.is_multigpu_base_clone = True
            clones.append(clone)
        model.set_additional_models("multigpu", clones)
        model.match_multigpu_clones()
        self.lock = threading.Lock()

        def evaluate(apply, args):
            device = args["c"]["transformer_options"].get("multigpu_thread_device")
            rows = args["c"]["transformer_options"].get("sync_views")
            with self.lock:
                self.seen.append((str(device), id(apply.__self__), threading.get_ident(), len(args["input"]), rows))
            if fail is not None:
                fail(device, len(args["input"]))
            return apply(args["input"], args["timestep"], **args["c"])

        model.set_model_unet_function_wrapper(evaluate)
        self.model = model

    def devices(self):
        return {device for device, *_ in self.seen}


def picture(model, views_per_batch=64, positive=POSITIVE, negative=NEGATIVE, **changes):
    changes = {"cfg": 3.0, "steps": 2, **changes}
    return run_node(
        model, SPACE, RIG, positive=positive, negative=negative, views_per_batch=views_per_batch, **changes
    )[0]["samples"]


def test_views_are_dealt_over_the_devices():
    alone, watch = picture(tiny_unet()), Watch()
    assert relative_error(picture(watch.model), alone) <= 1e-5
    assert watch.devices() == {"cpu", "cpu:1"}
    # each device has a network and a thread of its own, and gets half of the views of a step, both prompts at once
    assert len({(device, network, thread) for device, network, thread, *_ in watch.seen}) == 2
    assert len({network for _, network, *_ in watch.seen}) == 2
    by_device = {device: [rows for d, *_, rows in watch.seen if d == device] for device in watch.devices()}
    assert by_device == {"cpu": [[0, 1, 2]] * 2, "cpu:1": [[3, 4]] * 2}
    assert {count for *_, count, _ in watch.seen} == {6, 4}


@pytest.mark.parametrize("devices, size, process", [(2, 1, 2), (3, 2, 2), (3, 64, 5), (2, 2, 1)])
def test_any_number_of_devices_and_views(devices, size, process):
    watch = Watch(devices)
    alone = picture(tiny_unet(), positive=prompt(3, rows=VIEWS), process=process)
    assert relative_error(picture(watch.model, size, prompt(3, rows=VIEWS), process=process), alone) <= 1e-5
    assert len(watch.devices()) == devices
    assert max(count for *_, count, _ in watch.seen) <= 2 * size


def test_hints_per_view_chained():
    nets = tiny_controlnet(7), tiny_controlnet(8)

    def hinted(side):
        return with_hints(side, HINTS, *nets)

    alone, watch = picture(tiny_unet(), 64, hinted(POSITIVE), hinted(NEGATIVE)), Watch()
    assert relative_error(picture(watch.model, 2, hinted(POSITIVE), hinted(NEGATIVE)), alone) <= 1e-5
    assert watch.devices() == {"cpu", "cpu:1"}
    one = with_hints(POSITIVE, HINTS, nets[0])
    assert relative_error(picture(tiny_unet(), 64, one, hinted(NEGATIVE)), alone) > 1e-3, "the hints have no effect"


def test_masks_and_prompts_of_some_views():
    masks = torch.zeros(VIEWS, 64, 96)
    for view in range(VIEWS):
        masks[view, :, 16 * view : 16 * view + 32] = 1.0
    words = [*POSITIVE, *prompt(5, mask=masks, mask_strength=1.0, set_area_to_bounds=False)]
    watch = Watch()
    assert relative_error(picture(watch.model, 2, words), picture(tiny_unet(), 64, words)) <= 1e-5
    assert watch.devices() == {"cpu", "cpu:1"}


def test_a_lora_that_comes_in_the_middle_of_the_run():
    """As a hook with keyframes: every device's clone learns that it changed."""
    nodes = host_module("comfy_extras.nodes_hooks", "")

    def hooked():
        (hooks,) = nodes.CreateHookLora().create_hook(file_written(LORA), 1.0, 0.0)
        (frames,) = nodes.CreateHookKeyframe().create_hook_keyframe(0.0, 0.0)
        (frames,) = nodes.CreateHookKeyframe().create_hook_keyframe(1.0, 0.4, frames)
        (hooks,) = nodes.SetHookKeyframes().set_hook_keyframes(hooks, frames)
        return nodes.SetModelHooksOnCond().attach_hook(text("a forest"), hooks)[0]

    def network():
        return checkpoint.__wrapped__()[0]  # (loaded anew: each device has weights of its own)

    watch, rest = Watch(make=network), {"negative": text("blurry"), "steps": 4}
    alone = picture(network(), 64, hooked(), **rest)
    assert relative_error(picture(watch.model, 2, hooked(), **rest), alone) <= 1e-5
    assert relative_error(picture(network(), 64, text("a forest"), **rest), alone) > 1e-3, "the LoRA has no effect"
    assert watch.devices() == {"cpu", "cpu:1"}


def test_a_device_that_is_slower_gets_fewer_views_once_that_is_known():
    def slow(device, rows):
        time.sleep((0.2 if device == SECOND else 0.01) * rows)

    watch = Watch(fail=slow)
    assert relative_error(picture(watch.model, steps=4), picture(tiny_unet(), steps=4)) <= 1e-5
    rows = [len(rows) for device, *_, rows in watch.seen if device == "cpu:1"]
    assert rows[:2] == [2, 2] and sum(rows[2:]) <= 2, "nearly nothing, in the last two steps together"


def with_the_host_s_node(monkeypatch, model):
    """The MODEL behind MultiGPU CFG Split, on a machine that says it had two devices."""
    management = host_module("comfy.model_management", "")
    management.unload_all_models()  # (models of other tests, which are gone, would stand in its list)
    monkeypatch.setattr(management, "get_all_torch_devices", lambda *a, **k: [torch.device("cpu"), SECOND])
    node = host_module("comfy_extras.nodes_multigpu", "").MultiGPUCFGSplitNode
    split = node.execute(model, 2).result[0]
    networks = [split, *split.get_additional_models_with_key("multigpu")]
    assert len({id(one.model.diffusion_model) for one in networks}) == 2
    used: list[int] = []

    def evaluate(apply, args):
        used.append(id(apply.__self__))
        return apply(args["input"], args["timestep"], **args["c"])

    split.set_model_unet_function_wrapper(evaluate)
    return split, used


def test_the_pack_s_own_model_behind_the_host_s_node(monkeypatch):
    """With its LoRA and its ControlNet: the second device's network is read anew and patched alike."""
    model, clip, _, control = ToyWorldModel().load(0.9)
    words = [run_host_node("CLIPTextEncode", clip=clip, text=said)[0] for said in ("a wall of gold", "")]
    hint = torch.linspace(0, 1, 64)[None, :, None, None].expand(3, 64, 64, 3)
    sides = run_host_node("ControlNetApplyAdvanced", *words, control, hint, 1.0, 0.0, 1.0)[:2]
    split, used = with_the_host_s_node(monkeypatch, model)

    def made(network):
        space, rig = Plane(128, 64), Windows(64, 64, 32, 64)
        return run_node(network, space, rig, positive=sides[0], negative=sides[1], steps=2)[0]["samples"]

    alone = made(model)
    assert relative_error(made(split), alone) <= 1e-4 and len(set(used)) == 2
    assert relative_error(made(ToyWorldModel().load(0.0)[0]), alone) > 1e-2, "the LoRA has no effect"


def test_the_exemplar_model_behind_the_host_s_node(monkeypatch):
    image = torch.rand(1, 48, 48, 3, generator=torch.Generator().manual_seed(0))
    model, clip, _ = exemplar_model([image[0]], ["wall"], ExemplarConfig(periodic=True))
    sides = [run_host_node("CLIPTextEncode", clip=clip, text=words)[0] for words in ("wall", "")]
    split, used = with_the_host_s_node(monkeypatch, model)
    alone = picture(model, 2, *sides, cfg=1.0)
    assert relative_error(picture(split, 2, *sides, cfg=1.0), alone) <= 1e-4 and len(set(used)) == 2


def test_a_full_device_gets_fewer_views():
    def full(device, rows):
        if device == SECOND and rows > 2:
            raise torch.OutOfMemoryError("CUDA out of memory")

    watch = Watch(fail=full)
    assert relative_error(picture(watch.model), picture(tiny_unet())) <= 1e-5
    counts = [count for device, *_, count, _ in watch.seen if device == "cpu:1"]
    assert counts.count(4) == 1 and len(counts) > 2 and max(counts[1:]) <= 2


def test_an_error_on_another_device_is_raised_once_all_have_ended():
    def broken(device, rows):
        if device == SECOND:
            raise ValueError("broken card")

    watch = Watch(fail=broken)
    with pytest.raises(Exception, match="broken card") as error:
        picture(watch.model)
    one_line(error.value, "SyncTweediesSampler", "broken card")
    assert threading.active_count() < 20
    assert relative_error(picture(Watch().model), picture(tiny_unet())) <= 1e-5, "nothing is left behind"
