"""All sixty processes against the published table written out in dense matrices (twin_processes), VP and flow."""

import itertools

import pytest
import torch
from oracles.parameterization import ddim_levels
from oracles.twin_processes import CANONICAL, INSTANCE, JOINT, Flow, Twin, Vp
from oracles.twins import F64, dense, draw, mean_matrix, random_views
from syncpack.sync_core.aggregate import Aggregator
from syncpack.sync_core.process_steps import SyncMaps, run_process
from syncpack.sync_core.processes import CASES, PROCESSES, Term, parse, process
from syncpack.sync_core.views import ViewSet
from torch import Tensor

NUMBERS = range(60)
CHANNELS, BATCH, TOLERANCE = 2, 2, 1e-10
VIEWS = random_views(5, count=3, height=3, width=3, canonical=(3, 4))
OUTLOOK = random_views(6, count=3, height=3, width=3, canonical=(3, 4), negative=True, background=0.3)


def network(x: Tensor) -> Tensor:
    """A nonlocal, nonlinear network, another one for each of the three views; x [B*3, C, h, w]."""
    size = x[0].numel()
    mix, back = draw(3, size, size, seed=1) / size**0.5, draw(3, size, size, seed=2) / size**0.5
    flat = x.reshape(-1, 3, size)
    hidden = torch.tanh(torch.einsum("bni,nij->bnj", flat, mix) + 0.3)
    return torch.einsum("bni,nij->bnj", hidden, back).reshape(x.shape)


def to_rows(views: ViewSet, x: Tensor) -> Tensor:
    """One canonical's views [N, C, h, w] -> [N*h*w, C]."""
    return x.movedim(1, 0).reshape(x.shape[1], -1).T


def to_views(views: ViewSet, rows: Tensor) -> Tensor:
    return rows.T.reshape(-1, views.count, views.height, views.width).movedim(0, 1)


def twin_of(views: ViewSet, keep_background: bool = False) -> Twin:
    """keep_background: background pixels are further cells of the canonical signal that only they see."""
    f, A = dense(views.forward), mean_matrix(views)
    if keep_background:
        own = torch.eye(f.shape[0], dtype=F64)[:, ~views.covered.flatten()]
        f, A = torch.cat([f, own], dim=1), torch.cat([A, own.T])
    return Twin(f, A, lambda x: to_rows(views, network(to_views(views, x))))


def states(views: ViewSet, scale: float) -> tuple[Tensor, Tensor]:
    w = scale * draw(BATCH * views.count, CHANNELS, views.height, views.width, seed=3)
    return w, scale * draw(BATCH, CHANNELS, *views.canonical, seed=4)


def engine_step(number: int, views: ViewSet, to: Vp | Flow, w: Tensor | None, z: Tensor | None, ratio: float | None):
    """Clean estimates from the engine at the host's scale (VE for VP)."""
    alpha = to.a if isinstance(to, Vp) else 1.0
    sigma = to.s / alpha
    return run_process(
        process(number),
        SyncMaps(Aggregator(views)),
        lambda x: x - sigma * network(alpha * x),
        sigma,
        ratio,
        w if number not in CANONICAL else None,
        z if number not in INSTANCE else None,
    )


def compare_run(number: int, views: ViewSet, steps: list[Vp] | list[Flow], twin: Twin) -> float:
    """Largest relative difference after the steps: engine and Euler at the host's scale against the twin's own."""
    first = steps[0]
    w, z = states(views, 1.0)
    scale = first.a if isinstance(first, Vp) else 1.0
    twin_w = [to_rows(views, one) for one in w.split(views.count)]
    twin_z = [one.reshape(CHANNELS, -1).T for one in z]
    w, z = w / scale, z / scale
    for to in steps:
        before, after = (to.a, to.a2) if isinstance(to, Vp) else (1.0, 1.0)
        ratio = (to.s2 / after) / (to.s / before)
        result = engine_step(number, views, to, w, z, ratio)
        w = w if result.w is None else ratio * w + (1 - ratio) * result.w
        z = z if result.z is None else ratio * z + (1 - ratio) * result.z
        for b in range(BATCH):
            new_w, new_z = twin.step(number, to, twin_w[b], twin_z[b])
            twin_w[b] = twin_w[b] if new_w is None else new_w
            twin_z[b] = twin_z[b] if new_z is None else new_z
        scale = after
    worst = 0.0
    for b in range(BATCH):
        if number not in CANONICAL:
            got = scale * to_rows(views, w.split(views.count)[b])
            worst = max(worst, float((got - twin_w[b]).abs().max() / twin_w[b].abs().max()))
        if number not in INSTANCE:
            got = scale * z[b].reshape(CHANNELS, -1).T
            worst = max(worst, float((got - twin_z[b]).abs().max() / twin_z[b].abs().max()))
    return worst


def vp_steps(count: int) -> list[Vp]:
    levels = ddim_levels(count, final_alpha_bar=1.0)
    return [Vp(a.alpha, a.sigma, b.alpha, b.sigma) for a, b in itertools.pairwise(levels)]


def flow_steps(count: int) -> list[Flow]:
    sigmas = torch.linspace(1, 0, count + 1, dtype=F64).tolist()
    return [Flow(a, b) for a, b in itertools.pairwise(sigmas)]


@pytest.mark.parametrize("number", NUMBERS)
def test_one_ddim_step_is_the_published_one(number: int) -> None:
    assert compare_run(number, VIEWS, vp_steps(5)[2:3], twin_of(VIEWS)) < TOLERANCE


@pytest.mark.parametrize("number", NUMBERS)
def test_a_ddim_run_is_the_published_one(number: int) -> None:
    assert compare_run(number, VIEWS, vp_steps(5), twin_of(VIEWS)) < TOLERANCE


@pytest.mark.parametrize("number", NUMBERS)
def test_for_flow_models_the_same_processes_average_velocities(number: int) -> None:
    assert compare_run(number, VIEWS, flow_steps(5), twin_of(VIEWS)) < TOLERANCE


@pytest.mark.parametrize("number", INSTANCE)
def test_background_pixels_keep_their_own_values(number: int) -> None:
    """F leaves what no cell is behind as it is: as if each background pixel had a cell of its own."""
    assert not OUTLOOK.fully_covered
    assert compare_run(number, OUTLOOK, vp_steps(5), twin_of(OUTLOOK, keep_background=True)) < TOLERANCE


@pytest.mark.parametrize("number", CANONICAL)
def test_canonical_processes_see_background_as_zero(number: int) -> None:
    assert compare_run(number, OUTLOOK, vp_steps(5), twin_of(OUTLOOK)) < TOLERANCE


@pytest.mark.parametrize("number", [*range(54, 60)])
def test_joint_processes_keep_the_views_own_background(number: int) -> None:
    """Background pixels of w move as if nothing were synchronised (process 0), whatever z does."""
    to = vp_steps(5)[2]
    w, z = states(OUTLOOK, 1 / to.a)
    ratio = (to.s2 / to.a2) / (to.s / to.a)
    joint = engine_step(number, OUTLOOK, to, w, z, ratio).w
    plain = engine_step(0, OUTLOOK, to, w, None, None).w
    background = ~OUTLOOK.covered.repeat(BATCH, 1, 1)[:, None].expand_as(joint)
    torch.testing.assert_close(joint[background], plain[background], rtol=0, atol=1e-12)


@pytest.mark.parametrize("number", NUMBERS)
def test_moves_state_says_whether_the_clean_estimate_depends_on_the_step(number: int) -> None:
    """Meaning of the flag, from the twin alone: solve x' = r x + (1 - r) D' for D' at two ratios; a pure denoised map
    gives the same D' for both."""
    twin, at = twin_of(VIEWS), vp_steps(5)[2]
    w, z = (to_rows(VIEWS, draw(3, 1, 3, 3, seed=3)), draw(12, 1, seed=4))
    estimates = []
    for share in (0.8, 0.35):
        sigma = share * at.s / at.a
        to = Vp(at.a, at.s, 1.0, sigma)
        found = []
        for old, new in zip((w, z), twin.step(number, to, w, z), strict=True):
            if new is not None:
                found.append((new - share * old / at.a) / (1 - share))
        estimates.append(found)
    change = max(float((a - b).abs().max()) for a, b in zip(*estimates, strict=True))
    assert process(number).moves_state == (change > 1e-6), change
    assert change < 1e-10 or change > 1e-3  # nothing in between: the test cannot hang on its threshold


@pytest.mark.parametrize("number", NUMBERS)
def test_a_pure_denoised_map_needs_no_ratio_and_a_moving_one_says_so(number: int) -> None:
    to = vp_steps(5)[2]
    w, z = states(VIEWS, 1 / to.a)
    if process(number).moves_state:
        with pytest.raises(ValueError, match=f"process {number} moves the state"):
            engine_step(number, VIEWS, to, w, z, None)
        result = engine_step(number, VIEWS, to, w, z, 1.0)  # two equal noise levels: a step of nothing
        assert all(bool(v.isfinite().all()) for v in (result.w, result.z) if v is not None)
    else:
        a, b = (engine_step(number, VIEWS, to, w, z, ratio) for ratio in (None, 0.3))
        for left, right in ((a.w, b.w), (a.z, b.z)):
            assert (left is None and right is None) or torch.equal(left, right)


def test_the_unsynchronised_process_is_the_model_bit_for_bit() -> None:
    to = vp_steps(5)[2]
    w, _ = states(VIEWS, 1 / to.a)
    sigma = to.s / to.a
    assert torch.equal(engine_step(0, VIEWS, to, w, None, None).w, w - sigma * network(to.a * w))


@pytest.mark.parametrize("number", NUMBERS)
def test_the_network_is_evaluated_no_more_than_needed(number: int) -> None:
    """Once per distinct input: only processes that read both w and f(z) pay twice."""
    to, calls = vp_steps(5)[2], []
    w, z = states(VIEWS, 1 / to.a)

    def counted(x: Tensor) -> Tensor:
        calls.append(x)
        return 0.5 * x

    rule = process(number)
    run_process(rule, SyncMaps(Aggregator(VIEWS)), counted, 1.0, 0.5, w if rule.w else None, z if rule.z else None)
    assert len(calls) == (2 if number in JOINT else 1)


def test_the_table_is_complete() -> None:
    assert [p.number for p in PROCESSES] == list(NUMBERS)
    state = {n: "instance" for n in INSTANCE} | {n: "canonical" for n in CANONICAL} | {n: "joint" for n in JOINT}
    assert {p.number: p.state for p in PROCESSES} == state
    assert [p.number for p in PROCESSES if p.result == "z"] == [*CANONICAL, 57, 58, 59]
    assert len({(p.w, p.z) for p in PROCESSES}) == 60
    assert {name: p.number for name, p in CASES.items()} == {f"case {n}": n for n in range(1, 6)}
    assert all(p.label.startswith(str(p.number)) for p in PROCESSES)


def test_formulas_read_back_as_written() -> None:
    for p in PROCESSES:
        for formula in filter(None, (p.w, p.z)):
            assert str(parse(formula)) == formula
    assert parse("psi(w, F(w))") == Term("psi", (Term("w"), Term("F", (Term("w"),))))


@pytest.mark.parametrize("formula", ["x", "f(w, z)", "psi(w)", "w + z", "G(w)", "f(w=z)", "1", "f(*w)"])
def test_a_formula_that_is_none_is_refused(formula: str) -> None:
    with pytest.raises(ValueError, match="is not a process formula"):
        parse(formula)


@pytest.mark.parametrize("number", [-1, 60, 1000])
def test_an_unknown_process_is_refused(number: int) -> None:
    with pytest.raises(ValueError, match=f"process {number} does not exist; use 0 to 59"):
        process(number)
