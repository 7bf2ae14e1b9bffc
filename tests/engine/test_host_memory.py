"""Memory that runs out: every form of the error halves the chunks of views, and one view gets a second chance."""

import random

import pytest
import torch
from helpers.hosting import Plane, Windows, comfy, gaussian, host, one_line, opinionated, run_node

pytestmark = pytest.mark.host

SPACE, RIG, VIEWS = Plane(192, 64), Windows(96, 64, 24, 64), 5

CUDA = "CUDA out of memory. Tried to allocate 20.00 MiB"
ACCELERATOR = getattr(torch, "AcceleratorError", RuntimeError)

# What devices raise when their memory is gone.
EXHAUSTED = {
    "cuda": lambda: torch.cuda.OutOfMemoryError(CUDA),
    "accelerator": lambda: ACCELERATOR("CUDA error: out of memory\nCUDA kernel errors might be reported later"),
    "hip": lambda: RuntimeError("HIP out of memory. Tried to allocate 20.00 MiB"),
    "hip error": lambda: RuntimeError("HIP error: out of memory"),
    "mps": lambda: RuntimeError("MPS backend out of memory (MPS allocated: 8.92 GB, other allocations: 1.03 GB)"),
    "mps buffer": lambda: RuntimeError("Invalid buffer size: 20.25 GiB"),
    "xpu": lambda: RuntimeError("XPU out of memory. Tried to allocate 20.00 GiB"),
    "level zero": lambda: RuntimeError("Native API failed. UR_RESULT_ERROR_OUT_OF_DEVICE_MEMORY"),
    "directml": lambda: RuntimeError(
        "Could not allocate tensor with 4294967296 bytes. There is not enough GPU video memory available!"
    ),
    "cpu": lambda: RuntimeError(
        "[enforce fail at alloc_cpu.cpp:127] err == 0. DefaultCPUAllocator: can't allocate memory: you tried to"
        " allocate 4096 bytes. Error code 12 (Cannot allocate memory)"
    ),
    "cpu windows": lambda: RuntimeError(
        "[enforce fail at alloc_cpu.cpp:80] data. DefaultCPUAllocator: not enough memory: you tried to allocate 4"
    ),
    "cublas": lambda: RuntimeError("CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate(handle)`"),
    "cudnn": lambda: RuntimeError("cuDNN error: CUDNN_STATUS_ALLOC_FAILED"),
    "c++": lambda: RuntimeError("std::bad_alloc"),
    "python": MemoryError,
    "system": lambda: OSError(12, "Cannot allocate memory"),
}


def exhausted_above(limit, error=EXHAUSTED["cuda"]):
    """The device holds ``limit`` views, guidance included."""

    def fails(call, x):
        if x.shape[0] > limit:
            raise error()

    return fails


@pytest.mark.parametrize("kind", EXHAUSTED)
def test_every_form_of_exhausted_memory_halves_the_chunk(kind):
    model = opinionated()
    whole, _ = run_node(model, SPACE, RIG, steps=1)
    model.model.calls.clear()
    model.model.fails = exhausted_above(2, EXHAUSTED[kind])
    views, _ = run_node(model, SPACE, RIG, steps=1)
    assert torch.equal(views["samples"], whole["samples"])
    assert [x.shape[0] for x, _ in model.model.calls] == [5, 2, 2, 1]


def test_the_allocator_of_this_machine_is_understood():
    with pytest.raises(RuntimeError) as caught:
        torch.empty(1 << 60, dtype=torch.uint8)
    assert host.is_out_of_memory(caught.value)


@pytest.mark.parametrize(
    "error",
    [
        RuntimeError("mat1 and mat2 shapes cannot be multiplied (2x3 and 4x5)"),
        RuntimeError("CUDA error: an illegal memory access was encountered"),
        RuntimeError("expected memory format torch.channels_last"),
        ValueError("not enough memory"),
        OSError(5, "Input/output error"),
        KeyboardInterrupt(),
    ],
)
def test_other_errors_are_no_exhausted_memory(error):
    assert not host.is_out_of_memory(error)


def test_a_lone_view_gets_a_second_chance(monkeypatch):
    """Once per call, after the cache was emptied; the picture is the same."""
    model = opinionated()
    whole, _ = run_node(model, SPACE, RIG, views_per_batch=1)
    emptied = []
    monkeypatch.setattr(comfy.model_management, "soft_empty_cache", lambda *_: emptied.append(len(model.model.calls)))
    model.model.calls.clear()

    def fails(call, x):
        if call in (2, 9):
            raise EXHAUSTED["accelerator"]()

    model.model.fails = fails
    views, _ = run_node(model, SPACE, RIG, views_per_batch=1)
    assert torch.equal(views["samples"], whole["samples"])
    assert len(model.model.calls) == 15 + 2 and len(emptied) >= 2


@pytest.mark.parametrize("seed", range(4))
def test_random_failures_end_well(seed):
    """One call in twenty fails: runs end with the picture of a run without failures."""
    model = opinionated()
    whole, _ = run_node(model, SPACE, RIG, steps=8)
    draws = random.Random(seed)
    model.model.fails = lambda call, x: exhausted_above(0)(call, x) if draws.random() < 0.05 else None
    views, _ = run_node(model, SPACE, RIG, steps=8)
    assert torch.equal(views["samples"], whole["samples"])


@pytest.mark.parametrize("limit, expected", [(4, [5, 2, 2, 1]), (2, [5, 2, 2, 1]), (1, [5, 2, 1, 1, 1, 1, 1])])
def test_out_of_memory_halves_the_chunk(limit, expected):
    """The failed sizes are tried once, smaller ones stay for the rest of the run, and the picture is the same."""
    model = opinionated()
    whole, _ = run_node(model, SPACE, RIG)
    model.model.calls.clear()
    model.model.fails = exhausted_above(limit)
    views, _ = run_node(model, SPACE, RIG)
    assert torch.equal(views["samples"], whole["samples"])
    sizes = [x.shape[0] for x, _ in model.model.calls]
    assert sizes[: len(expected)] == expected
    assert max(sizes[len(expected) :]) <= limit, "the size that failed is not tried again"


def test_out_of_memory_at_one_view_is_an_error():
    model = gaussian()
    model.model.fails = exhausted_above(0)
    with pytest.raises(MemoryError) as caught:
        run_node(model, SPACE, RIG)
    one_line(caught.value, "SyncTweediesSampler", "one view", "use smaller views", "--lowvram")
    assert isinstance(caught.value.__cause__, MemoryError)
    assert [x.shape[0] for x, _ in model.model.calls] == [5, 2, 1, 1]


def test_other_errors_are_not_retried():
    model = gaussian()

    def fails(call, x):
        raise RuntimeError("mat1 and mat2 shapes cannot be multiplied")

    model.model.fails = fails
    with pytest.raises(RuntimeError, match="mat1 and mat2"):
        run_node(model, SPACE, RIG)
    assert len(model.model.calls) == 1
