import csv
import io
from pathlib import Path
from typing import Any

import orjson
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from streams.load_rows import LINE_BYTES_MAX, CsvFile, RowsFileError, open_rows

CELL = st.text(
    st.characters(codec="utf-8", exclude_characters="\x00", exclude_categories=["Cs"]), max_size=20
)


def put(folder: Path, content: str | bytes, name: str = "rows.csv") -> Path:
    path = folder / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


@given(
    table=st.lists(st.tuples(CELL, CELL, CELL).filter(lambda row: any(map(str.strip, row))), max_size=10),
    delimiter=st.sampled_from([",", ";", "\t", "|"]),
    # With line ends of its own making, Python's writer leaves a CR unquoted.
    style=st.sampled_from([("\r\n", csv.QUOTE_MINIMAL), ("\n", csv.QUOTE_ALL)]),
)
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
def test_what_a_csv_writer_writes_is_read_back(
    tmp_path: Path, table: list[tuple[str, str, str]], delimiter: str, style: tuple[str, Any]
) -> None:
    out = io.StringIO()
    writer = csv.writer(out, delimiter=delimiter, lineterminator=style[0], quoting=style[1])
    writer.writerows([("a", "b", "c"), *table])

    rows = list(open_rows(put(tmp_path, out.getvalue())).rows())

    assert [tuple(row.values.values()) for row in rows] == table
    assert [row.number for row in rows] == list(range(1, len(table) + 1))


@given(
    objects=st.lists(st.dictionaries(CELL, CELL | st.integers(-(2**53), 2**53) | st.booleans()), max_size=8)
)
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
def test_json_lines_are_read_back(tmp_path: Path, objects: list[dict[str, object]]) -> None:
    content = b"".join(orjson.dumps(value) + b"\n" for value in objects)

    rows = list(open_rows(put(tmp_path, content, "rows.jsonl")).rows())

    assert [row.values for row in rows] == objects
    assert not any(row.fault for row in rows)


@pytest.mark.parametrize(("head", "delimiter"), [("a,b", ","), ("a;b", ";"), ("a\tb", "\t"), ("a", ",")])
def test_the_delimiter_is_that_of_the_header(tmp_path: Path, head: str, delimiter: str) -> None:
    file = open_rows(put(tmp_path, f"{head}\n"))

    assert isinstance(file, CsvFile)
    assert file.delimiter == delimiter


def test_a_byte_order_mark_is_no_part_of_the_first_column(tmp_path: Path) -> None:
    assert open_rows(put(tmp_path, "\ufeffcity,size\nRome,1\n")).columns == ("city", "size")


def test_rows_know_their_line_and_blank_ones_are_none(tmp_path: Path) -> None:
    rows = list(open_rows(put(tmp_path, 'a,b\n\n"x\ny",1\n , \nz,2\n')).rows())

    assert [(row.number, row.line) for row in rows] == [(1, 3), (2, 6)]


def test_a_row_of_another_length_is_a_fault(tmp_path: Path) -> None:
    short, good = open_rows(put(tmp_path, "a,b\n1\n1,2\n")).rows()

    assert short.fault == "1 cells, expected 2 as in the header"
    assert not good.fault


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "the first line is empty"),
        (b"a,,c\n", "column 2 of 3 has no name"),
        (b"a,b,a\n", "two columns are named 'a'"),
        (b"a,b\n1,2\n3,caf\xe9\n", "line 3: byte 6 is not UTF-8"),
        (b'a,b\n1,2\n"3,4\n5,6\n', "the row that begins on line 3 is no CSV"),
        (b'a,b\n1,"2"x\n', "the row that begins on line 2 is no CSV"),
        (b"a,b\n" + b"x" * (LINE_BYTES_MAX + 1), "line 2 has more than"),
        (b"a,b\n" + b"x" * 200_000 + b",1\n", "the row that begins on line 2 is no CSV: field larger"),
    ],
)
def test_a_file_that_cannot_be_split_into_rows_says_where(
    tmp_path: Path, content: bytes, message: str
) -> None:
    with pytest.raises(RowsFileError, match=message):
        list(open_rows(put(tmp_path, content)).rows())


@pytest.mark.parametrize("name", ["rows.xlsx", "rows.json", "rows.parquet"])
def test_other_formats_are_named(tmp_path: Path, name: str) -> None:
    with pytest.raises(RowsFileError, match="expected CSV or JSON lines"):
        open_rows(put(tmp_path, "x", name))


def test_what_is_no_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(RowsFileError, match="no regular file"):
        open_rows(tmp_path)


@pytest.mark.parametrize(
    ("line", "fault"),
    [
        (b'{"a": 1', "not JSON"),
        (b'{"a": 1, "a": 2}', "not JSON"),
        (b"[1]", "no object"),
        (b'{"a": "\xff"}', "not JSON"),
        (b'{"a": "' + b"x" * LINE_BYTES_MAX + b'"}', "more than"),
    ],
)
def test_a_broken_json_line_is_one_bad_row(tmp_path: Path, line: bytes, fault: str) -> None:
    bad, good = open_rows(put(tmp_path, line + b'\n\n{"a": 2}\n', "rows.jsonl")).rows()

    assert fault in bad.fault
    assert (good.number, good.line, good.values) == (2, 3, {"a": 2})
