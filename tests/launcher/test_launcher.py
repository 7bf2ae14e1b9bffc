"""run.py and what starts hosts: finding them, folders, environments, and a real host end to end."""

import importlib.util
import json
import os
import re
import socket
import subprocess
import sys
from pathlib import Path

import pytest
from syncpack.launcher import client, environments, hosts, progress, server, venv, workspace
from syncpack.launcher.errors import HostError, LauncherError, UsageError, WorkflowError
from syncpack.launcher.workflow_format import load, to_api

ROOT = Path(__file__).resolve().parents[2]
DATA = Path(__file__).resolve().parent / "data"
CORE = DATA / "core_image.json"
INFO = json.loads((DATA / "object_info.json").read_text(encoding="utf-8"))
CORE_API = json.loads((DATA / "core_image_api.json").read_text(encoding="utf-8"))


# --- hosts, folders, environments ------------------------------------------------------------------------------------


def make_comfyui(folder: Path) -> Path:
    (folder / "comfy").mkdir(parents=True)
    (folder / "main.py").write_text("")
    (folder / "custom_nodes").mkdir()
    return folder


def test_hosts_are_found_in_order(tmp_path):
    around = make_comfyui(tmp_path / "around")
    named = make_comfyui(tmp_path / "named")
    pack = around / "custom_nodes" / "pack"
    alone = tmp_path / "alone"
    for folder in (pack, alone):
        folder.mkdir()
    assert hosts.choose(None, pack, {"COMFYUI_DIR": str(named)}) == ("official", named)
    assert hosts.choose(None, pack, {}) == ("official", around)
    assert hosts.choose("pip", pack, {}) == ("pip", None)
    assert hosts.choose(None, alone, {}) == ("pip", None)
    with pytest.raises(UsageError, match="set COMFYUI_DIR"):
        hosts.choose("official", alone, {})
    with pytest.raises(UsageError, match="holds no ComfyUI"):
        hosts.choose(None, alone, {"COMFYUI_DIR": str(alone)})


def test_named_interpreter_is_used_as_it_is(tmp_path):
    found = hosts.prepare(None, tmp_path, {"SYNCTWEEDIES_PYTHON": sys.executable})
    assert found == hosts.Host("pip", sys.executable)
    assert not (tmp_path / ".venv").exists()


def test_host_commands(tmp_path):
    pip = hosts.Host("pip", "py").command(tmp_path, 81, cpu=True)
    assert pip[:4] == ["py", "-u", "-m", "comfy.cmd.main"] and pip[-3:] == ["--port", "81", "--cpu"]
    official = hosts.Host("official", "py", tmp_path).command(tmp_path / "b", 81, cpu=False)
    assert str(tmp_path / "main.py") in official and "--cpu" not in official and "--disable-api-nodes" in official


def test_gpu_probe_says_why_it_cannot(tmp_path):
    with pytest.raises(HostError, match="cannot run"):
        hosts.has_gpu(str(tmp_path / "no-python"))


def test_workspace_links_and_never_deletes_behind_links(tmp_path):
    pack = tmp_path / "pack"
    (pack / "assets").mkdir(parents=True)
    (pack / "assets" / "wall.png").write_bytes(b"png")
    models = tmp_path / "models"
    base = tmp_path / "base"
    for _ in range(2):  # repeating is safe
        workspace.build(base, pack, models)
    linked = base / "custom_nodes" / workspace.PACK_FOLDER
    assert "." not in workspace.PACK_FOLDER
    assert (linked / "assets" / "wall.png").read_bytes() == b"png"
    assert (base / "input" / "wall.png").read_bytes() == b"png"
    (models / "a.safetensors").write_bytes(b"x")
    assert (base / "models" / "a.safetensors").exists()
    workspace.discard(base)
    assert not base.exists()
    assert (pack / "assets" / "wall.png").exists() and (models / "a.safetensors").exists()


def test_workspace_copies_where_links_are_not_allowed(tmp_path, monkeypatch):
    def refuse(*_args, **_kwargs):
        raise OSError("no symlinks here")

    monkeypatch.setattr(Path, "symlink_to", refuse)
    (tmp_path / "pack" / ".venv" / "lib").mkdir(parents=True)
    (tmp_path / "pack" / "nodes").mkdir()
    for _ in range(2):
        workspace.link_folder(tmp_path / "pack", tmp_path / "copy")
    assert (tmp_path / "copy" / "nodes").is_dir()
    assert os.name == "nt" or not (tmp_path / "copy" / ".venv").exists()


def test_free_ports():
    port = server.free_port()
    assert server.is_free(port)
    with socket.create_server(("127.0.0.1", port)):
        assert not server.is_free(port)


def test_a_host_that_dies_gives_its_last_words(tmp_path, monkeypatch):
    class Broken(hosts.Host):
        def command(self, base, port, cpu):
            return [sys.executable, "-c", "import sys; print('no such thing', file=sys.stderr); sys.exit(3)", "--"]

    (tmp_path / "temporary").mkdir()
    monkeypatch.setattr(server.tempfile, "tempdir", str(tmp_path / "temporary"))
    with (
        pytest.raises(HostError, match="exit code 3: no such thing"),
        server.running(Broken("pip", sys.executable), tmp_path, tmp_path / "out"),
    ):
        pass
    assert list((tmp_path / "temporary").iterdir()) == []


def test_environment_is_made_once(tmp_path, capsys):
    listed = tmp_path / "list.txt"
    listed.write_text("")
    layer = venv.Layer("nothing", (("-r", str(listed)),), files=(listed,))
    python = venv.ensure_venv(tmp_path / "env", [layer])
    assert subprocess.run([str(python), "-c", "import pip"]).returncode == 0
    assert "installing nothing" in capsys.readouterr().err
    venv.ensure_venv(tmp_path / "env", [layer])
    assert capsys.readouterr().err == ""
    listed.write_text("# changed\n")
    venv.ensure_venv(tmp_path / "env", [layer])
    assert "installing nothing" in capsys.readouterr().err
    bad = venv.Layer("bad", (("--no-index", "surely-not-there==1"),))
    with pytest.raises(LauncherError, match=r"pip could not install bad: .*surely-not-there"):
        venv.ensure_venv(tmp_path / "env", [bad])
    assert set(venv.read_stamp(tmp_path / "env")) == {"nothing"}


def test_supported_python():
    assert venv.supported_python((3, 0), (3, 99)) == sys.executable
    with pytest.raises(LauncherError, match=r"needs 9\.1 to 9\.2"):
        venv.supported_python((9, 1), (9, 2))


def test_development_list_is_the_extra_of_pyproject():
    tomllib = pytest.importorskip("tomllib")
    extra = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["optional-dependencies"]
    lines = environments.DEV_REQUIREMENTS.read_text(encoding="utf-8").splitlines()
    assert [line for line in lines if not line.startswith("#")] == extra["dev"]


def test_the_packs_requirements_are_installed_for_both_hosts(tmp_path):
    text = (ROOT / "requirements.txt").read_text(encoding="utf-8")
    needed = [line for line in text.splitlines() if line.strip() and not line.startswith("#")]
    declared = re.search(r"^dependencies = (\[.*\])$", (ROOT / "pyproject.toml").read_text(encoding="utf-8"), re.M)
    assert declared and json.loads(declared[1]) == needed
    (tmp_path / "requirements.txt").write_text("")
    for layers in (environments.pip_host_layers(), environments.official_layers(tmp_path)):
        assert (ROOT / "requirements.txt").resolve() in [file.resolve() for layer in layers for file in layer.files]


def test_progress_bar_counts_nodes_and_steps(capsys):
    prompt = to_api(load(CORE), INFO)
    bar = progress.Progress("core", prompt, sys.stderr)
    bar.event("execution_cached", {"nodes": ["1"]})
    bar.event("executing", {"node": "5"})
    bar.event("executing", {"node": "6"})
    bar.event("progress", {"value": 1, "max": 2})
    assert bar.fraction() == pytest.approx(2.5 / 5)
    assert bar.line().startswith("core [############------------]") and bar.line().endswith("ImageBlur 1/2")
    bar.event("progress_state", {"nodes": {}})
    bar.close("done")
    assert bar.fraction() == 1.0
    assert re.search(r"core \[#{24}\] done in \d+\.\d s", capsys.readouterr().err)


# --- run.py as a program ---------------------------------------------------------------------------------------------


def run_py(*arguments, **environ):
    clean = {k: v for k, v in os.environ.items() if k not in ("COMFYUI_DIR", "SYNCTWEEDIES_PYTHON")}
    command = [sys.executable, str(ROOT / "run.py"), *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, env=clean | environ, timeout=240)


def test_wrong_arguments_end_with_code_2():
    done = run_py("demo", "no-such-workflow")
    assert done.returncode == 2 and done.stderr.startswith("error: no workflow 'no-such-workflow'; there is: ")
    done = run_py("demo", CORE, "--set", "a.b=1", "--host", "official", COMFYUI_DIR=str(DATA))
    assert done.returncode == 2 and "holds no ComfyUI" in done.stderr
    assert run_py("demo", "--nonsense").returncode == 2
    assert run_py().returncode == 2


def test_launcher_imports_nothing_but_the_standard_library():
    code = (
        "import sys; sys.path.insert(0, sys.argv[1]); before = set(sys.modules); "
        "from launcher import commands; from launcher.batch import command; "
        "new = {name.partition('.')[0] for name in set(sys.modules) - before}; "
        "print(sorted(new - set(sys.stdlib_module_names) - {'launcher'}))"
    )
    done = subprocess.run([sys.executable, "-S", "-E", "-c", code, str(ROOT)], capture_output=True, text=True)
    assert done.stdout.strip() == "[]", done.stderr


# --- a real host -----------------------------------------------------------------------------------------------------

CHECKOUT = os.environ.get("COMFYUI_DIR")
KIND = "official" if CHECKOUT else "pip"
needs_host = pytest.mark.skipif(
    not CHECKOUT and importlib.util.find_spec("comfy") is None,
    reason="no ComfyUI host: set COMFYUI_DIR or install comfyui==0.0.1",
)


@pytest.fixture(scope="module")
def host(tmp_path_factory):
    found = hosts.Host(KIND, sys.executable, Path(CHECKOUT) if CHECKOUT else None)
    with server.running(found, ROOT, tmp_path_factory.mktemp("output")) as running:
        yield running, client.object_info(running)
    assert not running.alive()
    assert not running.base.exists()


def too_wide_a_blur(path: Path) -> Path:
    """The core workflow with a blur wider than its picture: valid to the host, but it fails while running."""
    workflow = json.loads(CORE.read_text(encoding="utf-8"))
    for entry in workflow["nodes"]:
        if entry["id"] == 6:
            entry["widgets_values"][0] = 31
        if entry["id"] == 4:
            entry["widgets_values"][0] = 8
    path.write_text(json.dumps(workflow), encoding="utf-8")
    return path


@pytest.mark.host
@needs_host
@pytest.mark.parametrize("door", ["websocket", "polling"])
def test_core_workflow_end_to_end(host, door, monkeypatch):
    running, info = host
    workflow = load(CORE)
    prompt = to_api(workflow, info)
    assert prompt.nodes == CORE_API  # what the host itself says of its nodes leads to the same prompt
    # Otherwise the second run would be answered from the host's cache.
    prompt.nodes["1"]["inputs"]["color"] = {"websocket": 0xFF0000, "polling": 0x00FF00}[door]
    if door == "polling":

        def refuse(*_args):
            raise OSError("no websocket")

        monkeypatch.setattr(client, "WebSocket", refuse)
    events = []
    result = client.run_prompt(running, prompt, workflow, lambda kind, data: events.append((kind, data)))
    [file] = result.files
    assert file.parent == running.output and file.name.startswith("core_image_")
    image = pytest.importorskip("PIL.Image").open(file)
    assert image.size == (96, 64)
    assert image.convert("RGB").getpixel((48, 32)) == ((255, 0, 0) if door == "websocket" else (0, 255, 0))
    assert json.loads(image.info["workflow"]) == workflow  # the picture opens as the same workflow in a front end
    if door == "websocket":
        assert {data["node"] for kind, data in events if kind == "executing"} >= set(CORE_API)
    else:
        assert events == []


# Nodes of ComfyUI that one of 2024 does not have.
NEWER = {"ReferenceLatent", "FluxGuidance"}
# Models that it does not know.
NEWER_MODELS = {"wan"}


@pytest.mark.host
@needs_host
@pytest.mark.parametrize("path", sorted((ROOT / "workflows").glob("*.json")), ids=lambda path: path.stem)
def test_shipped_workflows_fit_the_host(host, path):
    """Every node is known, every required input is there, every choice is one the host offers (files apart)."""
    info = host[1]
    later = {node["type"] for node in load(path)["nodes"]} & NEWER - set(info)
    if later:
        pytest.skip(f"this ComfyUI is older than {', '.join(sorted(later))}")
    prompt = to_api(load(path), info).nodes
    kinds = {body["inputs"]["type"] for body in prompt.values() if body["class_type"] == "CLIPLoader"}
    if later := kinds & NEWER_MODELS - set(info["CLIPLoader"]["input"]["required"]["type"][0]):
        pytest.skip(f"this ComfyUI is older than {', '.join(sorted(later))}")
    for key, body in prompt.items():
        required = info[body["class_type"]]["input"].get("required", {})
        assert set(required) <= set(body["inputs"]), f"node {key}"
        for name, spec in required.items():
            value = body["inputs"][name]
            if isinstance(spec[0], list) and not isinstance(value, list) and "." not in str(value):
                assert value in spec[0], f"node {key}, {name}"


@pytest.mark.host
@needs_host
def test_host_errors_become_one_line(host, tmp_path):
    running, info = host
    prompt = to_api(load(CORE), info)
    prompt.nodes["6"]["inputs"]["blur_radius"] = 99
    with pytest.raises(WorkflowError, match=r"^(ImageBlur|Blur Image) \(node 6\): .*99.*31.*blur_radius$"):
        client.run_prompt(running, prompt, {}, lambda *_: None)
    prompt = to_api(load(too_wide_a_blur(tmp_path / "failing.json")), info)
    with pytest.raises(WorkflowError, match=r"^(ImageBlur|Blur Image) \(node 6\): RuntimeError: .*adding size[^\n]*$"):
        client.run_prompt(running, prompt, {}, lambda *_: None)
    prompt.nodes["7"]["class_type"] = "NoSuchNode"
    with pytest.raises(WorkflowError, match=r"^[^\n]*\bNoSuchNode\b[^\n]*: Node ID '#7'$"):
        client.run_prompt(running, prompt, {}, lambda *_: None)


@pytest.mark.host
@needs_host
def test_demo_prints_paths_and_fails_with_the_hosts_line(tmp_path):
    """Two workflows, one good, one failing: the good one's path on stdout, the host's line on stderr, code 1."""
    failing = too_wide_a_blur(tmp_path / "failing.json")
    arguments = ("demo", "--set", "1.height=40", "--host", KIND, "--output", tmp_path / "out", failing, CORE)
    named = {"COMFYUI_DIR": CHECKOUT} if CHECKOUT else {}
    done = run_py(*arguments, SYNCTWEEDIES_PYTHON=sys.executable, **named)
    assert done.returncode == 1, done.stderr
    assert re.search(r"error: failing: (ImageBlur|Blur Image) \(node 6\): RuntimeError: ", done.stderr)
    assert "] failed in" in done.stderr and "] done in" in done.stderr
    [line] = done.stdout.splitlines()
    assert Path(line) == tmp_path / "out" / "core_image_00001_.png" and Path(line).is_file()


def test_bench_runner_prints_a_table_and_writes_json(tmp_path):
    """One good and one failing benchmark: both in the table and the file, exit code 1; an unknown name is code 2."""
    folder = tmp_path / "benchmarks"
    folder.mkdir()
    (folder / "run_all.py").write_text((ROOT / "benchmarks" / "run_all.py").read_text(encoding="utf-8"))
    (folder / "bench_good.py").write_text(
        "def run():\n    return {'ratio': 0.123456, 'sizes': [1, 2.5], 'how': 'cpu'}\n"
    )
    (folder / "bench_bad.py").write_text("def run():\n    raise ValueError('too slow')\n")
    command = [sys.executable, str(folder / "run_all.py"), "--json", str(tmp_path / "r.json")]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 1
    assert re.search(r"good +ratio +0\.1235\n", done.stdout) and re.search(r"good +sizes +1 2\.5\n", done.stdout)
    assert re.search(r"bad +FAILED +ValueError: too slow\n", done.stdout)
    results = json.loads((tmp_path / "r.json").read_text(encoding="utf-8"))["results"]
    assert results["good"]["figures"]["ratio"] == 0.123456 and results["bad"]["error"] == "ValueError: too slow"
    assert subprocess.run([*command, "good"], capture_output=True).returncode == 0
    assert subprocess.run([*command, "other"], capture_output=True).returncode == 2
