"""Kernels kept on disk are read again when the pack is imported under another name, as it is after a folder moved."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
KERNEL = """from {pack}.renderers.compiled import compiled


@compiled()
def add(a, b):
    return a + b


@compiled()
def twice(a):
    return add(a, a)
"""
RUN = """import sys, types
pack = types.ModuleType("{name}"); pack.__path__ = [{root!r}]; sys.modules["{name}"] = pack
code = compile(open({file!r}).read().format(pack="{name}"), {file!r}, "exec")
module = types.ModuleType("{name}_kernels"); sys.modules[module.__name__] = module; module.__file__ = {file!r}
exec(code, module.__dict__)
assert module.twice(3) == 6
print(sum(module.twice.stats.cache_hits.values()), sum(module.twice.stats.cache_misses.values()))
"""


def test_kept_under_any_name(tmp_path: Path) -> None:
    pytest.importorskip("numba")
    file = tmp_path / "kernels.py"
    file.write_text(KERNEL)
    environment = {**os.environ, "NUMBA_CACHE_DIR": str(tmp_path / "kept")}
    found = []
    for name in ("one_pack", "other_pack"):
        command = [sys.executable, "-c", RUN.format(name=name, root=str(ROOT), file=str(file))]
        done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=120)
        assert done.returncode == 0, done.stderr[-2000:]
        found.append(done.stdout.split())
    assert found == [["0", "1"], ["1", "0"]]
