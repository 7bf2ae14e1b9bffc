"""What pairs of splats share: against dense float64 products, what pruning keeps, and solves by it."""

import importlib.util
from dataclasses import replace

import pytest
import torch
from oracles.splat_twins import ball, fog
from splats.test_splat_solve import dense, solver_of
from syncpack.renderers.splats.solve import gram
from syncpack.renderers.splats.solve.gram import PRUNE, gram_matrix
from syncpack.renderers.splats.solve.solve import SplatSolver
from torch import Tensor

BACKENDS = [
    "scipy",
    pytest.param("numba", marks=pytest.mark.skipif(not importlib.util.find_spec("numba"), reason="no numba")),
]


@pytest.fixture(params=BACKENDS)
def backend(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    if request.param == "scipy":
        monkeypatch.setattr(gram, "chosen_backend", lambda name: "torch")
    return request.param


@pytest.fixture(scope="module")
def fogged() -> SplatSolver:
    return solver_of(fog(90, size=0.1), 5, 17)


def matrix_of(solver: SplatSolver, prune: float) -> Tensor:
    """float64 [K, K]."""
    found = gram_matrix(solver.blocks, solver.diagonal, prune)
    assert torch.equal(found.indices[found.offsets[:-1].long()].long(), torch.arange(solver.splats)), "diagonal first"
    out = torch.zeros(found.rows, found.cols, dtype=torch.float64)
    return out.index_put_((found.row_of_entry, found.indices.long()), found.weights.double(), accumulate=True)


def product(solver: SplatSolver) -> Tensor:
    forward, weights, _ = dense(solver)
    return (forward.T * weights) @ forward


def test_unpruned_it_is_the_product(fogged: SplatSolver, backend: str) -> None:
    torch.testing.assert_close(matrix_of(fogged, 0.0), product(fogged), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("prune", [PRUNE, 0.02, 0.2])
def test_pruning_keeps_sums_symmetry_and_sign(fogged: SplatSolver, backend: str, prune: float) -> None:
    whole, found = product(fogged), matrix_of(fogged, prune)
    torch.testing.assert_close(found.sum(1), whole.sum(1), rtol=1e-5, atol=1e-6)
    torch.testing.assert_close(found, found.T, rtol=1e-5, atol=1e-7)
    assert float(torch.linalg.eigvalsh(found)[0]) > -1e-6
    own = whole.diagonal()
    kept = whole >= prune * (own[:, None] * own).sqrt()
    # (where rounding does not decide)
    clear = (whole - prune * (own[:, None] * own).sqrt()).abs() > 1e-6
    off = ~torch.eye(len(whole), dtype=torch.bool) & clear & (whole > 0)
    torch.testing.assert_close(found[off & kept], whole[off & kept], rtol=1e-5, atol=1e-6)
    assert not bool((found[off & ~kept] != 0).any())


def test_parts_change_nothing(fogged: SplatSolver, backend: str, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = gram_matrix(fogged.blocks, fogged.diagonal)
    if backend == "numba":
        from syncpack.renderers.splats.solve import gram_numba

        monkeypatch.setattr(gram_numba, "_ENTRIES", 1)
    else:
        monkeypatch.setattr(gram, "_PRODUCTS", 50)
    parts = gram_matrix(fogged.blocks, fogged.diagonal)
    assert torch.equal(whole.offsets, parts.offsets)
    torch.testing.assert_close(matrix_of(fogged, PRUNE), product(fogged), rtol=0, atol=0.1)
    ones = torch.rand(90, 1, generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close(whole.apply(ones), parts.apply(ones), rtol=1e-5, atol=1e-6)


def test_solves_by_it_show_the_views_as_well(backend: str) -> None:
    """Views that disagree: what back-projection misses more than the best fit is missed to a tenth at most; a plain
    colour comes back as it is."""
    splats = ball(400)
    solver = solver_of(splats, 6, 90)
    many = solver.for_many
    assert many.gram and many is solver.for_many and sum(b.forward.nnz for b in solver.blocks) > many._gram.nnz
    generator = torch.Generator().manual_seed(0)
    known, size = torch.rand(400, 3, generator=generator), (90, 90, 3)
    images = [solver.shown(known, i, torch.ones(size)) + 0.1 * torch.randn(size, generator=generator) for i in range(6)]

    def error(colours: Tensor) -> float:
        missed = [solver.shown(colours, i, image) - image for i, image in enumerate(images)]
        return float(torch.stack(missed).square().mean())

    best = error(replace(solver, iterations=100)(images, ridge=0.1))
    mean = error(solver(images, "mean"))
    assert mean > 1.05 * best
    assert error(many(images, ridge=0.1)) - best < 0.1 * (mean - best)
    plain = many([torch.full((90, 90, 3), 0.3)] * 6)
    torch.testing.assert_close(plain[solver.seen > 0.1], torch.full_like(plain, 0.3)[solver.seen > 0.1])


def test_small_views_are_solved_as_they_are() -> None:
    solver = solver_of(ball(400), 4, 16)
    assert solver.for_many is solver
