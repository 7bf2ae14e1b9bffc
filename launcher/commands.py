"""The four commands of run.py. Each returns the process exit code and raises LauncherError for what stops it."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from . import client, hosts, overrides, server, small_models, testing, workflow_format
from .errors import UsageError, WorkflowError
from .progress import Progress
from .venv import say
from .workspace import PACK_FOLDER

# Together within five minutes on two CPU cores.
DEFAULT_DEMO = ("wide_image", "panorama_exemplar", "illusion_flip_exemplar", "mesh_exemplar", "splats_exemplar")


def find_workflows(names: Sequence[str], root: Path) -> list[Path]:
    """Files of the named workflows: a name from workflows/, or a path to a .json file. Raises UsageError."""
    folder = root / "workflows"
    found: list[Path] = []
    for name in names:
        direct = Path(name)
        path = (
            direct if direct.suffix == ".json" and direct.is_file() else folder / f"{name.removesuffix('.json')}.json"
        )
        if not path.is_file():
            known = ", ".join(sorted(file.stem for file in folder.glob("*.json"))) or "none"
            raise UsageError(f"no workflow {name!r}; there is: {known}")
        found.append(path)
    return found


def demo(root: Path, names: Sequence[str], kind: str | None, output: Path, settings: Sequence[str]) -> int:
    """Run workflows on a host and print the paths of the files written, one a line, on stdout."""
    changes = [overrides.parse(text) for text in settings]
    paths = find_workflows(names or DEFAULT_DEMO, root)
    workflows = [workflow_format.load(path) for path in paths]
    host = hosts.prepare(kind, root, os.environ)
    files: list[Path] = []
    failed = 0
    began = time.monotonic()
    small = small_models.provide(host.python, root, small_models.named_in(workflows, settings))
    with server.running(host, root, output, cpu=not hosts.has_gpu(host.python), more_models=small) as running:
        say(f"{host.kind} host up in {time.monotonic() - began:.0f} s")
        info = client.object_info(running)
        for line in not_loaded(running):
            say(f"warning: {line}")
        prompts: list[workflow_format.ApiPrompt | WorkflowError] = []
        used: set[str] = set()
        for workflow in workflows:
            try:
                prompt = workflow_format.to_api(workflow, info)
                used |= overrides.apply(prompt, changes)
                prompts.append(prompt)
            except WorkflowError as error:
                prompts.append(error)
        converted = [prompt for prompt in prompts if isinstance(prompt, workflow_format.ApiPrompt)]
        if len(converted) == len(prompts):  # else the node may be in a workflow that this host cannot take
            overrides.unmatched(changes, used, converted)
        for path, workflow, prompt in zip(paths, workflows, prompts, strict=True):
            try:
                if isinstance(prompt, WorkflowError):
                    raise prompt
                files += _run_one(running, path.stem, prompt, workflow)
            except WorkflowError as error:
                failed += 1
                say(f"error: {path.stem}: {error}")
    for file in files:
        print(file, flush=True)
    return WorkflowError.code if failed else 0


def _run_one(running: server.Server, name: str, prompt: workflow_format.ApiPrompt, workflow: object) -> list[Path]:
    bar = Progress(name, prompt)
    try:
        result = client.run_prompt(running, prompt, workflow, bar.event)
    except BaseException as error:
        bar.close("failed" if isinstance(error, Exception) else "stopped")
        raise
    bar.close("done")
    for text in result.texts:
        say("\n".join(f"  {line}" for line in text.splitlines()))
    return list(result.files)


def not_loaded(running: server.Server) -> list[str]:
    """Why the host did not load this pack, if so: its nodes are then unknown to it."""
    return [
        f"the host could not load this pack: {line.partition('custom nodes:')[2].strip() or line}"
        for line in running.log_text().splitlines()
        if "Cannot import" in line and PACK_FOLDER in line
    ]


def serve(root: Path, kind: str | None, output: Path, port: int | None) -> int:
    """Start a host for the browser and pass its output on until it stops or Ctrl-C."""
    host = hosts.prepare(kind, root, os.environ)
    base = root / ".run" / f"serve-{host.kind}"  # kept: the browser's saved workflows and settings live there
    saved = base / "user" / "default" / "workflows" / "SyncTweedies"
    saved.mkdir(parents=True, exist_ok=True)
    for workflow in sorted((root / "workflows").glob("*.json")):
        shutil.copyfile(workflow, saved / workflow.name)
    if port is not None and not server.is_free(port):
        raise UsageError(f"port {port} is in use: choose another with --port")
    port = port or (8188 if server.is_free(8188) else server.free_port())
    cpu = not hosts.has_gpu(host.python)
    with server.running(host, root, output, base=base, port=port, cpu=cpu) as running:
        say(f"{host.kind} host: open {running.url} (Ctrl-C stops it)")
        say(f"models: {host.models(root)}\noutput: {running.output}")
        say(f"workflows: {saved}")
        with running.log.open("rb") as log:
            while running.alive():
                sys.stderr.write(log.read().decode("utf-8", "replace"))
                sys.stderr.flush()
                time.sleep(0.3)
        raise running.died()


def test(root: Path, arguments: Sequence[str]) -> int:
    """pytest on the hosts that --host names, with the development tools installed; returns pytest's exit code."""
    return testing.run(root, arguments)


def bench(root: Path, arguments: Sequence[str]) -> int:
    """benchmarks/run_all.py in the same environment as the tests of the pip host."""
    python = testing.test_python(None, root, {})
    return subprocess.run([str(python), str(root / "benchmarks" / "run_all.py"), *arguments], cwd=root).returncode
