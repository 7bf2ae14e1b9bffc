"""`run.py test`: which hosts are tried, with which Python, and what is said of each."""

import os
import sys
from pathlib import Path

import pytest
from syncpack.launcher import testing
from syncpack.launcher.errors import HostError, UsageError


def checkout(folder: Path, version: str = "0.33.0") -> Path:
    (folder / "comfy").mkdir(parents=True)
    (folder / "main.py").write_text("")
    (folder / "comfyui_version.py").write_text(f'__version__ = "{version}"\n')
    return folder


def test_hosts_are_told_from_what_pytest_takes():
    words = ["--host", "pip", "-k", "mesh", "--host=official", "tests/renderers/test_plane.py", "--host", "a folder"]
    assert testing.split_hosts(words) == (
        ["pip", "official", "a folder"],
        ["-k", "mesh", "tests/renderers/test_plane.py"],
    )
    with pytest.raises(UsageError, match="--host needs a value"):
        testing.split_hosts(["-x", "--host"])


def test_a_host_is_a_word_or_a_folder(tmp_path):
    folder = checkout(tmp_path / "comfy ui")
    assert testing.resolve("pip", tmp_path, {"COMFYUI_DIR": str(folder)}) is None
    assert testing.resolve("official", tmp_path, {"COMFYUI_DIR": str(folder)}) == folder
    assert testing.resolve(str(folder), tmp_path, {}) == folder
    assert testing.version(folder) == "0.33.0" and testing.version(tmp_path) == "of unknown version"
    with pytest.raises(UsageError, match="holds no ComfyUI"):
        testing.resolve(str(tmp_path), tmp_path, {})


def test_a_named_python_without_pytest_is_refused(tmp_path):
    bare = tmp_path / "python"
    bare.write_text("#!/bin/sh\nexit 1\n")
    bare.chmod(0o755)
    with pytest.raises((HostError, OSError), match=r"pytest|WinError"):
        testing.test_python(tmp_path, tmp_path, {"SYNCTWEEDIES_PYTHON": str(bare)})
    assert testing.test_python(tmp_path, tmp_path, {"SYNCTWEEDIES_PYTHON": sys.executable}) == sys.executable


def test_processes_share_all_tests_and_leave_a_few_alone(tmp_path, monkeypatch):
    def machine(cores: int, gigabytes: int) -> None:
        monkeypatch.setattr(testing, "_cores", lambda: cores)
        monkeypatch.setattr(testing, "_memory", lambda: gigabytes << 30)

    machine(2, 16)
    assert testing.workers(sys.executable, ["--durations=3"]) == ("-n", "2", "--dist", "loadfile")
    for chosen in (["-k", "mesh"], ["tests/renderers"], ["-n0"], ["--pdb"], ["-s"]):
        assert testing.workers(sys.executable, chosen) == ()
    bare = tmp_path / "python"
    bare.write_text("#!/bin/sh\nexit 1\n")
    bare.chmod(0o755)
    if os.name == "posix":
        assert testing.workers(str(bare), []) == ()
    for cores, gigabytes, workers in ((1, 64, 0), (64, 64, 4), (64, 12, 3), (8, 6, 0)):
        machine(cores, gigabytes)
        assert testing.workers(sys.executable, [])[1:2] == ((str(workers),) if workers else ())


def test_the_machine_is_asked():
    assert testing._cores() >= 1 and testing._memory() > 1 << 30


CASES = """
import os, pytest

pytestmark = pytest.mark.host

def test_good():
    assert os.environ["SYNCTWEEDIES_PYTHON"]

def test_bad():
    assert os.environ.get("COMFYUI_DIR", "") != {bad!r}

@pytest.mark.parametrize("i", range(3))
def test_skipped(i):
    if os.environ.get("COMFYUI_DIR"):
        pytest.skip("this host has no such node")
"""


@pytest.mark.parametrize("broken", [False, True])
def test_each_host_runs_and_says_what_it_skipped(tmp_path, monkeypatch, capsys, broken):
    """pytest itself in two environments: the counts, the reasons, and the exit code of the one that failed."""
    folder = checkout(tmp_path / "host")
    root = tmp_path / "root"
    root.mkdir()
    (root / "pytest.ini").write_text("[pytest]\nmarkers = host: needs a host\n")
    (root / "test_pure.py").write_text("def test_pure():\n    pass\n")
    (root / "test_cases.py").write_text(CASES.format(bad=str(folder) if broken else "nowhere"))
    monkeypatch.setattr(testing, "test_python", lambda directory, root, environ: sys.executable)
    monkeypatch.setitem(os.environ, "COMFYUI_DIR", "nowhere that matters")
    code = testing.run(root, ["--host", "pip", "--host", str(folder), "-q", "-p", "no:cacheprovider"])
    said = capsys.readouterr().err
    assert code == (1 if broken else 0)
    assert "pip: 6 passed, 0 failed, 0 skipped" in said
    passed, failed = (1, 1) if broken else (2, 0)
    # The pure test ran once, on the first host.
    assert f"official 0.33.0: {passed} passed, {failed} failed, 3 skipped\n     3 skipped: this host has no" in said


def test_without_a_report_the_exit_code_is_kept(tmp_path):
    assert testing.read_report("pip", 4, tmp_path / "none.xml") == testing.Result("pip", 4)
