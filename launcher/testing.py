"""`run.py test`: pytest on one host after another, and what ran and what was skipped on each."""

from __future__ import annotations

import os
import re
import subprocess
import tempfile
import xml.etree.ElementTree as xml
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from . import environments, hosts
from .errors import HostError, UsageError
from .venv import ensure_venv, say, supported_python

# Not "python -m pytest", which would put this folder on sys.path, where nodes/ hides ComfyUI's nodes.
_PYTEST = "import sys; sys.path.pop(0); import pytest; sys.exit(pytest.main(sys.argv[1:]))"
_HOST_TESTS_ONLY = ("-m", "host")
_MOST_WORKERS = 4
_MEMORY_OF_WORKER = 4 << 30  # bytes: a host in the process, one beside it, and a browser at times


@dataclass(frozen=True)
class Result:
    """What pytest said of one host. skips: reason -> number of tests."""

    host: str
    code: int
    passed: int = 0
    failed: int = 0
    skips: Counter[str] = field(default_factory=Counter)


def split_hosts(arguments: Sequence[str]) -> tuple[list[str], list[str]]:
    """(values of --host, what is left for pytest). Raises UsageError for --host without a value."""
    named: list[str] = []
    rest: list[str] = []
    words = iter(arguments)
    for word in words:
        if word == "--host":
            value = next(words, None)
            if value is None:
                raise UsageError("--host needs a value: pip, official, or the folder of a ComfyUI")
            named.append(value)
        elif word.startswith("--host="):
            named.append(word.partition("=")[2])
        else:
            rest.append(word)
    return named, rest


def run(root: Path, arguments: Sequence[str]) -> int:
    """pytest on every host that is named, in its order; the first exit code that is not 0, or 0.

    arguments: --host pip | official | FOLDER, repeatable (default: official where COMFYUI_DIR is set, else pip), and
    what pytest takes. The first host runs every test, further ones those that touch a host. Raises LauncherError.
    """
    named, rest = split_hosts(arguments)
    default = "official" if os.environ.get("COMFYUI_DIR", "").strip() else "pip"
    chosen = [resolve(name, root, os.environ) for name in named or [default]]
    results: list[Result] = []
    for number, directory in enumerate(chosen):
        only = _HOST_TESTS_ONLY if number and "-m" not in rest else ()
        results.append(run_on(directory, root, (*only, *rest)))
    say("\n".join(table(results)))
    return next((r.code for r in results if r.code), 0)


def resolve(name: str, root: Path, environ: Mapping[str, str]) -> Path | None:
    """The checkout that --host names, None for the pip host. Raises UsageError."""
    if name in hosts.KINDS:
        return hosts.choose(name, root, environ)[1]
    return hosts.find_official(root, {"COMFYUI_DIR": name})


def run_on(directory: Path | None, root: Path, arguments: Sequence[str]) -> Result:
    """pytest on one host. Raises LauncherError when its environment cannot be made, or has no pytest."""
    name = "pip" if directory is None else f"official {version(directory)}"
    python = test_python(directory, root, os.environ)
    # Tests that start hosts of their own start them in this same environment.
    environ = {key: value for key, value in os.environ.items() if key != "COMFYUI_DIR"} | {
        "SYNCTWEEDIES_PYTHON": python
    }
    environ |= {} if directory is None else {"COMFYUI_DIR": str(directory)}
    shared = workers(python, arguments)
    if shared:  # threads of one that spin while they wait take the other's core
        environ = {"OMP_WAIT_POLICY": "passive", "KMP_BLOCKTIME": "0"} | environ
    say(f"tests on {name}{'' if directory is None else f' ({directory})'}")
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder, "report.xml")
        command = [python, "-c", _PYTEST, f"--junitxml={report}", *shared, *arguments]
        code = subprocess.run(command, cwd=root, env=environ).returncode
        return read_report(name, code, report)


def workers(python: str, arguments: Sequence[str]) -> tuple[str, ...]:
    """What makes pytest share all tests among processes, a file each; nothing for a choice of tests, for one core, and
    where a Python lacks pytest-xdist. arguments: what the user gives pytest."""
    count = min(_MOST_WORKERS, _cores(), _memory() // _MEMORY_OF_WORKER)
    chosen = any(not word.startswith("-") and "tests" in word for word in arguments)
    if count < 2 or chosen or any(word.startswith(("-n", "-k", "--pdb", "-s", "--numprocesses")) for word in arguments):
        return ()
    if subprocess.run([python, "-c", "import xdist"], capture_output=True).returncode:
        return ()
    return ("-n", str(count), "--dist", "loadfile")


def _cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _memory() -> int:
    """Bytes of the machine; as much as all workers want, where it does not say."""
    try:
        return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (AttributeError, ValueError, OSError):
        return _MOST_WORKERS * _MEMORY_OF_WORKER


def test_python(directory: Path | None, root: Path, environ: Mapping[str, str]) -> str:
    """A Python with a host's packages and pytest. A user's own environment is never added to: an official host's tests
    have .venv-official, unless SYNCTWEEDIES_PYTHON names one that has all. Raises LauncherError."""
    ready = environ.get("SYNCTWEEDIES_PYTHON", "").strip()
    if ready and directory is not None:
        if subprocess.run([ready, "-c", "import pytest, hypothesis"], capture_output=True).returncode:
            raise HostError(
                f"SYNCTWEEDIES_PYTHON={ready} has no pytest and hypothesis: install them there, or unset it"
            )
        return ready
    if directory is None:
        python, layers = supported_python(*environments.PIP_HOST_PYTHON), environments.pip_host_layers()
    else:
        python, layers = supported_python(*environments.OFFICIAL_PYTHON), environments.official_layers(directory)
    venv = root / (".venv" if directory is None else ".venv-official")
    return str(ensure_venv(venv, (*layers, *environments.dev_layers()), python))


def version(directory: Path) -> str:
    """A checkout's version, as its own file says."""
    try:
        text = (directory / "comfyui_version.py").read_text(encoding="utf-8")
    except OSError:
        return "of unknown version"
    found = re.search(r'__version__\s*=\s*"([^"]+)"', text)
    return found.group(1) if found else "of unknown version"


def read_report(host: str, code: int, report: Path) -> Result:
    """pytest's JUnit file as a result; without one (a wrong argument), the exit code alone."""
    try:
        cases = list(xml.parse(report).getroot().iter("testcase"))
    except (OSError, xml.ParseError):
        return Result(host, code)
    skips: Counter[str] = Counter()
    failed = 0
    for case in cases:
        skipped = case.find("skipped")
        if skipped is not None:
            skips[skipped.get("message", "no reason")] += 1
        failed += case.find("failure") is not None or case.find("error") is not None
    return Result(host, code, len(cases) - failed - sum(skips.values()), failed, skips)


def table(results: Sequence[Result]) -> list[str]:
    """A line a host, and below it why tests were skipped there."""
    lines: list[str] = []
    for result in results:
        count = sum(result.skips.values())
        lines.append(f"{result.host}: {result.passed} passed, {result.failed} failed, {count} skipped")
        lines += [f"  {number:4} skipped: {reason}" for reason, number in result.skips.most_common()]
    return lines
