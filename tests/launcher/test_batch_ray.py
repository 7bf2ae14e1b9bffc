"""Workers of Ray: with a stand-in for Ray everywhere, and with Ray itself where it is installed, here or in the Python
that SYNCTWEEDIES_RAY_PYTHON names."""

import json
import os
import re
import signal
import socket
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from helpers.batches import Batch, parent, until
from syncpack.launcher.batch import addresses, on_ray
from syncpack.launcher.batch.host_worker import Spec
from syncpack.launcher.batch.inputs import InputFile, sha256_of
from syncpack.launcher.batch.journal import Journal
from syncpack.launcher.batch.plan import Job
from syncpack.launcher.batch.shares import Shares, Wishes, shares_of
from syncpack.launcher.errors import HostError, UsageError

ROOT = Path(__file__).resolve().parents[2]


class StandIn:
    """Ray as far as it is used: actors are objects of this process, and what is put away is kept in a list."""

    class exceptions:
        class RayError(Exception):
            pass

        class RayTaskError(RayError):
            pass

    def __init__(self, **resources):
        self.machine = {"Alive": True, "Resources": resources}
        self.kept, self.options, self.killed = [], {}, []
        self.dies = 0  # runs in which the actor's process dies for good
        self.waits = []  # whether the next waits see their thing ready; then all do

    def init(self, **options):
        self.options["init"] = options

    def shutdown(self):
        pass

    def nodes(self):
        return [self.machine, {"Alive": False}]

    def remote(self, **options):
        self.options["remote"] = options
        return lambda kind: Made(self, kind)

    def put(self, value):
        self.kept.append(value)
        return len(self.kept) - 1

    def get(self, value, timeout=None):
        if isinstance(value, int):
            return self.kept[value]
        if isinstance(value, Exception):
            raise value
        return value

    def wait(self, values, timeout=None, num_returns=1):
        ready = self.waits.pop(0) if self.waits else True
        return (values, []) if ready else ([], values)

    def available_resources(self):
        return {"CPU": 1.0}

    def cluster_resources(self):
        return {"CPU": 8.0, "GPU": 2.0}

    def kill(self, actor, no_restart):
        assert no_restart
        self.killed.append(actor)


class Made:
    """A class of actors, an actor, or one of its methods."""

    def __init__(self, ray, thing):
        self._ray, self._thing = ray, thing

    def __getattr__(self, name):
        return Made(self._ray, getattr(self._thing, name))

    def options(self, concurrency_group="words", max_task_retries=0):
        assert concurrency_group in self._ray.options["remote"]["concurrency_groups"] and max_task_retries == 0
        return self

    def remote(self, *words):
        made = self._thing
        if isinstance(made, type):
            return Made(self._ray, made(*words))
        if made.__name__ == "run" and self._ray.dies:
            self._ray.dies -= 1
            return self._ray.exceptions.RayError("\x1b[36mthe actor died\x1b[39m\nof something\nlong")
        return made(*words)


@pytest.fixture
def ray(monkeypatch):
    found = StandIn(CPU=4.0)
    monkeypatch.setattr(on_ray, "_ray", lambda: found)
    return found


def job(*files: InputFile, **inputs) -> Job:
    values = {"text": "a", "seed": 1, "seconds": 0.0, "mode": "paint", "file": "none", "batch_job": "a"}
    nodes = {"1": {"class_type": "Paint", "inputs": values | inputs}}
    return Job("a", 2, "paint", {}, nodes, {"1": "Paint"}, None, files, {}, "key", "group")


@pytest.mark.parametrize("shared", [True, False])
def test_files_travel_both_ways(ray, monkeypatch, tmp_path, shared):
    """Inputs through the object store, outputs too where the folder is not the actor's."""
    for name, value in Batch(tmp_path).environ.items():
        monkeypatch.setenv(name, value)
    if not shared:
        monkeypatch.setattr(on_ray.Shared, "is_here", lambda self: False)
    (tmp_path / "picture.png").write_bytes(b"picture")
    file = InputFile("x.png", str(tmp_path / "picture.png"), sha256_of(tmp_path / "picture.png"))
    spec = Spec(str(ROOT))
    with Journal(tmp_path / "out") as journal, on_ray.crew(spec, journal, "", Wishes(1, None, 2)) as [worker]:
        assert "Paint" in worker.open(with_info=True).info
        part = journal.part(job())
        report = worker.run(job(file, file="x.png"), part, lambda words: None)
        assert [output.name for output in report.outputs] == ["paint_00001_.txt"] and report.state == "done"
        assert (part / "paint_00001_.txt").read_bytes() == b"a 1 picture" and ray.kept == [b"picture"]
        failed = worker.run(job(mode="fail"), journal.part(job()), lambda words: None)
        assert (failed.state, failed.error) == ("failed", "Paint (node 1): ValueError: no paint is left")
        ray.dies = 1
        lost = worker.run(job(), part, lambda words: None)
        assert (lost.state, lost.error) == ("lost", "the actor died ... long")
        (tmp_path / "picture.png").unlink()
        assert worker.run(job(file), part, lambda words: None).error.endswith(
            "cannot be read: No such file or directory"
        )
    assert ray.options["remote"]["max_restarts"] == -1 and ray.options["remote"]["max_task_retries"] == 2
    assert ray.options["init"]["address"] == "local" and len(ray.killed) == 1


def test_a_host_that_does_not_start_on_another_machine(ray, tmp_path):
    spec = Spec(str(ROOT), kind="official", environ={})
    with Journal(tmp_path / "out") as journal, on_ray.crew(spec, journal, "", Wishes(2, 0.0, 2)) as workers:
        assert len(workers) == 2
        if "COMFYUI_DIR" not in os.environ:
            with pytest.raises(HostError, match="no ComfyUI checkout found"):
                workers[0].open()


def test_who_waits_is_told_what_for(ray, monkeypatch, tmp_path):
    """Where a cluster is full, and where a job's actor has to find another place; else how far the job is."""
    for name, value in Batch(tmp_path).environ.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(on_ray, "ROOM", 0.0)
    waits = "waiting for room on the cluster: it takes 4 cores; free are 1 of 8 CPUs and 0 of 2 GPUs"
    said: list[str] = []
    with (
        Journal(tmp_path / "out") as journal,
        on_ray.crew(Spec(str(ROOT)), journal, "", Wishes(1, None, 2)) as [worker],
    ):
        ray.waits = [False, False, True]
        worker.open(note=said.append)
        assert said == [waits, waits] and ray.waits == []
        monkeypatch.setattr(on_ray.Actor, "words", lambda self: "Paint 3/20")
        running, asked = [False], [False]
        ray.waits = running + running + [True] + running + running + asked
        assert worker.run(job(), journal.part(job()), said.append).state == "done"
        assert said[2:] == ["Paint 3/20", waits] and ray.waits == []


def test_who_gives_up_waiting_for_room_is_let_go_at_once(ray, tmp_path):
    def impatient(words):
        raise KeyboardInterrupt

    with Journal(tmp_path / "out") as journal:
        with (
            pytest.raises(KeyboardInterrupt),
            on_ray.crew(Spec(str(ROOT)), journal, "", Wishes(1, None, 2)) as [worker],
        ):
            ray.waits = [False]
            try:
                worker.open(note=impatient)
            finally:
                assert worker.ending() is None
        assert len(ray.killed) == 1


SMALL, LARGE, BOX = {"CPU": 4.0}, {"CPU": 9.0}, {"CPU": 16.0, "GPU": 4.0}


@pytest.mark.parametrize(
    ("machines", "workers", "gpus", "shares"),
    [
        ([SMALL, LARGE], None, None, (2, 0.0, 4)),
        ([SMALL], 2, None, (2, 0.0, 2)),
        ([SMALL], 3, None, (3, 0.0, 1)),
        ([SMALL, LARGE], 5, None, (5, 0.0, 1)),
        ([BOX], None, None, (4, 1.0, 4)),
        ([BOX, SMALL, BOX], None, None, (8, 1.0, 4)),
        ([BOX], None, 0.5, (8, 0.5, 2)),
        ([BOX], 3, 2.0, "3 workers of 2 GPUs each need more than the 4 that Ray has"),
        ([BOX], 1, 4.0, (1, 4.0, 16)),
        ([BOX, SMALL], None, 0.0, (2, 0.0, 4)),
        ([{"CPU": 2.0, "GPU": 4.0}], None, None, (4, 1.0, 0)),
        ([BOX, {"GPU": 1.0}], 6, None, "6 workers of 1 GPUs each need more than the 5 that Ray has"),
        ([SMALL], None, 1.0, "1 workers of 1 GPUs each need more than the 0 that Ray has"),
        ([{"CPU": 2.0}], 3, None, "3 workers need a CPU core each; Ray has 2"),
    ],
)
def test_workers_and_what_each_of_them_gets(machines, workers, gpus, shares):
    if isinstance(shares, str):
        with pytest.raises(UsageError, match=shares):
            shares_of(machines, Wishes(workers, gpus, 2))
    else:
        assert shares_of(machines, Wishes(workers, gpus, 2)) == Shares(*shares)


class Answering(threading.Thread):
    """A server on a port of its own that answers every client with ``words``, or with nothing for None."""

    def __init__(self, words):
        super().__init__(daemon=True)
        self.words, self.clients = words, []
        self.listening = socket.create_server(("127.0.0.1", 0))
        self.address = f"127.0.0.1:{self.listening.getsockname()[1]}"
        self.start()

    def run(self):
        while True:
            try:
                client, _ = self.listening.accept()
            except OSError:
                return
            self.clients.append(client)
            if self.words is not None:
                client.recv(99)
                client.sendall(self.words)
                client.close()

    def __enter__(self):
        return self.address

    def __exit__(self, *_):
        self.listening.shutdown(socket.SHUT_RDWR)  # (closing alone would leave the thread waiting for a client)
        self.listening.close()


def test_addresses_where_no_ray_answers(monkeypatch):
    monkeypatch.setattr(addresses, "ANSWER", 0.3)
    with Answering(b"\0\0\x18\x04\0\0\0\0\0") as address:
        addresses.knock(address)
        addresses.knock(f"ray://{address}")
        addresses.knock("auto")
    with pytest.raises(HostError, match=f"^nobody answers at {address}: "):
        addresses.knock(address)
    with Answering(None) as address, pytest.raises(HostError, match=f"^nobody answers at {address} within 0.3 s$"):
        addresses.knock(address)
    for words in (b"HTTP/1.1 400 Bad Request\r\n\r\n", b""):
        with Answering(words) as address, pytest.raises(HostError, match=f"^what answers at {address} is no Ray: "):
            addresses.knock(address)
    with pytest.raises(UsageError, match=r"^--ray somewhere: host:port was expected, for example 10\.0\.0\.5:6379$"):
        addresses.knock("somewhere")


VERSIONS = """Version mismatch: The cluster was started with:
    Ray: 2.60.0
    Python: 3.11.7
This process on node 10.0.0.5:0 was started with:
    Ray: 2.9.0
    Python: 3.12.1
"""
ENDS = {
    VERSIONS: "it is Ray 2.60.0 on Python 3.11.7, this is Ray 2.9.0 on Python 3.12.1; install the same here, or there",
    "Could not find any running Ray instance. Please specify the one to connect to by setting `--address` flag": (
        "there is none on this machine; start one (ray start --head), or use --ray alone"
    ),
    "Failed to connect to Ray cluster at 10.0.0.5:6379": (
        "Failed to connect to Ray cluster at 10.0.0.5:6379; a cluster that wants a token needs it here, too: "
        "RAY_AUTH_TOKEN"
    ),
    "\x1b[31mNo\x1b[0m\n\nbecause\n so": "No ... so",
}


@pytest.mark.parametrize("said", ENDS)
def test_clusters_that_cannot_be_joined(ray, capfd, said):
    def refuse(**options):
        os.write(2, b"a library's own words\n")
        raise RuntimeError(said)

    ray.init = refuse
    with pytest.raises(HostError) as caught:
        on_ray._connect("auto", Wishes(1, None, 2))
    assert str(caught.value) == f"cannot join the Ray at auto: {ENDS[said]}"
    os.write(2, b"heard again\n")
    assert capfd.readouterr().err == "heard again\n"


def test_without_ray_one_line_says_what_to_install(tmp_path):
    """Found without starting anything; the hosts' Python is asked, too."""
    batch = Batch(tmp_path)
    batch.table([{"id": "a"}])
    (tmp_path / "comfy" / "stand_ins" / "ray.py").write_text("raise ImportError('not here')")
    bare = tmp_path / "python"
    bare.write_text("#!/bin/sh\nexit 1\n")
    bare.chmod(0o755)
    batch.environ["SYNCTWEEDIES_PYTHON"] = str(bare)
    done = batch.run("--ray")
    install = f'error: --ray needs Ray, which is not installed: {bare} -m pip install "{on_ray.REQUIREMENT}"\n'
    assert (done.returncode, done.stderr) == (2, install) and not batch.out.exists()


def test_an_interrupt_leaves_the_program_with_ray_its_time():
    """Where a program cannot be replaced by another, this one waits for it, and both hear Ctrl-C."""
    codes = [KeyboardInterrupt, KeyboardInterrupt, 130]

    class Started:
        def wait(self):
            code = codes.pop(0)
            if isinstance(code, int):
                return code
            raise code

    assert on_ray._waited_for(Started()) == 130 and codes == []


def test_the_extra_of_pyproject_is_what_the_line_says():
    assert f'ray = ["{on_ray.REQUIREMENT}"]' in (ROOT / "pyproject.toml").read_text(encoding="utf-8")


def test_ray_is_imported_in_one_file():
    found = [path.name for path in (ROOT / "launcher").rglob("*.py") if re.search(r"import ray\b", path.read_text())]
    assert found == ["on_ray.py"]


# --- Ray itself ------------------------------------------------------------------------------------------------------

PYTHON = os.environ.get("SYNCTWEEDIES_RAY_PYTHON") or sys.executable


with_ray = pytest.mark.skipif(
    sys.platform != "linux" or not on_ray.has_ray(PYTHON),
    reason='Ray is not installed: pip install "ray>=2.10" (or name a Python that has it: SYNCTWEEDIES_RAY_PYTHON)',
)

# A Ray of one core, which another program holds until somebody is told that there is no room.
FULL = """
import json, sys
from pathlib import Path
import ray
from launcher.batch import on_ray
from launcher.batch.host_worker import Spec
from launcher.batch.journal import Journal
from launcher.batch.plan import Job
from launcher.batch.shares import Wishes

on_ray.ROOM, on_ray.ROOM_AGAIN, on_ray.ASK = 0.5, 0.5, 0.2
connect, said = on_ray._connect, []

@ray.remote(num_cpus=1)
class Other:
    def here(self):
        return True

def connected(address, wishes):
    global other
    ray.init(address="local", num_cpus=1, include_dashboard=False, log_to_driver=False, logging_level="ERROR")
    other = Other.remote()
    ray.get(other.here.remote())

def note(words):
    global other
    said.append(words)
    other = None

on_ray._connect = connected
nodes = {"1": {"class_type": "Paint", "inputs": json.loads(sys.argv[2])}}
job = Job("a", 2, "paint", {}, nodes, {"1": "Paint"}, None, (), {}, "key", "group")
with Journal(Path("out")) as journal, on_ray.crew(Spec(sys.argv[1]), journal, "", Wishes(1, None, 2)) as [worker]:
    worker.open(note=note)
    report = worker.run(job, journal.part(job), said.append)
sys.stdout = sys.__stdout__
print(json.dumps([report.state, *dict.fromkeys(said)]))
"""


@with_ray
def test_a_full_ray_says_so_and_a_job_how_far_it_is(tmp_path):
    batch = Batch(tmp_path)
    inputs = {"text": "a", "seed": 1, "seconds": 1.5, "mode": "paint"}
    words = [PYTHON, "-c", FULL, str(ROOT), json.dumps(inputs)]
    environ = {**os.environ, **batch.environ, "RAY_USAGE_STATS_ENABLED": "0"}
    environ["PYTHONPATH"] = os.pathsep.join((str(ROOT), environ["PYTHONPATH"]))
    done = subprocess.run(words, cwd=tmp_path, env=environ, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout.splitlines()[-1])
    assert told[0] == "done" and "Paint" in told[2:], told
    assert told[1] == "waiting for room on the cluster: it takes 1 core; free are 0 of 1 CPUs"


# Two machines of one core each, as far as Ray can tell; the second one leaves when a line is read.
MACHINES = """
import sys
import ray
from ray.cluster_utils import Cluster

cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 1, "include_dashboard": False})
second = cluster.add_node(num_cpus=1)
cluster.wait_for_nodes()
print(cluster.address, flush=True)
sys.stdin.readline()
cluster.remove_node(second, allow_graceful=False)
sys.stdin.read()
cluster.shutdown()
"""


@with_ray
def test_a_machine_that_leaves_costs_a_retry(tmp_path):
    batch = Batch(tmp_path, python=PYTHON)
    batch.environ |= {"RAY_AUTH_MODE": "disabled", "RAY_USAGE_STATS_ENABLED": "0"}
    batch.table([{"id": f"j{n}", "Paint.seed": n, "Paint.seconds": 2.0} for n in range(6)])
    environ, pipe = {**os.environ, **batch.environ}, subprocess.PIPE
    machines = subprocess.Popen([PYTHON, "-c", MACHINES], env=environ, stdin=pipe, stdout=pipe, text=True)
    try:
        started = batch.start("--ray", machines.stdout.readline().strip(), "--workers", 2)
        until(lambda: len(batch.hosts()) == 2 and len(batch.done()) >= 2, 60)
        machines.stdin.write("leave\n")
        machines.stdin.flush()
        _, said = started.communicate(timeout=100)
    finally:
        machines.stdin.close()
        machines.wait(30)
    assert started.returncode == 0 and len(batch.made()) == 6, said
    lost = said.count("it is run again (")
    assert 1 <= lost <= 2, said  # (a busy machine may take its time to miss the other one)
    assert sum(batch.record(f"j{n}")["attempts"] for n in range(6)) == 6 + lost
    until(lambda: not batch.hosts(), 30)


@with_ray
def test_nothing_is_lost_when_hosts_workers_and_the_driver_die(tmp_path):
    """24 jobs on two workers; a host is killed, then a worker's process, then the run is interrupted and started
    again: every job is done once, whole, and bit for bit as in an undisturbed run."""
    rows = [{"id": f"j{n:02d}", "Paint.seed": n, "Paint.seconds": 0.3} for n in range(24)]
    calm = Batch(tmp_path / "calm")
    calm.table([{**row, "Paint.seconds": 0.0} for row in rows])
    assert calm.run().returncode == 0
    batch = Batch(tmp_path / "batch", python=PYTHON)
    batch.table(rows)
    started = batch.start("--ray", "--workers", 2)
    until(lambda: len(batch.done()) >= 3, 60)
    os.kill(until(lambda: len(hosts := batch.hosts()) == 2 and hosts)[0], signal.SIGKILL)
    until(lambda: len(batch.done()) >= 9)
    host = until(lambda: len(hosts := batch.hosts()) == 2 and hosts)[1]
    actor = parent(parent(host))
    assert "ray::" in Path(f"/proc/{actor}/cmdline").read_text()
    os.kill(actor, signal.SIGKILL)
    until(lambda: host not in batch.hosts(), 10)  # the guard ends it
    until(lambda: len(batch.done()) >= 16)
    started.send_signal(signal.SIGINT)
    _, said = started.communicate(timeout=60)
    lost = said.count("it is run again (1 of 2)")
    assert started.returncode == 130 and 1 <= lost <= 2, said  # (on a busy machine one may die between two jobs)
    until(lambda: not batch.hosts(), 10)
    first = {name: batch.record(name) for name in batch.done()}
    assert 16 <= len(first) < 24 and len(batch.made()) == len(first)
    again = batch.run("--ray", "--workers", 2)
    assert again.returncode == 0, again.stderr
    assert re.search(rf"^ +{24 - len(first)} +{len(first)} +0 +0 ", again.stdout, re.MULTILINE)
    assert {name: batch.record(name) for name in first} == first, "what was done is not touched"
    assert batch.made() == calm.made() and len(batch.made()) == 24
    attempts = sorted(batch.record(row["id"])["attempts"] for row in rows)
    assert attempts == [1] * (24 - lost) + [2] * lost
    assert batch.hosts() == [] and len({batch.record(f"j{n:02d}")["worker"]["process"] for n in range(24)}) >= 4
