"""Tables of jobs: how they may be written, and what is wrong with them, line by line."""

from pathlib import Path

import pytest
from syncpack.launcher.batch import jobs
from syncpack.launcher.batch.jobs import Problems, read
from syncpack.launcher.errors import UsageError


def rows_of(path: Path, content: str | bytes) -> list[jobs.Row]:
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    problems = Problems(path.name)
    rows = read(path, problems)
    problems.check()
    return rows


def said(path: Path, content: str | bytes) -> list[str]:
    """The lines of the error, without the file's folder."""
    with pytest.raises(UsageError) as caught:
        rows_of(path, content)
    return [line.removeprefix("error: ").replace(f"{path.parent}/", "") for line in str(caught.value).split("\n")]


PLAIN = "workflow,id,A.b,My node.x.c\nwall,one,3,\n\nwall,two,true,a b\n"


@pytest.mark.parametrize(
    "content",
    [
        PLAIN,
        PLAIN.replace("\n", "\r\n"),
        PLAIN.replace(",", ";"),
        PLAIN.replace(",", "\t"),
        b"\xef\xbb\xbf" + PLAIN.encode(),
        PLAIN.replace(",", ";").replace("\n", "\r\n").encode("utf-16"),
        PLAIN.replace("a b", '"a b"').replace(",", " , "),
    ],
)
def test_every_way_to_write_a_csv(tmp_path, content):
    one, two = rows_of(tmp_path / "jobs.csv", content)
    assert (one.line, one.id, one.workflow) == (2, "one", "wall") and (two.line, two.id) == (4, "two")
    assert [(s.node, s.name, s.value) for s in one.settings] == [("A", "b", 3)], "empty cells change nothing"
    assert [(s.node, s.name, s.value) for s in two.settings] == [("A", "b", True), ("My node.x", "c", "a b")]


def test_cells_of_several_lines_keep_the_line_where_the_row_begins(tmp_path):
    rows = rows_of(tmp_path / "jobs.csv", 'workflow,A.text,id\nw,"two\nlines, a comma",a\nw,x,b\n')
    assert [(row.line, row.settings[0].value) for row in rows] == [(2, "two\nlines, a comma"), (4, "x")]


def test_json_lines_keep_their_types(tmp_path):
    text = '{"workflow": "w", "id": 7, "A.b": "5", "A.c": 5, "A.d": null}\n\n{"workflow": "w", "A.b": ""}\n'
    one, two = rows_of(tmp_path / "jobs.jsonl", text)
    assert one.id == "7" and [(s.name, s.value) for s in one.settings] == [("b", "5"), ("c", 5)]
    assert (two.line, two.settings[0].value) == (3, "")


def test_ids_and_workflows_are_texts_in_a_csv(tmp_path):
    rows = rows_of(tmp_path / "jobs.csv", "workflow,id\n123,007\n123,1e3\nw,true\n")
    assert [(row.workflow, row.id) for row in rows] == [("123", "007"), ("123", "1e3"), ("w", "true")]


def test_jobs_without_an_id_keep_their_name_when_rows_come_and_go(tmp_path):
    first = rows_of(tmp_path / "a.csv", "workflow,A.b\nmy/wall.json,1\nmy/wall.json,2\n")
    later = rows_of(tmp_path / "b.csv", "workflow,A.b,id\nmy/wall.json,2,\nother,1,x\nmy/wall.json,1,\n")
    assert [row.id for row in first] == [later[2].id, later[0].id]
    assert all(row.id.startswith("wall-") for row in first)


def test_what_is_wrong_is_said_with_its_line(tmp_path):
    table = "workflow,id,A.b\nw,a.b,1\nw,x/y,\nw,..,\nw,ok,\nw,OK,\n,e,\nw,f,1,2\nw,nul,\nw,,1\nw,,1\n"
    assert said(tmp_path / "jobs.csv", table) == [
        "jobs.csv, line 2: id 'a.b' is no name of a folder: letters, digits, - and _ were expected",
        "jobs.csv, line 3: id 'x/y' is no name of a folder: letters, digits, - and _ were expected",
        "jobs.csv, line 4: id '..' is no name of a folder: letters, digits, - and _ were expected",
        "jobs.csv, line 6: id 'OK' is that of line 5",
        "jobs.csv, line 7: no workflow is named",
        "jobs.csv, line 8: 4 cells below a heading of 3: quote cells with commas",
        "jobs.csv, line 9: id 'nul' is no name of a folder: letters, digits, - and _ were expected",
        "jobs.csv, line 11: the same job as line 10: give them ids, or leave one out",
    ]
    lines = said(
        tmp_path / "jobs.jsonl",
        '{"workflow": "w"\n["w"]\n{"workflow": "w", "seed": 3}\n{"workflow": "w", "workflow": "v"}\n'
        '{"workflow": "w", "A.b": NaN}\n{"workflow": "w", "id": ""}\n',
    )
    ends = ("line 1: this is no JSON", "line 2: a JSON object", "line 3: column 'seed' is neither")
    ends += ("line 4: this is no JSON: 'workflow' is there twice", "line 5: this is no JSON: NaN", "line 6: id ''")
    assert len(lines) == len(ends)
    assert all(line.startswith(f"jobs.jsonl, {end}") for line, end in zip(lines, ends, strict=True))


def test_problems_are_told_in_the_order_of_the_file():
    problems = Problems("jobs.csv")
    for line in (3, 2, 9, 3):
        problems.add(line, "wrong")
    with pytest.raises(UsageError) as caught:
        problems.check()
    assert str(caught.value).split("\nerror: ") == [f"jobs.csv, line {line}: wrong" for line in (2, 3, 3, 9)]


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("jobs.csv", "", "jobs.csv holds no job"),
        ("jobs.csv", "workflow,id\n\n", "jobs.csv holds no job"),
        ("jobs.csv", "work flow,id\nw,1\n", "jobs.csv, line 1: no column 'workflow'; there is: work flow, id"),
        ("jobs.csv", "\nworkflow,A.b,A.b\n", "jobs.csv, line 2: two columns are called 'A.b'"),
        ("jobs.csv", 'workflow,id\nw,"open\n', "jobs.csv, line 2: this is no CSV"),
        ("jobs.csv", b"workflow,A.b\nw,1\nw,\xe4\n", "jobs.csv, line 3: this is no UTF-8"),
        ("jobs.xlsx", "PK", "jobs.xlsx is no table of jobs: a name that ends in .csv or .jsonl was expected"),
    ],
)
def test_files_that_are_no_table(tmp_path, name, content, words):
    [line] = said(tmp_path / name, content)
    assert line.startswith(words)


def test_a_table_that_is_not_there(tmp_path):
    with pytest.raises(UsageError, match=r"cannot read .*none\.csv: No such file"):
        read(tmp_path / "none.csv", Problems("none.csv"))
