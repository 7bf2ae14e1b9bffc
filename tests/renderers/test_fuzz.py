"""Changed files: every reader answers or refuses in one line with the file's name, and does not hang."""

from __future__ import annotations

import random

import pytest
from fuzz.attack import attack
from fuzz.mutate import mutated
from fuzz.readers import READERS


@pytest.mark.parametrize("name", READERS)
def test_changed_files_are_read_or_refused_in_one_line(name, tmp_path):
    found = attack(READERS[name], runs=300, seed=1, folder=tmp_path)
    assert found.foreign == []
    assert found.runs == 300
    assert found.refused > 20, "the changes do not reach the reader"
    assert (found.over or 0) <= 0, f"{found.over} bytes more than 4 times the file and 64 MB"


def test_changes_are_repeatable_and_bounded():
    data = bytes(range(256)) * 4
    first = [mutated(data, random.Random(i), b"other") for i in range(200)]
    assert first == [mutated(data, random.Random(i), b"other") for i in range(200)]
    assert max(map(len, first)) <= 4 * len(data) + 4096
    assert sum(out != data for out in first) > 190
