"""Warps: bit-exact where they move cells, equal to their slow twins, honest about what they do to noise."""

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from oracles.illusion_twins import TWINS, reads
from oracles.twins import F64, dense, draw, generator
from syncpack.renderers.illusions.parts import PartWarp
from syncpack.renderers.illusions.warp import Permutation, Warp, label_of
from syncpack.renderers.illusions.warps import WARP_NAMES, WARPS, Custom, Masked, warp
from syncpack.sync_core.linear_map import LinearMap

MOVING = [w for w in WARPS if issubclass(w, Permutation) and w is not Masked] + [type(warp("negate"))]


def wavy(high: int, wide: int) -> torch.Tensor:
    """Coordinates that fold and leave the picture."""
    y = ((torch.arange(high) + 0.5) / high)[:, None].expand(high, wide)
    x = ((torch.arange(wide) + 0.5) / wide).expand(high, wide)
    return torch.stack([x + 0.1 * torch.sin(12 * y), y + 0.1 * torch.sin(9 * x), x], -1)


def some(name: str, sampling: str = "nearest", high: int = 64, wide: int = 64, **more) -> Warp:
    if name == "custom":
        more["coordinates"] = wavy(high, wide)
    if name in ("rotate", "inner_rotate", "polar", "cylinder_mirror", "cone_mirror", "custom"):
        more["sampling"] = sampling
    return warp(name, **more)


@pytest.mark.parametrize("side", [64, 100, 256])
@pytest.mark.parametrize("kind", MOVING, ids=lambda k: k.name)
def test_what_moves_cells_comes_back_bit_for_bit(kind: type[Warp], side: int) -> None:
    x, w = torch.randn(2, 3, side, side, generator=generator(1)), kind()
    assert w.label(side, side) == label_of(w.map(side, side)) == ("orthogonal" if w.name == "negate" else "permutation")
    view = w.view(x)
    assert torch.equal(w.inverse(view), x)
    assert torch.equal(w.view(w.inverse(x)), x)
    assert torch.equal(view.flatten(2), w.map(side, side).apply(x.reshape(6, -1).T).T.reshape(2, 3, -1))
    assert (w.name == "identity") == torch.equal(view, x)


@pytest.mark.parametrize("kind", [k for k in MOVING if not k.square], ids=lambda k: k.name)
def test_any_rectangle_will_do(kind: type[Warp]) -> None:
    x, w = torch.randn(1, 37, 101, generator=generator(1)), kind()
    assert torch.equal(w.inverse(w.view(x)), x)


SHAPES = {"square": (16, 16), "odd": (15, 15), "wide": (13, 22)}


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("name", sorted(TWINS))
@pytest.mark.parametrize("sampling", ["nearest", "bilinear"])
def test_maps_equal_their_slow_twins(name: str, shape: str, sampling: str) -> None:
    high, wide = SHAPES[shape]
    w = some(name, sampling, high, wide, **({"factor": 2} if name == "scale" else {}))
    if w.problem(high, wide) is not None:
        with pytest.raises(ValueError, match=f"^warp {name} cannot take {wide} x {high} pixels: it needs "):
            w.check(high, wide)
        return
    expected = torch.zeros(high * wide, high * wide, dtype=F64)
    for r in range(high):
        for c in range(wide):
            for a, b, share in reads(w, r, c, high, wide):
                expected[r * wide + c, a * wide + b] += share
    torch.testing.assert_close(dense(w.map(high, wide)), expected, rtol=0, atol=2e-6)


@pytest.mark.parametrize("name", WARP_NAMES)
def test_views_equal_their_maps(name: str) -> None:
    w, picture = some(name), draw(2, 3, 64, 64)
    expected = w.map(64, 64).apply(picture.reshape(6, -1).T).T.reshape(picture.shape)
    torch.testing.assert_close(w.view(picture), expected, rtol=0, atol=1e-6)


def test_every_warp_has_a_twin_or_a_test_of_its_own() -> None:
    others = {"jigsaw", "mask", *(w.name for w in WARPS if issubclass(w, PartWarp))}
    assert set(TWINS) | others == set(WARP_NAMES)
    assert len(set(WARP_NAMES)) == len(WARPS)


@pytest.mark.parametrize("side", [16, 33, 64, 100])
@pytest.mark.parametrize("seed", [0, 1, 2])
def test_jigsaw_pieces_keep_their_shape(side: int, seed: int) -> None:
    """Every piece lands on exactly the pixels of one piece, turned about the puzzle's middle by whole quarters."""
    w = warp("jigsaw", seed=seed)
    pieces, order = w.pieces(side), w.order(side, side)
    assert torch.equal(pieces.unique(), torch.arange(-1 if side % 2 else 0, 16))
    if side >= 64:
        sizes = torch.bincount(pieces[pieces >= 0], minlength=16)
        assert int(sizes.min()) > 0.6 * side**2 / 16  # no piece is eaten by the others' knobs
    seen = pieces.flatten()[order].reshape(side, side)
    for place in range(16):
        inside = pieces == place
        shown = seen[inside].unique()
        assert len(shown) == 1 and int(shown[0]) // 4 == place // 4
        index = torch.arange(side * side).reshape(side, side)
        turned = torch.rot90(index, -((place - int(shown[0])) % 4))
        assert torch.equal(order.reshape(side, side)[inside], turned[inside])
    assert not torch.equal(order, torch.arange(side * side))


def test_jigsaw_has_knobs() -> None:
    """Straight cuts would put every pixel of a row of pieces into it."""
    side = 64
    pieces = warp("jigsaw").pieces(side)
    straight = pieces[8::16, 8::16].repeat_interleave(16, 0).repeat_interleave(16, 1)
    assert 0.03 < float((pieces != straight).double().mean()) < 0.2


def test_seeds_and_parameters_change_the_warp_and_nothing_else_does() -> None:
    for name in ("patch_permute", "pixel_permute", "jigsaw"):
        orders = [warp(name, seed=s).order(64, 64) for s in (3, 3, 4)]
        torch.manual_seed(5)
        assert torch.equal(orders[0], orders[1]) and not torch.equal(orders[0], orders[2])
        assert torch.equal(warp(name, seed=3).order(64, 64), orders[0])


@settings(max_examples=25)
@given(st.sampled_from(sorted({*TWINS, "jigsaw"})), st.integers(16, 24), st.integers(0, 99), st.booleans())
def test_adjoint_law(name: str, side: int, seed: int, bilinear: bool) -> None:
    """<f z, w> = <z, f^T w>."""
    w = some(name, "bilinear" if bilinear else "nearest", side, side, **({"factor": 1} if name == "scale" else {}))
    matrix = w.map(side, side)
    z, v = draw(side * side, 1, seed=seed), draw(side * side, 1, seed=seed + 1)
    left = float((matrix.apply(z) * v).sum())
    assert left == pytest.approx(float((z * matrix.transpose().apply(v)).sum()), abs=1e-5)


def statistics(noise: torch.Tensor) -> tuple[float, float, float, float]:
    """Mean, variance, correlation with the right and the lower neighbour."""
    across = (noise[..., 1:] * noise[..., :-1]).mean() / noise.square().mean()
    down = (noise[..., 1:, :] * noise[..., :-1, :]).mean() / noise.square().mean()
    return float(noise.mean()), float(noise.var()), float(across), float(down)


@pytest.mark.parametrize("kind", MOVING, ids=lambda k: k.name)
def test_orthogonal_warps_leave_noise_white(kind: type[Warp]) -> None:
    noise = kind().view(draw(16, 64, 64, seed=3))
    spread = 5 / math.sqrt(noise.numel())
    mean, variance, across, down = statistics(noise)
    assert abs(mean) < spread and abs(variance - 1) < 2 * spread and max(abs(across), abs(down)) < spread


@pytest.mark.parametrize(
    ("name", "label", "variance", "correlation"),
    [
        ("inner_rotate", "not invertible", 1.0, 0.03),  # nearest: as strong as before, but repeated cells
        ("rotate", "not invertible", None, 0.08),
        ("blur", "linear", 0.08, 0.7),
        ("scale", "not invertible", 1 / 64, 0.8),
        ("polar", "not invertible", None, 0.2),
        ("cylinder_mirror", "not invertible", None, 0.1),
        ("cone_mirror", "not invertible", None, 0.05),
    ],
)
def test_warps_that_colour_noise_say_so(name: str, label: str, variance: float | None, correlation: float) -> None:
    w = some(name)
    assert w.label(64, 64) == label
    with pytest.raises(ValueError, match=f"^warp {name} is {label} at 64 x 64: it has no exact inverse$"):
        w.inverse(torch.zeros(1, 64, 64))
    _, found, across, down = statistics(w.view(draw(16, 64, 64, seed=3)))
    assert variance is None or found == pytest.approx(variance, rel=0.1)
    assert max(across, down) > correlation


def test_bilinear_turns_weaken_noise_and_nearest_ones_do_not() -> None:
    noise = draw(16, 64, 64, seed=3)
    inside = warp("inner_rotate").view(torch.ones(64, 64)) > 0
    weak = warp("inner_rotate", sampling="bilinear").view(noise)[:, inside].var()
    assert float(weak) < 0.9 < 0.97 < float(warp("inner_rotate").view(noise)[:, inside].var())


@pytest.mark.parametrize("name", ["inner_rotate", "rotate"])
def test_turns_by_quarters_are_the_quarter_turns(name: str) -> None:
    x = draw(1, 64, 64)
    for quarters in (1, 2, 3, -1):
        w = warp(name, angle=90.0 * quarters, **({"radius": 0.5} if name == "inner_rotate" else {}))
        view, whole = w.view(x), torch.rot90(x, -quarters, (1, 2))
        if name == "rotate":
            assert torch.equal(view, whole)
        else:
            row, column = torch.meshgrid(torch.arange(64) - 31.5, torch.arange(64) - 31.5, indexing="ij")
            inside = torch.hypot(row, column) < 32
            assert torch.equal(view[:, inside], whole[:, inside]) and torch.equal(view[:, ~inside], x[:, ~inside])


@pytest.mark.parametrize("name", ["polar", "cylinder_mirror", "cone_mirror"])
@pytest.mark.parametrize("shape", [(64, 64), (48, 80)])
def test_cells_know_where_they_are_seen(name: str, shape: tuple[int, int]) -> None:
    """seen_at undoes reads: the view's position of the place that a view pixel looks at is the pixel itself."""
    w = some(name, "bilinear")
    row, column = (p.reshape(shape) for p in w.reads(*shape))
    back = w.seen_at(*shape)
    assert back is not None
    seen = torch.stack([b.reshape(shape) for b in back])
    found = 0
    for r in range(4, shape[0] - 4):
        for c in range(4, shape[1] - 4):
            y, x = float(row[r, c]), float(column[r, c])
            if not (1 < y < shape[0] - 1 and 1 < x < shape[1] - 1):
                continue
            i, j = int(y - 0.5), int(x - 0.5)
            corner = seen[:, i : i + 2, j : j + 2]
            if bool(corner.isnan().any()) or float(corner[1].max() - corner[1].min()) > shape[1] / 4:
                continue  # the border, or the polar seam
            down, right = y - 0.5 - i, x - 0.5 - j
            share = torch.tensor([[1 - down], [down]]) @ torch.tensor([[1 - right, right]])
            at = (corner * share).sum((1, 2))
            slack = 0.5 + 0.5 * float((corner.amax((1, 2)) - corner.amin((1, 2))).max())
            assert abs(float(at[0]) - r - 0.5) < slack and abs(float(at[1]) - c - 0.5) < slack
            found += 1
    assert found > 0.4 * shape[0] * shape[1]


@pytest.mark.parametrize("name", [n for n in WARP_NAMES if n not in ("mask",)])
def test_frames_go_from_the_picture_to_its_reading(name: str) -> None:
    w, image = some(name, high=96, wide=96), torch.rand(96, 96, 3, generator=generator(2))
    frames = w.frames(image, 5)
    assert frames.shape == (5, 96, 96, 3)
    assert torch.equal(frames[0], image)
    assert torch.equal(frames[-1], w.reading(image.movedim(-1, 0)).movedim(0, -1).clamp(0, 1))
    assert float(frames.min()) >= 0 and float(frames.max()) <= 1
    if name != "identity":
        assert all(float((frames[2] - end).abs().max()) > 0.02 for end in (frames[0], frames[-1]))
    with pytest.raises(ValueError, match=r"^1 frames show no transformation; use at least 2$"):
        w.frames(image, 1)


@pytest.mark.parametrize("name", ["flip_x", "rotate_180", "jigsaw", "square_hinge", "patch_permute", "skew"])
def test_frames_arrive_at_the_reading(name: str) -> None:
    """The cells' own way ends where the view has them, so the last step does not jump."""
    w, picture = warp(name), torch.rand(3, 48, 48, generator=generator(2))
    torch.testing.assert_close(w.frame(picture, 1.0), w.view(picture), rtol=0, atol=1e-6)
    torch.testing.assert_close(w.frame(picture, 0.0), picture, rtol=0, atol=1e-6)


def test_readings_of_pictures_are_about_the_middle_grey() -> None:
    picture = torch.rand(3, 32, 32, generator=generator(2))
    torch.testing.assert_close(warp("negate").reading(picture), 1 - picture)
    assert torch.equal(warp("rotate", angle=45.0).reading(picture)[:, 0, 0], torch.full((3,), 0.5))


def test_custom_reports_what_it_folds_and_loses() -> None:
    x = torch.tensor([0.1, 0.1, 0.6, 1.5])  # cell 0 twice, cell 2 once, 1 and 3 never; the last pixel is outside
    w = Custom(coordinates=torch.stack([x.expand(2, 4), torch.tensor([[0.2], [0.7]]).expand(2, 4)], -1))
    assert w.multiplicity(2, 4).tolist() == [[2, 0, 1, 0]] * 2
    assert w.report(2, 4) == (
        "25.0% of the view looks outside 0..1 and is background; of the picture's cells 25.0% are seen more than once "
        "(at most 2 times), 50.0% never"
    )
    assert torch.equal(w.map(2, 4).row_counts(), torch.tensor([1, 1, 1, 0] * 2))
    finer = Custom(coordinates=wavy(8, 8)).map(16, 16)
    assert isinstance(finer, LinearMap) and finer.rows == 256


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: warp("spiral"), r"^warp 'spiral' is unknown; use one of identity, flip_x"),
        (lambda: warp("skew", seed=1), r"^warp skew has no parameter seed; it has slope$"),
        (lambda: warp("identity", seed=1), r"^warp identity has no parameter seed; it has none$"),
        (lambda: warp("inner_circle", radius=0.7), r"^radius 0.7: use a share of the shorter side"),
        (lambda: warp("patch_permute", patches=0), r"^patches 0: use 1 or more"),
        (lambda: warp("rotate", angle=math.inf), r"^angle inf is no angle"),
        (lambda: warp("rotate", sampling="cubic"), r"^sampling 'cubic' is unknown; use one of nearest, bilinear, lod"),
        (lambda: warp("custom"), r"^coordinates of shape \(0,\) are no picture"),
        (lambda: warp("custom", coordinates=torch.full((2, 2, 2), math.nan)), r"^coordinates hold values that are no"),
        (lambda: warp("mask", mask=torch.full((2, 2), 2.0)), r"^a mask needs values of 0..1$"),
        (lambda: warp("rotate_90").check(64, 96, 8), r"^warp rotate_90 cannot take 768 x 512 pixels: it needs a square "
         r"\(cells of 8 pixels\); use 512 x 512$"),
        (lambda: warp("scale").check(100, 64), r"^warp scale cannot take 64 x 100 pixels: it needs multiples of 8 "
         r"cells; use 64 x 96$"),
        (lambda: warp("jigsaw").view(torch.zeros(8, 8)), r"^warp jigsaw cannot take 8 x 8 pixels: it needs 16 rows"),
        (lambda: warp("blur", sigma=4.0).map(512, 512), r"^blur of sigma 4 at 512 x 512 needs a map of 9765 million"),
        (lambda: warp("square_hinge", count=4).check(3, 9), r"it needs 4 rows and columns at least; use 9 x 4$"),
    ],
)  # fmt: skip
def test_bad_input_is_one_clear_line(call, message: str) -> None:
    with pytest.raises(ValueError, match=message) as caught:
        call()
    assert "\n" not in str(caught.value)
