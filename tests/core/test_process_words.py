"""Processes in words: one sentence each, true of its formula, and the table of them in the sampler's help page.

SYNC_WRITE_CONTRACT=1 rewrites that table.
"""

import os
import re
from pathlib import Path

import pytest
from syncpack.sync_core.process_words import words
from syncpack.sync_core.processes import PROCESSES

PAGE = Path(__file__).resolve().parents[2] / "web" / "docs" / "SyncTweediesSampler.md"
HEAD = "## Processes in words"
# What stands right inside an average, in the paper's letters, and what it is called.
LETTERS = {"eps": "noise", "phi": "clean estimate", "psi": "next image"}


def test_no_two_processes_sound_alike():
    assert len({words(process) for process in PROCESSES}) == len(PROCESSES) == 60


@pytest.mark.parametrize("process", PROCESSES, ids=lambda process: str(process.number))
def test_the_words_say_what_is_averaged(process):
    """Read off the text of the formula, another way: which letter follows F( or A(."""
    said = words(process)
    if process.name or process.state == "joint":
        return
    formula = process.w or process.z
    for letters, name in LETTERS.items():
        assert (name in said) == bool(re.search(rf"[FA]\({letters}\(", formula)), formula
    inputs = re.search(r"eps\((F|A)\(w", formula)
    assert ("model input" in said) == bool(inputs)
    assert ("canonical state" in said) == bool(process.z)
    assert said.count("image for the") == len(re.findall(r"(?:phi|psi)\([FA]\(w", formula))


def test_joint_processes_say_who_follows():
    joint = [words(process) for process in PROCESSES if process.state == "joint"]
    assert joint[0] == "views and canvas; views take the mean noise of both"
    assert joint[-1] == "views and canvas; canvas takes the mean next image of both"
    assert [("views take" in said) for said in joint] == [True] * 3 + [False] * 3


def test_the_help_page_lists_them():
    formulas = [", ".join(f"`{formula}`" for formula in (process.w, process.z) if formula) for process in PROCESSES]
    # Lines, no table: the side panel that shows them is 240 pixels wide.
    rows = [f"- {p.number} {words(p)}: {formula}" for p, formula in zip(PROCESSES, formulas, strict=True)]
    listed = "\n".join([f"{HEAD}\n", *rows, ""])
    page = PAGE.read_text(encoding="utf-8")
    current = re.sub(rf"{HEAD}\n.*?(?=\n## |\Z)", lambda _: listed, page, flags=re.S)
    if os.environ.get("SYNC_WRITE_CONTRACT"):
        PAGE.write_text(current, encoding="utf-8")
    assert HEAD in page and page == current, "see the head of this file"
