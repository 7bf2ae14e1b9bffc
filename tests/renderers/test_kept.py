"""Results that are kept for another run."""

import copy

import pytest
from syncpack.renderers.kept import Kept


def test_built_once_and_the_least_recently_used_goes_first() -> None:
    kept, built = Kept(2), []

    def get(key: str) -> str:
        return kept.get(key, lambda: built.append(key) or key.upper())

    assert [get(key) for key in "abacb"] == ["A", "B", "A", "C", "B"]
    assert built == ["a", "b", "c", "b"]


def test_without_a_limit_everything_is_kept() -> None:
    kept, built = Kept(), []
    for key in [*range(50), *range(50)]:
        kept.get(key, lambda key=key: built.append(key))
    assert built == list(range(50))


def test_what_fails_is_not_kept_and_what_is_built_may_keep_its_parts() -> None:
    kept = Kept(1)
    with pytest.raises(ZeroDivisionError):
        kept.get("a", lambda: 1 // 0)
    assert kept.get("a", lambda: kept.get("part", lambda: 1) + 1) == 2
    assert kept.get("a", lambda: 3) == 2
    assert kept.get("part", lambda: 4) == 4


def test_copies_share_what_is_kept() -> None:
    kept = Kept()
    kept.get("a", lambda: 1)
    assert copy.deepcopy({"kept": kept})["kept"].get("a", lambda: 2) == 1
