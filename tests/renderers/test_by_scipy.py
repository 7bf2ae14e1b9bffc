"""What scipy does for the pack, and what is said without it."""

import sys

import numpy as np
import pytest
from syncpack.renderers import by_scipy


def test_where_scipy_is_missing_one_line_says_what_to_do(monkeypatch) -> None:
    monkeypatch.setitem(sys.modules, "scipy.spatial", None)
    with pytest.raises(RuntimeError, match=r"needs scipy.*pip install scipy") as error:
        by_scipy.tree(np.zeros((1, 3)))
    assert "\n" not in str(error.value)


def test_nearest_points_and_the_bound() -> None:
    points = np.array([[0.0, 0], [1, 0], [5, 5]])
    distance, which = by_scipy.tree(points).query(np.array([[0.9, 0], [9, 9]]), distance_upper_bound=2)
    assert which.tolist() == [1, 3] and distance[0] == pytest.approx(0.1) and distance[1] == np.inf


def test_distances_within_a_mask_and_the_nearest_outside() -> None:
    mask = np.array([[False, True, True, True]])
    assert by_scipy.depth_within(mask).tolist() == [[0, 1, 2, 3]]
    assert by_scipy.nearest_outside(mask).tolist() == [[[0, 0, 0, 0]], [[0, 0, 0, 0]]]
