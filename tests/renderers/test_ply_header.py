"""The one reader of PLY headers: what it finds, and what it takes when lines need not be exact."""

import pytest
from syncpack.renderers.files.ply_header import BadLine, Element, Property, newline_of, parse_header

HEAD = b"head"
VERTEX = [b"format ascii 1.0", b"element vertex 3", b"property float x"]


def parsed(*lines, exact=True):
    return parse_header(HEAD, [*VERTEX, *lines], "latin-1", exact)


@pytest.mark.parametrize("exact", (True, False))
def test_what_a_header_says(exact):
    header = parsed(
        *(b"comment made  here", b"obj_info n", b"", b"element face 2", b"property list uchar int32 vertex_indices"),
        exact=exact,
    )
    face = Element("face", 2, (Property("vertex_indices", "u1", "i4"),))
    assert header.elements == (Element("vertex", 3, (Property("x", "", "f4"),)), face)
    assert (header.encoding, header.order, header.head) == ("ascii", "", HEAD)
    assert header.comments == (b"comment made  here",)
    assert header.element("face") == face and header.element("edge") is None
    assert (header.count("vertex"), header.count("edge")) == (3, 0)
    assert face.listed and not header.elements[0].listed


@pytest.mark.parametrize(
    "line",
    [
        *(b"what is this", b"format ascii 1.1", b"format unheard 1.0", b"element edge -1", b"element edge 1_0"),
        *(b"element edge 1 2", b"property float y z", b"property list uchar int a b", b"property double x"),
    ],
)
def test_lines_that_are_passed_over_where_they_need_not_be_exact(line):
    with pytest.raises(BadLine) as found:
        parsed(line)
    assert found.value.line == line.decode()
    assert found.value.twice == ("x" if line == b"property double x" else "")
    parsed(line, exact=False)


@pytest.mark.parametrize("exact", (True, False))
@pytest.mark.parametrize(
    "line", (b"element edge", b"element edge many", b"property float", b"property half y", b"property list uchar int")
)
def test_lines_that_say_too_little_are_never_taken(line, exact):
    with pytest.raises(BadLine, match=line.decode()):
        parsed(line, exact=exact)


def test_a_property_needs_an_element():
    for exact in (True, False):
        with pytest.raises(BadLine):
            parse_header(HEAD, [b"property float x"], "ascii", exact)


def test_a_list_may_have_the_name_of_another_property():
    assert len(parsed(b"property list uchar int x", b"property list uchar int x").elements[0].properties) == 3


@pytest.mark.parametrize("newline", (b"\n", b"\r\n", b"\r"))
def test_the_first_line_tells_how_lines_end(newline):
    assert newline_of(b"ply" + newline + b"format") == newline
