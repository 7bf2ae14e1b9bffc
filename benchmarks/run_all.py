"""Run every benchmarks/bench_*.py, print one table and write the figures as JSON.

Each module has ``run() -> dict[str, float | str | list]`` and ``main()``. Every module runs in a process of its own, so
that one that fails or eats memory spoils nothing of the others. ``run_all.py [NAME ...] [--json PATH]``.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import os
import platform
import subprocess
import sys
import tempfile
import time
import types
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent


def name_pack() -> None:
    """Make the pack importable as ``syncpack``, as in the tests."""
    if "syncpack" not in sys.modules:
        alias = types.ModuleType("syncpack")
        alias.__path__ = [str(ROOT)]
        sys.modules["syncpack"] = alias


def run_module(path: Path) -> dict[str, Any]:
    """The figures of one benchmark, run in this process."""
    name_pack()
    spec = importlib.util.spec_from_file_location(path.stem, path)
    if spec is None or spec.loader is None:
        raise ImportError(f"cannot load {path}")
    module = importlib.util.module_from_spec(spec)
    sys.modules[path.stem] = module
    spec.loader.exec_module(module)
    return dict(module.run())


def run_in_process(path: Path) -> dict[str, Any]:
    """``{"seconds", "figures"}``, or ``{"seconds", "error"}`` with the last line of a failed benchmark."""
    began = time.perf_counter()
    with tempfile.TemporaryDirectory() as folder:
        target = Path(folder) / "figures.json"
        command = [sys.executable, str(Path(__file__).resolve()), "--one", str(path), "--json", str(target)]
        done = subprocess.run(command, cwd=ROOT, stdout=sys.stderr, stderr=subprocess.PIPE, text=True, errors="replace")
        seconds = round(time.perf_counter() - began, 1)
        if done.returncode != 0 or not target.is_file():
            sys.stderr.write(done.stderr)
            last = (done.stderr.strip().splitlines() or [f"exit code {done.returncode}"])[-1]
            return {"seconds": seconds, "error": last}
        return {"seconds": seconds, "figures": json.loads(target.read_text(encoding="utf-8"))}


def shown(value: Any) -> str:
    """A figure as table text."""
    if isinstance(value, float):
        return f"{value:.4g}"
    if isinstance(value, list):
        return " ".join(shown(item) for item in value)
    return str(value)


def table(results: dict[str, dict[str, Any]]) -> str:
    """One row per figure: benchmark, figure, value."""
    rows = [("benchmark", "figure", "value")]
    for name, result in results.items():
        for key, value in result.get("figures", {"FAILED": result.get("error", "")}).items():
            rows.append((name, key, shown(value)))
        rows.append((name, "(seconds)", shown(result["seconds"])))
    widths = [max(len(row[column]) for row in rows) for column in range(2)]
    lines = [f"{a:<{widths[0]}}  {b:<{widths[1]}}  {c}" for a, b, c in rows]
    return "\n".join([lines[0], "-" * len(lines[0]), *lines[1:]])


def machine() -> dict[str, Any]:
    """What the figures depend on."""
    found: dict[str, Any] = {"system": platform.system(), "python": platform.python_version(), "cpus": os.cpu_count()}
    try:
        import torch

        found["torch"] = torch.__version__
        found["device"] = torch.cuda.get_device_name(0) if torch.cuda.is_available() else "cpu"
    except ImportError:
        pass
    return found


def main(arguments: list[str] | None = None) -> int:
    """Exit code 1 when a benchmark failed, 2 for an unknown name."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", metavar="NAME", help="benchmarks to run (default: all)")
    parser.add_argument("--json", type=Path, default=HERE / "results.json", metavar="PATH", help="where to write")
    parser.add_argument("--one", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args(arguments)
    if options.one is not None:
        options.json.write_text(json.dumps(run_module(options.one)), encoding="utf-8")
        return 0
    found = {path.stem.removeprefix("bench_"): path for path in sorted(HERE.glob("bench_*.py"))}
    wanted = [name.removesuffix(".py").removeprefix("bench_") for name in options.names] or list(found)
    unknown = [name for name in wanted if name not in found]
    if unknown:
        print(f"error: no benchmark {', '.join(unknown)}; there is: {', '.join(found) or 'none'}", file=sys.stderr)
        return 2
    results: dict[str, dict[str, Any]] = {}
    for name in wanted:
        print(f"running {name} ...", file=sys.stderr, flush=True)
        results[name] = run_in_process(found[name])
    options.json.parent.mkdir(parents=True, exist_ok=True)
    text = json.dumps({"machine": machine(), "results": results}, indent=1)
    options.json.write_text(text + "\n", encoding="utf-8")
    print(table(results))
    print(f"written: {options.json}")
    return 1 if any("error" in result for result in results.values()) else 0


if __name__ == "__main__":
    sys.exit(main())
