"""The queue and what it leaves on disk, with workers that are a few lines of Python."""

import errno
import importlib
import io
import json
import os
import threading
import time
from collections import Counter
from pathlib import Path

import pytest
from syncpack.launcher.batch import locks, runner
from syncpack.launcher.batch import show as show_module
from syncpack.launcher.batch.inputs import sha256_of
from syncpack.launcher.batch.journal import Journal
from syncpack.launcher.batch.locks import locked
from syncpack.launcher.batch.plan import Job
from syncpack.launcher.batch.runner import Deal, Runner
from syncpack.launcher.batch.show import Show, clock
from syncpack.launcher.batch.summary import Summary
from syncpack.launcher.batch.worker import DONE, FAILED, LOST, Facts, Output, Report
from syncpack.launcher.errors import HostError, UsageError

ROOT = Path(__file__).resolve().parents[2]


def job(name: str, group: str = "g", key: str = "k") -> Job:
    nodes = {"1": {"class_type": "Paint", "inputs": {"seed": 3}}}
    return Job(name, 2, "paint", {}, nodes, {"1": "Paint"}, None, (), {}, f"{name} {key}", group)


class Scripted:
    """Writes a file for each job, after what ``plan`` says of its first runs: 'lost', 'failed', 'raise', 'wait'."""

    def __init__(self, plan=None, refuse=0, waits=""):
        self.plan, self.refuse, self.waits = dict(plan or {}), refuse, waits
        self.ran: list[str] = []
        self.opened = 0
        self.stopped = threading.Event()

    def open(self, with_info=False, note=None):
        self.opened += 1
        if self.waits and note is not None:
            note(self.waits)
            note(self.waits)
        if self.refuse:
            self.refuse -= 1
            raise HostError("no room")
        return Facts({}, {})

    def run(self, job, part, note):
        self.ran.append(job.id)
        words = self.plan.get(job.id, [])
        word = words.pop(0) if words else ""
        if word == "raise":
            raise RuntimeError("a mistake of ours")
        if word == "wait":
            note("waiting")
            self.stopped.wait(10)
            return Report(LOST, "stopped")
        (part / "made.txt").write_text(job.id)
        if word:
            return Report(word, f"{word} it", "the traceback")
        size = (part / "made.txt").stat().st_size
        return Report(DONE, outputs=(Output("made.txt", size, sha256_of(part / "made.txt")),), seconds=0.5)

    def stop(self):
        self.stopped.set()

    def close(self):
        pass


@pytest.fixture
def journal(tmp_path):
    with Journal(tmp_path / "out") as opened:
        yield opened


@pytest.fixture(autouse=True)
def no_pauses(monkeypatch):
    monkeypatch.setattr(runner, "PAUSE", 0.01)


def run(journal, jobs, *workers, retries=2):
    stream = io.StringIO()
    runs = Runner(jobs, workers, journal, Show(len(jobs), len(workers), stream), retries)
    try:
        runs.run()
    finally:
        runs.said = stream.getvalue()
    return runs


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir() if path.name != ".batch")


def test_every_job_is_run_once_by_some_worker(journal):
    jobs = [job(f"j{n}", group=f"g{n % 3}") for n in range(30)]
    workers = [Scripted() for _ in range(4)]
    runs = run(journal, jobs, *workers)
    assert Counter(name for worker in workers for name in worker.ran) == {f"j{n}": 1 for n in range(30)}
    assert {record["state"] for record in runs.records.values()} == {"done"} and len(runs.records) == 30
    assert len(names(journal.folder)) == 30 and names(journal.folder / "j7") == ["job.json", "made.txt"]
    assert all(journal.is_done(one) for one in jobs) and "30 of 30" in runs.said


def test_lost_jobs_run_again_and_failed_ones_do_not(journal):
    plan = {"a": [LOST, LOST], "b": [LOST] * 9, "c": [FAILED], "d": ["raise"]}
    worker = Scripted(plan)
    runs = run(journal, [job(name) for name in "abcde"], worker)
    assert Counter(worker.ran) == {"a": 3, "b": 3, "c": 1, "d": 1, "e": 1}
    states = {name: (record["state"], record["attempts"]) for name, record in runs.records.items()}
    assert states == {"a": ("done", 3), "b": ("failed", 3), "c": ("failed", 1), "d": ("failed", 1), "e": ("done", 1)}
    assert runs.records["b"]["error"] == "given up after 3 runs: lost it"
    assert (journal.folder / "c.failed" / "error.log").read_text() == "failed it\n\nthe traceback\n"
    assert "a mistake of ours" in (journal.folder / "d.failed" / "error.log").read_text()
    assert names(journal.folder) == ["a", "b.failed", "c.failed", "d.failed", "e"]
    assert names(journal.folder / "b.failed") == ["error.log", "job.json"], "no half of its files"
    assert list((journal.folder / ".batch" / "parts").iterdir()) == []


def test_a_lost_job_goes_to_another_worker(journal):
    """As long as there is another one: the worker that lost it takes it last of all."""
    deal = Deal([job("a"), job("b"), job("c")])
    first = deal.take(0)
    deal.give_back(first, 0)
    assert [deal.take(0).id, deal.take(1).id, deal.take(0).id, deal.take(0)] == ["b", "a", "c", None]


def test_jobs_of_one_model_stay_with_a_worker():
    deal = Deal([job(f"{group}{n}", group) for n in range(4) for group in "xy"])
    mine = [deal.take(0).id for _ in range(2)] + [deal.take(1).id for _ in range(3)] + [deal.take(0).id]
    assert mine == ["x0", "x1", "y0", "y1", "y2", "x2"]
    rest = [deal.take(1).id, deal.take(1).id]
    assert rest == ["y3", "x3"] and len(deal) == 0, "and then it helps the others"


def test_workers_that_do_not_start_are_tried_again_and_given_up(journal):
    late, never = Scripted(refuse=2), Scripted(refuse=99)
    runs = run(journal, [job("a"), job("b")], late, never)
    assert sorted(late.ran) == ["a", "b"] and late.opened >= 3 and never.ran == []
    assert runs.said.count("worker 0: no room") == 2
    with pytest.raises(HostError, match=r"^no worker is left: no room$"):
        run(journal, [job("c")], Scripted(refuse=99), Scripted(refuse=99))


def test_workers_that_wait_for_room_are_told_of_once(journal):
    runs = run(journal, [job(name) for name in "abc"], Scripted(waits="no room"), Scripted(waits="no room"))
    assert runs.said.count("no room") == 1 and "3 of 3" in runs.said


def test_an_interrupt_keeps_what_is_done_and_a_later_run_goes_on(tmp_path):
    jobs = [job(name) for name in "abcd"]
    with Journal(tmp_path / "out") as journal:
        worker = Scripted({"c": ["wait"]})
        runs = Runner(jobs, [worker], journal, Interrupting(lambda: len(worker.ran) == 3), 2)
        with pytest.raises(KeyboardInterrupt):
            runs.run()
        assert names(journal.folder) == ["a", "b"] and worker.stopped.is_set()
    with Journal(tmp_path / "out") as journal:
        todo = [one for one in jobs if not journal.is_done(one)]
        assert [one.id for one in todo] == ["c", "d"]
        run(journal, todo, Scripted())
        assert all(journal.is_done(one) for one in jobs)


class Interrupting(Show):
    """Raises what Ctrl-C raises, in the main thread."""

    def __init__(self, when):
        super().__init__(4, 1, io.StringIO())
        self.when = when

    def tick(self):
        if self.when():
            raise KeyboardInterrupt


def test_done_is_done_with_the_same_inputs_and_whole_files(journal):
    run(journal, [job("a"), job("b"), job("c")], Scripted())
    assert journal.is_done(job("a")) and not journal.is_done(job("a", key="other")) and not journal.is_done(job("d"))
    (journal.folder / "b" / "made.txt").unlink()
    (journal.folder / "c" / "made.txt").write_text("more than there was")
    assert not journal.is_done(job("b")) and not journal.is_done(job("c"))
    (journal.folder / "a" / "job.json").write_text("{")
    assert not journal.is_done(job("a"))


def test_a_changed_job_replaces_its_files_and_a_failure_does_not(journal):
    run(journal, [job("a")], Scripted())
    (journal.folder / "a" / "old.txt").write_text("of the first run")
    runs = run(journal, [job("a", key="new")], Scripted({"a": [FAILED]}))
    assert names(journal.folder) == ["a", "a.failed"] and journal.is_done(job("a"))
    runs = run(journal, [job("a", key="new")], Scripted())
    assert names(journal.folder) == ["a"] and names(journal.folder / "a") == ["job.json", "made.txt"]
    assert runs.records["a"] == json.loads((journal.folder / "a" / "job.json").read_text())


def test_one_run_at_a_time_and_leftovers_are_removed(tmp_path):
    left = tmp_path / "out" / ".batch" / "parts" / "a-1234"
    left.mkdir(parents=True)
    with Journal(tmp_path / "out") as journal:
        assert not left.exists()
        with pytest.raises(UsageError, match=r"^another run writes to .*: wait for it, or"), Journal(tmp_path / "out"):
            pass
        assert not journal.is_done(job("a"))
    with Journal(tmp_path / "out"):
        pass
    (tmp_path / "file").write_text("")
    with pytest.raises(UsageError, match=r"^cannot write to .*file/out: .*; choose another --output$"):
        Journal(tmp_path / "file" / "out").__enter__()


def test_locks_wait_for_each_other(tmp_path):
    order = []

    def second():
        with locked(tmp_path / "lock"):
            order.append("second")

    with locked(tmp_path / "lock"):
        thread = threading.Thread(target=second)
        thread.start()
        time.sleep(0.15)
        order.append("first")
    thread.join(5)
    assert order == ["first", "second"]


def test_a_file_system_without_locks_is_used_with_a_warning(tmp_path, monkeypatch, capsys):
    def refuse(handle):
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr(locks, "_take", refuse)
    with pytest.raises(OSError, match="No locks available"), locked(tmp_path / "lock"):
        pass
    with Journal(tmp_path / "out") as opened:
        opened.part(job("a"))
    assert "warning: there are no locks at" in capsys.readouterr().err


def test_what_another_program_has_open_is_waited_for(monkeypatch):
    monkeypatch.setattr(locks, "PAUSES", (0.0, 0.0))
    tries = []

    def action(ends):
        tries.append(ends)
        if len(tries) < ends:
            raise PermissionError("in use")
        return "done"

    assert locks.patiently(lambda: action(3)) == "done" and len(tries) == 3
    tries.clear()
    with pytest.raises(PermissionError, match="in use"):
        locks.patiently(lambda: action(4))
    assert len(tries) == 3


def test_a_job_keeps_its_files_where_new_ones_cannot_take_their_place(journal, monkeypatch):
    run(journal, [job("a")], Scripted())
    rename = os.rename

    def refuse(source, target):
        if Path(source).name.startswith("a-"):
            raise PermissionError(errno.EACCES, "Access is denied")
        rename(source, target)

    monkeypatch.setattr(os, "rename", refuse)
    changed = run(journal, [job("a", key="2")], Scripted())
    assert changed.records["a"]["error"] == "its files cannot be kept: Access is denied"
    assert names(journal.folder) == ["a"] and journal.is_done(job("a"))


def test_files_that_cannot_be_kept_are_a_failure_of_that_job(journal):
    class Cut(Scripted):
        def run(self, job, part, note):
            report = super().run(job, part, note)
            if job.id == "a":
                (part / "made.txt").write_text("")
            return report

    runs = run(journal, [job("a"), job("b")], Cut())
    assert runs.records["a"]["error"] == "its files cannot be kept: made.txt was not written whole"
    assert names(journal.folder) == ["b"]


def test_the_model_of_the_queue_is_its_closed_form(monkeypatch):
    """With deaths and without: 4,000 jobs of a minute, a death every six minutes and half a minute away each time."""
    monkeypatch.syspath_prepend(str(ROOT / "benchmarks"))
    bench = importlib.import_module("bench_batch")
    hours = bench.simulated_hours(4000, 8, [60.0], 10.0, 30.0)
    assert hours == pytest.approx(bench.expected_hours(4000, 8, 60.0, 10.0, 30.0), rel=0.02)
    assert hours > 1.15 * bench.simulated_hours(4000, 8, [60.0], 0.0, 30.0) == pytest.approx(1.15 * 4000 / 8 / 60)


def test_a_forecast_takes_the_seconds_of_a_folder(monkeypatch, journal):
    monkeypatch.syspath_prepend(str(ROOT / "benchmarks"))
    bench = importlib.import_module("bench_batch")
    run(journal, [job(name) for name in "abc"], Scripted({"c": [FAILED]}))
    assert bench.seconds_of(journal.folder) == [0.5, 0.5]
    assert bench.forecast([0.5], 0.0)[:2] == [round(5000 / 3600, 2), round(1250 / 3600, 2)]
    with pytest.raises(ValueError, match="holds no job that is done"):
        bench.seconds_of(journal.folder / "a")


# --- what people see -------------------------------------------------------------------------------------------------


class Terminal(io.StringIO):
    def isatty(self):
        return True


def test_a_terminal_shows_a_line_for_each_worker():
    show = Show(4, 2, stream := Terminal())
    show.working(0, "a Paint 3/20")
    show.tick()
    first = stream.getvalue()
    assert first == "worker 0: a Paint 3/20 (0:00)\nworker 1: waiting\n[------------------------] 0 of 4\n"
    show.ended(job("a"), {"state": "done", "seconds": 1.0})
    again = stream.getvalue().removeprefix(first)
    assert again.startswith("\x1b[3A\x1b[J") and "[######------------------] 1 of 4, 0:00 left" in again
    show.ended(job("b"), {"state": "failed", "seconds": 1.0, "error": "no paint"})
    assert stream.getvalue().endswith("\x1b[3A\x1b[Jb: failed: no paint\n")
    assert [clock(seconds) for seconds in (7.9, 754, 18070)] == ["0:07", "12:34", "5:01:10"]


def test_a_terminal_shows_no_more_workers_than_it_has_lines(monkeypatch):
    monkeypatch.setenv("LINES", "6")
    monkeypatch.setenv("COLUMNS", "80")
    show = Show(4, 9, stream := Terminal())
    show.tick()
    assert [line.partition(":")[0] for line in stream.getvalue().splitlines()][:-1] == [
        "worker 0",
        "worker 1",
        "7 more workers",
    ]


def test_where_nothing_is_redrawn_a_line_comes_after_a_minute_without_one(monkeypatch):
    now = [0.0]
    monkeypatch.setattr(show_module.time, "monotonic", lambda: now[0])
    show = Show(4, 6, stream := io.StringIO())
    show.working(1, "a Paint 3/20")
    for now[0] in (30.0, 61.0, 70.0, 122.0):
        show.tick()
    first, second = stream.getvalue().splitlines()
    assert first == (
        "0 of 4; worker 0: waiting; worker 1: a Paint 3/20 (1:01); worker 2: waiting; worker 3: waiting; 2 more workers"
    )
    assert "(2:02)" in second


def test_the_summary_counts_and_shows_everything(tmp_path):
    jobs = [job(name) for name in ("a", "b<c", "d", "e")]
    record = {"state": "done", "seconds": 2.0, "outputs": [{"name": "x y/p 1.png"}, {"name": "m.glb"}]}
    records = {"a": record, "b<c": {"state": "failed", "error": "no <paint>"}, "d": {**record, "outputs": []}}
    summary = Summary(jobs, {"a", "b<c", "e"}, records, 7.2, 2)
    assert [summary.state(one) for one in jobs] == ["done", "failed", "skipped", "left"]
    assert summary.table() == [
        "failed: line 2, b<c: no <paint>",
        "done  skipped  failed  left  time  jobs an hour",
        "   1        1       1     1  0:07           500",
    ]
    summary.write(tmp_path)
    whole = json.loads((tmp_path / "summary.json").read_text())
    assert (whole["done"], whole["skipped"], whole["failed"], whole["left"], whole["jobs_per_hour"]) == (
        1,
        1,
        1,
        1,
        500,
    )
    assert whole["jobs"][0]["outputs"] == ["a/x y/p 1.png", "a/m.glb"]
    page = (tmp_path / "index.html").read_text()
    assert page.count("<img") == 1 and 'src="a/x%20y/p%201.png"' in page and 'href="a/m.glb"' in page
    assert "no &lt;paint&gt;" in page and "b&lt;c" in page and 'href="b%3Cc.failed/job.json"' in page
