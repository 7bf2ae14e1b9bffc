"""From rows to jobs: what is changed, what is refused before anything starts, which files travel, what decides that a
job is run again."""

import hashlib
import json
import os
import pickle
from pathlib import Path

import pytest
from syncpack.launcher import overrides
from syncpack.launcher.batch import models
from syncpack.launcher.batch.inputs import sha256_of
from syncpack.launcher.batch.jobs import Problems, Row
from syncpack.launcher.batch.plan import MARK, Planner, Workflows
from syncpack.launcher.errors import HostError
from syncpack.launcher.workflow_format import load

DATA = Path(__file__).resolve().parent / "data"
CORE_INFO = json.loads((DATA / "object_info.json").read_text(encoding="utf-8"))
INFO = {
    "Model": {"input": {"required": {"name": [["a.ckpt", "b.ckpt"]]}}},
    "Load": {"input": {"required": {"image": [["wall.png"], {"image_upload": True}]}}},
    "Mesh": {"input": {"required": {"file": [["teapot.obj"]]}}},
    "Paint": {
        "input": {
            "required": {
                "model": ["MODEL"],
                "seed": ["INT", {"min": 0, "max": 99}],
                "size": ["FLOAT", {"min": 0.5}],
                "on": ["BOOLEAN"],
                "text": ["STRING"],
                "way": [["slow", "fast", "2"]],
            }
        },
        "output_node": True,
    },
}
PROMPT = {
    "1": {"class_type": "Model", "inputs": {"name": "a.ckpt"}},
    "2": {"class_type": "Paint", "inputs": dict(model=["1", 0], seed=1, size=1.0, on=True, text="x", way="slow")},
    "3": {"class_type": "Load", "inputs": {"image": "wall.png"}},
    "4": {"class_type": "Mesh", "inputs": {"file": "teapot.obj"}, "_meta": {"title": "The mesh"}},
}


@pytest.fixture
def planned(tmp_path):
    """(rows as settings) -> (jobs, problems); the pack lies in tmp_path/pack, the table in tmp_path/table."""
    pack, table = tmp_path / "pack", tmp_path / "table"
    for folder in (pack / "workflows", pack / "assets", table):
        folder.mkdir(parents=True)
    (pack / "assets" / "wall.png").write_bytes(b"wall")
    (pack / "workflows" / "paint.json").write_text(json.dumps(PROMPT))

    def plan(*rows, info=INFO, workflow="paint", hashes=lambda name: {}):
        problems = Problems("jobs.csv")
        listed = [
            Row(line, f"job{line}", workflow, tuple(overrides.parse(f"{k}={v}") for k, v in settings.items()))
            for line, settings in enumerate(rows, 2)
        ]
        workflows = Workflows(pack, table)
        workflows.load(listed, problems)
        if problems.lines:
            return [], problems.lines
        return Planner(info, workflows, (), pack / "assets", hashes).jobs(listed, problems), problems.lines

    plan.table, plan.pack = table, pack
    return plan


def test_a_row_changes_widgets_and_savers_are_marked(planned):
    [job], problems = planned({"Paint.seed": 5, "2.text": "a, b", "Paint.way": 2})
    assert problems == []
    inputs = job.nodes["2"]["inputs"]
    assert inputs == dict(model=["1", 0], seed=5, size=1.0, on=True, text="a, b", way="2", batch_job="job2")
    assert MARK not in job.nodes["1"]["inputs"], "else the model would be loaded again for every job"
    assert job.seeds() == {"Paint (2).seed": 5}
    assert job.settings == {"Paint.seed": 5, "2.text": "a, b", "Paint.way": 2}
    assert list(job.shipped) == ["wall.png"] and job.files == ()


def test_the_key_is_what_decides_the_result(planned):
    rows = ({"Paint.seed": 5}, {"2.seed": 5}, {"2.seed": 6}, {"Model.name": "b.ckpt"}, {})
    keys = [job.key for job in planned(*rows)[0]]
    assert keys[0] == keys[1] and len(set(keys)) == 4, "not the id, nor how a node is named"
    groups = [job.group for job in planned(*rows)[0]]
    assert groups[0] == groups[2] == groups[4] != groups[3], "workflow and models"
    (planned.pack / "assets" / "wall.png").write_bytes(b"another wall")
    assert planned({})[0][0].key not in keys


def test_a_changed_model_makes_another_job(planned):
    asked: list[str] = []

    def hashes(content):
        return lambda name: asked.append(name) or {f"checkpoints/{name}": content}

    [one, two] = planned({}, {"Model.name": "b.ckpt"}, hashes=hashes("1"))[0]
    assert one.models == {"checkpoints/a.ckpt": "1"} and two.models == {"checkpoints/b.ckpt": "1"}
    assert asked == ["a.ckpt", "b.ckpt"], "each once"
    assert planned({}, hashes=hashes("2"))[0][0].key != one.key == planned({}, hashes=hashes("1"))[0][0].key
    moved = planned({}, hashes=lambda name: {"unet/a.ckpt": "1"})[0][0]
    assert moved.key == one.key, "where it lies decides nothing"

    def broken(name):
        raise HostError("model file a.ckpt cannot be read: Input/output error")

    assert planned({}, hashes=broken)[1] == ["jobs.csv, line 2: model file a.ckpt cannot be read: Input/output error"]


def test_models_are_found_where_the_host_looks_and_read_once(tmp_path, monkeypatch):
    read: list[str] = []
    monkeypatch.setattr(models, "sha256_of", lambda path: read.append(path.name) or sha256_of(path))
    for name in ("one/a.ckpt", "one/sub/b.ckpt", "two/a.ckpt", "two/c.ckpt", "vae/c.ckpt"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(name.encode())
        os.utime(tmp_path / name, (1, 1))
    one, two = tmp_path / "one", tmp_path / "two"
    folders = {"checkpoints": [one, two], "unet": [two], "diffusion_models": [two], "vae": [tmp_path / "vae"]}

    def hashes(name):
        return models.Models(folders, tmp_path / "run" / "memory.json").hashes(name)

    def digest(name):
        return hashlib.sha256(name.encode()).hexdigest()

    assert hashes("a.ckpt") == {"checkpoints/a.ckpt": digest("one/a.ckpt"), "unet/a.ckpt": digest("two/a.ckpt")}
    assert hashes("sub/b.ckpt") == {"checkpoints/sub/b.ckpt": digest("one/sub/b.ckpt")} and hashes("d.ckpt") == {}
    assert hashes("c.ckpt") == {"checkpoints/c.ckpt": digest("two/c.ckpt"), "vae/c.ckpt": digest("vae/c.ckpt")}
    assert len(hashes("a.ckpt")) == 2 and len(read) == 5, "the second time nothing is read"
    (one / "a.ckpt").write_bytes(b"another")
    assert hashes("a.ckpt")["checkpoints/a.ckpt"] == digest("another") and len(read) == 6
    hashes("a.ckpt")
    assert len(read) == 7, "a file that was written just now may change unseen"
    (tmp_path / "run" / "memory.json").write_text("[")
    assert len(hashes("c.ckpt")) == 2 and len(read) == 9


def test_what_a_host_would_refuse_is_said_with_its_line(planned):
    wrong = {
        "Nothing.seed": "1",
        "2.sed": "1",
        "Paint.seed": "100",
        "2.seed": "1.5",
        "2.size": "0.1",
        "2.on": "yes",
        "2.way": "quick",
        "Model.name": "c.ckpt",
        "3.image": "none.png",
    }
    jobs, problems = planned(*({name: value} for name, value in wrong.items()))
    assert jobs == []
    words = (
        "no node has the id or title 'Nothing'; there is: 1 (Model), 2 (Paint), 3 (Load), 4 (The mesh)",
        "node 2 has no widget 'sed'; it has: seed, size, on, text, way",
        "a number of at least 0 and at most 99 was expected",
        "a whole number was expected",
        "a number of at least 0.5 was expected",
        "true or false was expected",
        "this host knows no 'quick' there; it has: slow, fast, 2",
        "this host knows no 'c.ckpt' there; it has: a.ckpt, b.ckpt",
        "there is no such file, neither beside the table nor in the input folder",
    )
    for line, ((name, value), word, problem) in enumerate(zip(wrong.items(), words, problems, strict=True), 2):
        assert problem.startswith(f"jobs.csv, line {line}: ") and problem.endswith(f"{name}={value}: {word}")


def test_titles_that_two_nodes_share(planned):
    twice = {**PROMPT, "5": PROMPT["1"]}
    (planned.pack / "workflows" / "paint.json").write_text(json.dumps(twice))
    _, [problem] = planned({"Model.name": "a.ckpt"})
    assert problem.endswith("Model.name=a.ckpt: several nodes are called that, use an id: 1, 5")


def test_workflows_are_found_beside_the_table_and_in_the_pack(planned):
    _, [problem] = planned({}, workflow="pain")
    assert problem == "jobs.csv, line 2: no workflow 'pain'; there is: paint"
    (planned.table / "mine.json").write_text("[1]")
    _, [problem] = planned({}, workflow="mine.json")
    assert problem.endswith("mine.json is not a workflow: a JSON object was expected")
    (planned.table / "mine.json").write_text(json.dumps({"1": {"class_type": "Gone", "inputs": {}}}))
    _, [problem] = planned({}, workflow="mine.json")
    assert problem == "jobs.csv, line 2: mine.json: this host has no node of type Gone (node 1)"


def test_inputs_that_nothing_feeds(planned):
    cut = {**PROMPT, "2": {"class_type": "Paint", "inputs": {"seed": 1, "size": 1.0, "text": "x"}}}
    (planned.pack / "workflows" / "paint.json").write_text(json.dumps(cut))
    _, [problem] = planned({})
    words = "Paint (node 2): model, Paint (node 2): on, Paint (node 2): way"
    assert problem == f"jobs.csv, line 2: paint.json: required inputs are not there: {words}"


def test_a_models_file_that_the_workflow_names_and_the_host_lacks(planned):
    other = {**PROMPT, "1": {"class_type": "Model", "inputs": {"name": "gone.ckpt"}}}
    (planned.pack / "workflows" / "paint.json").write_text(json.dumps(other))
    _, [problem] = planned({})
    assert "Model (node 1).name=gone.ckpt: this host knows no 'gone.ckpt' there" in problem


def test_saved_workflows_are_converted(planned):
    planned.table.joinpath("core.json").write_text(json.dumps(load(DATA / "core_image.json")))
    [job], problems = planned({"Red.color": 5}, info=CORE_INFO, workflow="core.json")
    assert problems == [] and job.nodes["1"]["inputs"]["color"] == 5
    assert job.drawing == load(DATA / "core_image.json")


def test_files_of_the_table_travel_under_names_of_their_content(planned):
    (planned.table / "photos").mkdir()
    photo = planned.table / "photos" / "one.png"
    photo.write_bytes(b"one")
    [job], problems = planned({"Load.image": "photos/one.png"})
    [file] = job.files
    assert problems == [] and file.path == str(photo)
    assert file.name == f"{file.sha256[:12]}-one.png" == job.nodes["3"]["inputs"]["image"]
    assert planned({"Load.image": str(photo)})[0][0].key == job.key
    photo.write_bytes(b"two")
    assert planned({"Load.image": "photos/one.png"})[0][0].key != job.key
    # A picture of the table's is meant before one of that name that comes with the pack.
    (planned.table / "wall.png").write_bytes(b"my wall")
    assert planned({"Load.image": "wall.png"})[0][0].files[0].path == str(planned.table / "wall.png")


def test_a_mesh_brings_what_it_names(planned):
    folder = planned.table / "car"
    (folder / "maps").mkdir(parents=True)
    (folder / "car.obj").write_text("mtllib car.mtl\nv 0 0 0\n")
    (folder / "car.mtl").write_text("newmtl red\nmap_Kd maps/red paint.png\n")
    (folder / "maps" / "red paint.png").write_bytes(b"red")
    (folder / "other.png").write_bytes(b"other")
    [job], problems = planned({"4.file": "car/car.obj"})
    assert problems == []
    names = [file.name for file in job.files]
    place = names[0].rpartition("/")[0]
    assert place.startswith("3d/") and job.nodes["4"]["inputs"]["file"] == names[0]
    assert names == [f"{place}/car.obj", f"{place}/car.mtl", f"{place}/maps/red paint.png"]
    (folder / "maps" / "red paint.png").write_bytes(b"blue")
    assert planned({"4.file": "car/car.obj"})[0][0].key != job.key


def test_jobs_can_be_sent(planned):
    [job], _ = planned({"Paint.seed": 5})
    assert pickle.loads(pickle.dumps(job)) == job
