"""Runs that save their state: stopped anywhere and started again, they end at the same bytes."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import torch
from helpers.hosting import (
    Plane,
    Windows,
    comfy,
    host,
    interrupted_error,
    one_line,
    opinionated,
    run_node,
)
from syncpack.nodes.engine.coherence import Coherence
from syncpack.nodes.engine.walks import unfinished
from syncpack.nodes.engine.walks.stepwise import WHOLE
from syncpack.nodes.host.identity import identity
from syncpack.sync_core.steering.pull import Pull
from syncpack.sync_core.steering.structure_lock import CoarseLock
from torch import Tensor

pytestmark = [pytest.mark.host, pytest.mark.filterwarnings("ignore:Should have")]  # (torchsde, about rounding)

SPACE, RIG = Plane(128, 64), Windows(64, 64, 32, 64)
STOCHSYNC = "StochSync (fresh noise, for prompts alone)"


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(unfinished, "user_folder", lambda: str(tmp_path))
    return tmp_path / "synctweedies" / "unfinished"


def stopped(number: int) -> Callable[[int, Tensor], None]:
    def fails(call: int, x: Tensor) -> None:
        if call == number:
            raise interrupted_error()()

    return fails


def views(model: Any, **options: Any) -> Tensor:
    return run_node(model, SPACE, RIG, **{"steps": 6, **options})[0]["samples"]


RUNS: dict[str, dict[str, Any]] = {
    "euler": dict(save_every=1),
    "every second step": dict(save_every=2),
    "ancestral": dict(save_every=1, sampler_name="euler_ancestral"),
    "ancestral, noise not shared": dict(save_every=2, sampler_name="euler_ancestral", step_noise="independent"),
    "sde": dict(save_every=2, sampler_name="dpmpp_sde"),
    "multistep": dict(save_every=2, sampler_name="dpmpp_2m"),
    "canonical state": dict(save_every=1, process=5),
    "canonical state given up": dict(save_every=1, process=5, sync_end=0.5),
    "both states": dict(save_every=1, process=58),
    "least squares": dict(save_every=1, aggregation="least_squares"),
    "time travel": dict(save_every=2, travel_times=2, travel_start=0.0, travel_end=1.0),
    "locked": dict(save_every=1, operator=CoarseLock(0.5, channels="all", reference=torch.ones(1, 4, 8, 16))),
    "coherent": dict(save_every=2, coherence=Coherence(Pull(0.2, end=1.0))),
    "StochSync": dict(save_every=2, process=STOCHSYNC, inner_steps=3),
}


@pytest.mark.parametrize("name", RUNS)
def test_a_stopped_run_ends_at_the_same_bytes(name: str, folder: Path):
    whole, model = opinionated(), opinionated()
    expected = views(whole, **RUNS[name])
    assert not list(folder.iterdir())
    calls = len(whole.model.calls)
    model.model.fails = stopped(calls - 1)
    with pytest.raises(interrupted_error()):
        views(model, **RUNS[name])
    assert len(list(folder.iterdir())) == 1
    model.model.fails = None
    before = len(model.model.calls)
    result = views(model, **RUNS[name])
    assert torch.equal(result, expected)
    # (the last steps of StochSync take the most calls)
    assert 0 < len(model.model.calls) - before < calls * (0.6 if name == "StochSync" else 0.5)
    assert not list(folder.iterdir())


def test_saving_changes_nothing_for_samplers_that_do_not_look_back(folder: Path):
    assert torch.equal(views(opinionated(), save_every=1), views(opinionated()))


@pytest.mark.parametrize(
    "change", [dict(seed=6), dict(cfg=2.0), dict(steps=7), dict(variance_correction=0.5), dict(save_every=2)], ids=str
)
def test_another_run_begins_anew(change: dict[str, Any], folder: Path):
    options = dict(save_every=1)
    model = opinionated()
    model.model.fails = stopped(5)
    with pytest.raises(interrupted_error()):
        views(model, **options)
    expected = views(opinionated(), **{**options, **change})
    model.model.fails = None
    assert torch.equal(views(model, **{**options, **change}), expected)
    assert len(list(folder.iterdir())) == 1  # the state of the run that was stopped


def test_a_broken_file_is_told_and_the_run_begins_anew(folder: Path, caplog: pytest.LogCaptureFixture):
    model = opinionated()
    model.model.fails = stopped(4)
    with pytest.raises(interrupted_error()):
        views(model, save_every=1)
    (file,) = folder.iterdir()
    file.write_bytes(file.read_bytes()[:50])
    model.model.fails = None
    assert torch.equal(views(model, save_every=1), views(opinionated()))
    assert "begins anew" in caplog.text


def test_states_that_nobody_comes_back_for_go(folder: Path, monkeypatch: pytest.MonkeyPatch):
    for seed in (1, 2):
        model = opinionated()
        model.model.fails = stopped(4)
        with pytest.raises(interrupted_error()):
            views(model, save_every=1, seed=seed)
    assert len(list(folder.iterdir())) == 2
    monkeypatch.setattr(unfinished, "FORGOTTEN", -1)
    views(opinionated(), save_every=1, seed=3)
    assert not list(folder.iterdir())


def test_a_folder_that_cannot_be_written_stops_no_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
):
    (tmp_path / "file").write_text("")
    monkeypatch.setattr(unfinished, "user_folder", lambda: str(tmp_path / "file"))
    assert torch.equal(views(opinionated(), save_every=1), views(opinionated()))
    assert "could not save its state" in caplog.text


@pytest.mark.parametrize("name", host.SAMPLER_NAMES)
def test_samplers_are_stopped_or_refused(name: str, folder: Path):
    """Step by step, samplers that look back are of first order, and end near the first-order samplers."""
    options = dict(steps=10, save_every=1, sampler_name=name)
    if name in WHOLE:
        with pytest.raises(ValueError) as caught:
            views(opinionated(), **options)
        one_line(caught.value, "SyncTweediesSampler", f"{name} plans all its steps at once", "use euler")
        return
    if name == "lcm_upscale":
        return
    if host.takes_noise_sampler(comfy.samplers.sampler_object(name).sampler_function):
        # (plain: euler .42, euler_ancestral .31; multistep ones that add noise reach .95 in ten steps)
        assert 0.25 < float(views(opinionated(), **options).std()) < 0.55
        return
    plain, stepped = (views(opinionated(), **o) for o in ({**options, "save_every": 0}, options))
    assert float((stepped - plain).square().mean().sqrt()) < 0.35 * float(plain.square().mean().sqrt())


def test_refused(folder: Path):
    with pytest.raises(ValueError) as caught:
        views(opinionated(), save_every=-1)
    one_line(caught.value, "SyncTweediesSampler", "save_every -1: use 0")


def real_run() -> list[Any]:
    """A model with a LoRA, and prompts with a ControlNet, as the host's own nodes make them of files."""
    from helpers.model_files import DEPTH, text, with_control, with_lora

    hint = torch.linspace(0, 1, 64 * 64 * 3).reshape(1, 64, 64, 3)
    positive, negative = with_control(text("a hill"), text(""), DEPTH, hint, 0.8)
    model = with_lora(0.5, 0.5)[0]
    # (as a sampler has it: other MODELs of the same file leave their LoRAs in its weights until then)
    comfy.model_management.load_models_gpu([model])
    return [model, positive, negative, comfy.samplers.sampler_object("euler").sampler_function, SPACE]


@dataclass(frozen=True)
class Sized:
    """A value with a field that the host's objects have too, where it changes nothing."""

    size: int


def test_every_field_of_a_value_counts():
    assert identity(Sized(1)) == identity(Sized(1)) != identity(Sized(2))


SCRIPT = """
import sys
sys.path.insert(0, {tests!r})
import conftest
import torch
from engine.test_host_saved_runs import identity, real_run
with torch.inference_mode():
    print("identity", identity(*real_run()))
"""


def test_two_processes_agree_on_what_a_run_is():
    tests = str(Path(__file__).resolve().parents[1])
    script = SCRIPT.format(tests=tests)
    result = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, cwd=tests, timeout=300)
    said = [line.split()[1] for line in result.stdout.splitlines() if line.startswith("identity")]
    with torch.inference_mode():
        here = real_run()
        assert said == [identity(*here)], result.stderr[-2000:]
        first = next(iter(here[0].model.parameters()))
        first.data.add_(1e-3)
        assert said != [identity(*here)]
        first.data.sub_(1e-3)
