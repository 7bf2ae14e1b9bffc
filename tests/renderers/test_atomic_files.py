"""Files are written whole or not at all, whatever ends the writing, and never over each other."""

import os
import resource
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
from syncpack.renderers.files import atomic, leftovers
from syncpack.renderers.files.atomic import write_all, write_new
from syncpack.renderers.files.leftovers import hidden_beside, own_name, private_folder, remove_leftovers

ROOT = Path(__file__).resolve().parents[2]
POSIX = pytest.mark.skipif(os.name == "nt", reason="needs POSIX")
# The pack in another process, and what it is to do there.
CHILD = f"""
import sys, types
alias = types.ModuleType("syncpack"); alias.__path__ = [{str(ROOT)!r}]; sys.modules["syncpack"] = alias
from pathlib import Path
from syncpack.renderers.files.atomic import write_all, write_new
folder = Path(sys.argv[1])
"""


def child(code, *arguments):
    return subprocess.Popen([sys.executable, "-c", CHILD + code, *map(str, arguments)], stdout=subprocess.PIPE)


def names(folder):
    return sorted(p.name for p in folder.iterdir())


def test_files_are_written_and_replaced(tmp_path):
    folder = tmp_path / "new" / "folder"
    assert write_all(folder, {"a": b"1", "b": b"2"}) == (folder / "a", folder / "b")
    write_all(folder, {"a": b"3"})
    assert (folder / "a").read_bytes() == b"3" and names(folder) == ["a", "b"]


def test_a_number_that_is_taken_is_passed_over(tmp_path):
    (tmp_path / "x_2.b").write_bytes(b"mine")
    for number in (1, 3, 4):
        made = write_new(tmp_path, lambda n: {f"x_{n}.a": b"a%d" % n, f"x_{n}.b": b"b"})
        assert [p.name for p in made] == [f"x_{number}.a", f"x_{number}.b"]
    assert (tmp_path / "x_2.b").read_bytes() == b"mine" and not (tmp_path / "x_2.a").exists()


@pytest.mark.parametrize("links", (True, False))
def test_two_savers_never_share_a_name(tmp_path, links, monkeypatch):
    """Both begin with the same number; with hard links, and on disks without."""
    if not links:

        def refused(*_):
            raise PermissionError(1, "no links here")

        monkeypatch.setattr(os, "link", refused)
    begin, made = threading.Barrier(4), []

    def save(who):
        begin.wait()
        for _ in range(10):
            made.append((who, write_new(tmp_path, lambda n: {f"x_{n}.a": who, f"x_{n}.b": who}, lasting=False)))

    savers = [threading.Thread(target=save, args=(b"%d" % i,)) for i in range(4)]
    for saver in savers:
        saver.start()
    for saver in savers:
        saver.join()
    assert len({paths for _, paths in made}) == 40 and len(names(tmp_path)) == 80
    assert all(path.read_bytes() == who for who, paths in made for path in paths)


def test_two_processes_never_share_a_name(tmp_path):
    code = "for i in range(30): write_new(folder, lambda n: {f'x_{n}': sys.argv[2].encode()}, lasting=False)"
    running = [child(code, tmp_path, who) for who in "abc"]
    assert [process.wait(60) for process in running] == [0, 0, 0]
    assert sorted(p.read_text() for p in tmp_path.iterdir()) == ["a"] * 30 + ["b"] * 30 + ["c"] * 30


class Full(Exception):
    pass


@pytest.mark.parametrize("at", range(3))
@pytest.mark.parametrize("old", (True, False))
def test_an_error_on_the_way_leaves_what_was_there(tmp_path, at, old, monkeypatch):
    before = {f"f{i}": b"old%d" % i for i in range(3)} if old else {}
    write_all(tmp_path, before)
    calls, replace = [], os.replace

    def fails(source, target):
        calls.append(target)
        if len(calls) == at + 1:
            raise Full
        replace(source, target)

    monkeypatch.setattr(os, "replace", fails)
    with pytest.raises(Full):
        write_all(tmp_path, {f"f{i}": b"new" for i in range(3)})
    monkeypatch.undo()
    assert {p.name: p.read_bytes() for p in tmp_path.iterdir()} == before


@POSIX
def test_a_full_disk_is_told_in_a_line_and_leaves_nothing(tmp_path):
    (tmp_path / "there").write_bytes(b"old")
    limits, ignored = resource.getrlimit(resource.RLIMIT_FSIZE), signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    try:
        resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, limits[1]))
        for write in (write_all, lambda folder, files: write_new(folder, lambda n: files)):
            with pytest.raises(ValueError, match=r"^the file 'big' could not be written \(File too large\); the disk"):
                write(tmp_path, {"small": b"1", "big": bytes(200_000)})
        with pytest.raises(ValueError, match="'there' could not be written"):
            write_all(tmp_path, {"there": bytes(200_000)})
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
        signal.signal(signal.SIGXFSZ, ignored)
    assert names(tmp_path) == ["there"] and (tmp_path / "there").read_bytes() == b"old"


def test_names_and_folders_that_cannot_be_used(tmp_path):
    (tmp_path / "file").write_bytes(b"")
    for folder, name in ((tmp_path, "a" * 300), (tmp_path / "file", "b")):
        with pytest.raises(ValueError, match="could not be written") as caught:
            write_new(folder, lambda n, name=name: {name: b""})
        assert len(str(caught.value)) < 250 and "\n" not in str(caught.value)
    assert names(tmp_path) == ["file"]


@POSIX
def test_a_process_killed_while_writing_leaves_whole_files_only(tmp_path):
    """Killed at many moments; what lies under right names is complete, and the next save clears the rest."""
    code = """
print("go", flush=True)
for i in range(10_000):
    write_new(folder, lambda n: {f"x_{n}.a": bytes(3_000_000), f"x_{n}.b": bytes(500_000)}, i, lasting=False)
"""
    for moment in range(6):
        process = child(code, tmp_path)
        process.stdout.readline()
        time.sleep(0.03 + 0.011 * moment)
        process.kill()
        process.wait()
    left = [p for p in tmp_path.iterdir() if p.name.startswith(".")]
    for path in set(tmp_path.iterdir()) - set(left):
        assert path.stat().st_size == (3_000_000 if path.suffix == ".a" else 500_000)
        # The one that names the others is never there without them.
        assert path.suffix == ".b" or path.with_suffix(".b").exists()
    for process in (dead(), dead()):
        (tmp_path / own_name_of(process)).write_bytes(b"half")
    write_all(tmp_path, {"next": b"1"})
    assert not [name for name in names(tmp_path) if name.startswith(".")]


def dead():
    """The number of a process that is gone."""
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    return process.pid


def own_name_of(process):
    return "." + own_name().replace(f"-{os.getpid()}-", f"-{process}-")


@POSIX
def test_only_what_is_ours_and_abandoned_is_removed(tmp_path):
    running = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    try:
        other = own_name_of(dead()).replace(leftovers._machine(), "00000000")
        kept = [".hidden", ".synctweedies-notes", hidden_beside(tmp_path).name, own_name_of(running.pid), other]
        for name in (*kept, own_name_of(dead())):
            (tmp_path / name).write_bytes(b"x")
        remove_leftovers(tmp_path)
        assert names(tmp_path) == sorted(kept)
        # A day later nothing of the kind is in use, whoever made it.
        for name in kept:
            os.utime(tmp_path / name, (time.time() - 90_000,) * 2)
        remove_leftovers(tmp_path)
        assert names(tmp_path) == [".hidden", ".synctweedies-notes"]
    finally:
        running.communicate()


@POSIX
def test_folders_for_other_processes_go_too(tmp_path, monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    left = tmp_path / own_name_of(dead())[1:]
    left.mkdir()
    (left / "job.npz").write_bytes(b"x")
    with private_folder() as folder:
        (folder / "a").write_bytes(b"1")
        assert names(tmp_path) == [folder.name]
    assert names(tmp_path) == []


def test_everything_is_written_here():
    """No other file of the pack opens one for writing: a half-written file would be found."""
    allowed = {"renderers/files/atomic.py", "renderers/mesh/uvs/unwrap.py", "renderers/mesh/uvs/xatlas_worker.py"}
    words = (
        "write_bytes(",
        "write_text(",
        '.open("w',
        '.open("xb',
        "os.replace",
        "NamedTemporary",
        "TemporaryDirectory",
    )
    for part in ("nodes", "renderers", "sync_core"):
        for path in (ROOT / part).rglob("*.py"):
            text = path.read_text(encoding="utf-8")
            found = [word for word in words if word in text]
            assert not found or path.relative_to(ROOT).as_posix() in allowed, (path, found)
    assert atomic.__doc__
