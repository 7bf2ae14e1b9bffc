"""`run.py batch` as a program: on a ComfyUI of one node, and once on the host at hand."""

import importlib.util
import json
import os
import pickle
import re
import shutil
import signal
import subprocess
import sys
import tempfile
from dataclasses import replace
from pathlib import Path

import pytest
from helpers.batches import Batch, parent, until
from syncpack.launcher import server
from syncpack.launcher.batch import command
from syncpack.launcher.batch.command import Options
from syncpack.launcher.batch.host_worker import HostWorker, Spec
from syncpack.launcher.batch.inputs import InputFile, sha256_of
from syncpack.launcher.batch.plan import Job
from syncpack.launcher.batch.worker import DONE, FAILED, LOST
from syncpack.launcher.errors import UsageError

ROOT = Path(__file__).resolve().parents[2]
CORE = Path(__file__).resolve().parent / "data" / "core_image.json"
on_linux = pytest.mark.skipif(sys.platform != "linux", reason="looks processes up in /proc")


@pytest.fixture
def batch(tmp_path):
    return Batch(tmp_path)


def paint(name: str, **inputs) -> dict:
    return {"id": name, **{f"Paint.{key}": value for key, value in inputs.items()}}


ROWS = [paint("a", text="one"), paint("b", seed=2), paint("c", mode="fail"), paint("d", mode="die"), paint("e")]


def test_a_batch_from_its_table_to_its_summary(batch):
    batch.table(ROWS)
    done = batch.run("--retries", 1)
    assert done.returncode == 1, done.stderr
    assert done.stdout.splitlines()[:4] == [
        "failed: line 3, c: Paint (node 1): ValueError: no paint is left",
        "failed: line 4, d: given up after 2 runs: the host stopped with exit code 137: ended by signal 9",
        "done  skipped  failed  left  time  jobs an hour",
        done.stdout.splitlines()[3],
    ]
    assert re.match(r" +3 +0 +2 +0 +0:\d\d +\d+$", done.stdout.splitlines()[3])
    assert done.stdout.splitlines()[4] == str(batch.out / "index.html")
    assert "a: done in" in done.stderr and "d: the host stopped" in done.stderr and "(5 of 5, 2 failed)" in done.stderr
    assert batch.made().keys() >= {f"{name}/paint_00001_.txt" for name in "abe"}
    assert (batch.out / "a" / "paint_00001_.txt").read_text() == "one 1 "
    record = batch.record("a")
    assert record["settings"] == {"Paint.text": "one"} and record["seeds"] == {"Paint (1).seed": 1}
    [output] = record["outputs"]
    assert output == {"name": "paint_00001_.txt", "bytes": 6, "sha256": batch.made()["a/paint_00001_.txt"]}
    assert record["prompt"]["1"]["inputs"]["text"] == "one" and record["attempts"] == 1
    assert record["versions"]["host"] == "official 9.9" and record["versions"]["pack"].startswith("0.1.0")
    assert "Traceback of the tiny host" in (batch.out / "c.failed" / "error.log").read_text()
    assert batch.record("d.failed")["attempts"] == 2
    assert json.loads((batch.out / "summary.json").read_text())["failed"] == 2
    # The same table again runs what is missing; changed rows and lost files too.
    batch.table([paint("a", text="two"), ROWS[1], paint("c"), ROWS[4], paint("f", text="one")])
    (batch.out / "e" / "paint_00001_.txt").unlink()
    listed = batch.run("--list")
    words = ["to run again  a", "done          b", "to run        c", "to run again  e", "to run        f"]
    assert listed.returncode == 0 and [line[:15] for line in listed.stdout.splitlines()[:-1]] == words
    assert listed.stdout.splitlines()[-1] == "4 to run, 1 done"
    before = batch.record("b")
    done = batch.run()
    assert done.returncode == 0 and re.search(r"^ +4 +1 +0 +0 ", done.stdout, re.MULTILINE), done.stderr
    assert (batch.out / "a" / "paint_00001_.txt").read_text() == "two 1 " and batch.record("b") == before
    assert batch.done() == ["a", "b", "c", "e", "f"] and not (batch.out / "c.failed").exists()
    assert re.search(r"^ +0 +5 +0 +0 ", batch.run().stdout, re.MULTILINE)
    assert re.search(r"^ +5 +0 +0 +0 ", batch.run("--again", "--workers", 2).stdout, re.MULTILINE)


def test_what_is_wrong_is_found_before_anything_starts(batch):
    batch.table([paint("a"), paint("b", sed=1), {"id": "c", "Pain.seed": 1}, paint("d", file="gone.png")])
    done = batch.run()
    assert done.returncode == 2 and done.stdout == ""
    assert [line.partition(": Pain")[0] for line in done.stderr.splitlines()[1:]] == [
        f"error: jobs.jsonl, line {line}" for line in (2, 3, 4)
    ]
    assert batch.done() == []
    batch.table([paint("a"), {"id": "b", "workflow": "none"}])
    assert batch.run("--list").stderr.startswith("error: jobs.jsonl, line 2: no workflow 'none'; there is: ")
    for words in (("--workers", 0), ("--retries", -1), ("--stall", 0), ("--gpus-per-worker", -1)):
        wrong = batch.run(*words)
        assert wrong.returncode == 2 and wrong.stderr.startswith(f"error: {words[0]} {words[1]}")


def test_files_of_the_table_reach_the_host(batch):
    (batch.folder / "mine.png").write_bytes(b"my picture")
    batch.table([paint("a", file="mine.png"), paint("b", file="mine.png"), paint("c", file="stone_wall.png")])
    assert batch.run().returncode == 0
    assert (batch.out / "b" / "paint_00001_.txt").read_bytes() == b"a 1 my picture"
    record = batch.record("a")
    [(name, file)] = record["input_files"].items()
    assert name.endswith("-mine.png") and file["path"] == str(batch.folder / "mine.png")
    assert file["sha256"] == sha256_of(batch.folder / "mine.png")
    assert list(batch.record("c")["input_files"]) == ["stone_wall.png"]
    (batch.folder / "mine.png").write_bytes(b"another")
    assert re.search(r"^ +2 +1 +0 +0 ", batch.run().stdout, re.MULTILINE)


def test_a_model_that_was_exchanged_under_its_name_is_a_change(batch):
    model = batch.folder / "comfy" / "models" / "checkpoints" / "small.safetensors"
    model.parent.mkdir(parents=True)
    model.write_bytes(b"weights")
    batch.table([{**paint("a"), "1.model": "small.safetensors"}, paint("b")])
    prompt = json.loads((batch.folder / "paint.json").read_text())
    prompt["1"]["inputs"]["model"] = "none"
    (batch.folder / "paint.json").write_text(json.dumps(prompt))
    assert batch.run().returncode == 0
    assert batch.record("a")["model_files"] == {"checkpoints/small.safetensors": sha256_of(model)}
    assert batch.record("b")["model_files"] == {}
    model.write_bytes(b"other weights")
    assert batch.run("--list").stdout.splitlines()[0].startswith("to run again  a")
    assert re.search(r"^ +1 +1 +0 +0 ", batch.run().stdout, re.MULTILINE)


def test_a_file_that_vanishes_while_others_run_is_told_with_its_line(batch):
    picture = batch.folder / "mine.png"
    picture.write_bytes(b"my picture")
    batch.table([paint("a", seconds=1.0), paint("b", file="mine.png"), paint("c")])
    started = batch.start()
    until(lambda: list(batch.out.glob(".batch/parts/a-*")))
    picture.unlink()
    out, _ = started.communicate(timeout=60)
    assert started.returncode == 1 and batch.done() == ["a", "c"]
    line = f"failed: line 2, b: input file {picture} cannot be read: No such file or directory"
    assert out.splitlines()[0] == line


@pytest.mark.parametrize("hears", [True, False])
def test_a_guard_that_does_not_end_is_let_go_by_its_pipe(monkeypatch, hears):
    """Ended itself, it would leave its host behind on systems where nobody else ends that. What a shell's background
    starts does not hear Ctrl-C, nor does its host: it is not asked."""
    monkeypatch.setattr(server.signal, "getsignal", lambda number: signal.SIG_DFL if hears else signal.SIG_IGN)
    done = []

    class Process:
        def poll(self):
            return None if "cut" not in done else 0

        def send_signal(self, number):
            done.append("asked")

        def kill(self):
            done.append("killed")

        def wait(self, patience=None):
            if "cut" not in done:
                raise subprocess.TimeoutExpired("host", 0)

    server.Server(Process(), 1, Path(), Path(), Path(), lambda: done.append("cut")).stop(0.0)
    assert done == (["asked", "cut"] if hears else ["cut"])


@on_linux
def test_a_killed_host_costs_a_retry_and_nothing_else(batch, tmp_path):
    rows = [paint(f"j{n}", seed=n, seconds=0.1) for n in range(8)]
    calm = Batch(tmp_path / "calm")
    calm.table(rows)
    assert calm.run().returncode == 0
    batch.table(rows)
    started = batch.start()
    until(lambda: len(batch.done()) >= 2)
    [host] = batch.hosts()
    os.kill(host, signal.SIGKILL)
    _, said = started.communicate(timeout=60)
    assert started.returncode == 0 and said.count("it is run again (1 of 2)") == 1, said
    assert batch.made() == calm.made() and len(batch.made()) == 8
    assert sorted(batch.record(f"j{n}")["attempts"] for n in range(8)) == [1] * 7 + [2]
    assert batch.hosts() == []


@on_linux
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_a_stopped_run_leaves_no_host_and_the_next_one_goes_on(batch, number):
    # (the later ones take so long that the signal finds some of them running, on a busy machine too)
    batch.table([paint(f"j{n}", seed=n, seconds=0.15 if n < 2 else 30.0) for n in range(6)])
    batch.environ["TMPDIR"] = str(batch.folder / "tmp")
    (batch.folder / "tmp").mkdir()
    started = batch.start("--workers", 2)
    until(lambda: len(batch.done()) >= 2)
    started.send_signal(number)
    out, said = started.communicate(timeout=60)
    until(lambda: not batch.hosts(), 10)
    left = list((batch.folder / "tmp").iterdir())
    assert len(left) == (2 if number == signal.SIGKILL else 0)
    for folder in left:
        os.utime(folder, (1, 1))
    before = {name: batch.record(name) for name in batch.done()}
    assert 2 <= len(before) < 6 and len(batch.made()) == len(before)
    if number != signal.SIGKILL:
        assert started.returncode == 130 and said.endswith("stopped\n")
        assert re.search(rf"^ +{len(before)} +0 +0 +{6 - len(before)} ", out, re.MULTILINE)
        assert list((batch.out / ".batch").iterdir()) == [batch.out / ".batch" / "lock"]
    batch.environ["TINY_COMFYUI_HURRY"] = "1"
    done = batch.run()
    assert done.returncode == 0 and re.search(rf"^ +{6 - len(before)} +{len(before)} +0 +0 ", done.stdout, re.MULTILINE)
    assert {name: batch.record(name) for name in before} == before and len(batch.made()) == 6
    assert list((batch.folder / "tmp").iterdir()) == [], "what the killed run left is swept up"


@on_linux
def test_a_killed_guard_takes_its_host_along(batch):
    batch.table([paint("a", seconds=0.3), paint("b", seconds=0.3)])
    started = batch.start()
    [host] = until(batch.hosts)
    until(lambda: batch.out.joinpath(".batch", "parts").is_dir() and list(batch.out.glob(".batch/parts/a-*")))
    os.kill(parent(host), signal.SIGKILL)
    until(lambda: host not in batch.hosts(), 5)
    _, said = started.communicate(timeout=60)
    assert started.returncode == 0 and batch.done() == ["a", "b"], said


def test_a_host_that_hangs_is_given_up(batch):
    batch.table([paint("a", mode="hang"), paint("b")])
    done = batch.run("--stall", 1, "--retries", 0)
    assert done.returncode == 1 and "failed: line 1, a: given up after one run: no progress for 1 s" in done.stdout
    assert batch.done() == ["b"]


def job(files=(), **inputs) -> Job:
    values = {"text": "a", "seed": 1, "seconds": 0.0, "mode": "paint", "file": "none", "batch_job": "a"}
    nodes = {"1": {"class_type": "Paint", "inputs": values | inputs}}
    return Job("a", 2, "paint", {}, nodes, {"1": "Paint"}, None, tuple(files), {}, "key", "group")


def test_a_worker_says_how_each_job_ended(batch, monkeypatch, tmp_path):
    """Files that vanish or change after they were read are an error of that job; the host goes on."""
    for name, value in batch.environ.items():
        monkeypatch.setenv(name, value)
    (tmp_path / "tmp").mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "tmp"))
    picture = tmp_path / "picture.png"
    picture.write_bytes(b"picture")
    file = InputFile("x-picture.png", str(picture), sha256_of(picture))
    gone, changed = replace(file, name="y.png", path=f"{picture}.gone"), replace(file, name="z.png", sha256="0")
    worker = HostWorker(Spec(str(ROOT), cpu=True))
    said: list[str] = []

    def run(one: Job):
        part = tmp_path / "part"
        shutil.rmtree(part, ignore_errors=True)
        part.mkdir()
        return pickle.loads(pickle.dumps(worker.run(one, part, said.append)))  # it may come from another machine

    try:
        assert worker.open(with_info=True).info["Paint"]["output_node"] is True
        good = run(job([file], file=file.name))
        assert good.state == DONE and (tmp_path / "part" / "paint_00001_.txt").read_bytes() == b"a 1 picture"
        assert "Paint" in said[-1]
        missing, other = run(job([gone])), run(job([changed]))
        assert (missing.state, other.state) == (FAILED, FAILED)
        assert missing.error == f"input file {picture}.gone cannot be read: No such file or directory"
        assert other.error == f"input file {picture} has changed since the jobs were read"
        assert run(job([file], mode="die")).state == LOST
        assert run(job([file], file=file.name)).state == DONE, "with a new host, and the file brought again"
    finally:
        worker.close()
    worker.stop()
    assert run(job()).error == "the worker was stopped"
    assert list((tmp_path / "tmp").iterdir()) == []


@pytest.mark.parametrize(
    ("visible", "workers", "gpus", "shares"),
    [
        ("0,1,2,3", 2, None, ["0", "1"]),
        ("0,1,2,3", 2, 2.0, ["0,1", "2,3"]),
        ("5", 2, 0.5, ["5", "5"]),
        ("0,1", None, None, [None]),
        ("", 3, None, [None, None, None]),
        ("0,1", 3, None, "3 workers of 1 GPUs each need 3; there are 2"),
        ("", 1, 1.0, "1 workers of 1 GPUs each need 1; there are 0"),
    ],
)
def test_gpus_are_dealt_to_local_workers(monkeypatch, visible, workers, gpus, shares):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", visible)
    options = Options(Path("jobs.csv"), workers=workers, gpus=gpus)
    if isinstance(shares, str):
        with pytest.raises(UsageError, match=shares):
            command._local(Spec("root"), options)
        return
    specs = command._local(Spec("root"), options)
    assert [spec.forced.get("CUDA_VISIBLE_DEVICES") for spec in specs] == shares


# --- a real host -----------------------------------------------------------------------------------------------------

CHECKOUT = os.environ.get("COMFYUI_DIR")


@pytest.mark.host
@pytest.mark.skipif(
    not CHECKOUT and importlib.util.find_spec("comfy") is None,
    reason="no ComfyUI host: set COMFYUI_DIR or install comfyui==0.0.1",
)
def test_the_host_at_hand(tmp_path):
    """A saved workflow, twice the same and once with another picture: the host saves every time, whatever it keeps."""
    shutil.copyfile(CORE, tmp_path / "core.json")
    rows = ("id,workflow,Red.color", "one,core.json,", "two,core.json,", "three,core.json,65280")
    (tmp_path / "jobs.csv").write_text("\n".join(rows))
    words = [sys.executable, str(ROOT / "run.py"), "batch", "jobs.csv", "--output", "out"]
    words += ["--host", "official" if CHECKOUT else "pip"]
    environ = {**os.environ, "SYNCTWEEDIES_PYTHON": sys.executable}
    done = subprocess.run(words, cwd=tmp_path, env=environ, capture_output=True, text=True, timeout=200)
    assert done.returncode == 0, done.stderr
    pixels = {}
    for name in ("one", "two", "three"):
        [output] = json.loads((tmp_path / "out" / name / "job.json").read_text())["outputs"]
        picture = pytest.importorskip("PIL.Image").open(tmp_path / "out" / name / output["name"])
        assert output["name"] == "core_image_00001_.png" and picture.size == (96, 64)
        assert json.loads(picture.info["prompt"])["7"]["inputs"]["batch_job"] == name
        pixels[name] = picture.convert("RGB").tobytes()
    assert pixels["one"] == pixels["two"] != pixels["three"]
    record = json.loads((tmp_path / "out" / "one" / "job.json").read_text())
    assert record["versions"]["torch"].startswith("2.") and record["versions"]["host"] != "official of unknown version"
    assert sys.platform != "linux" or record["peak_memory_mib"]["host"] > 100
