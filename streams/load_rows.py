"""Rows of a file: CSV with a header, or one JSON object a line. Memory does not grow with the file."""

import codecs
import csv
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import orjson
from pydantic import JsonValue

from schemas.codec import InvalidMessageError, check_json

LINE_BYTES_MAX = 1_048_576
DELIMITERS = (",", ";", "\t", "|")
JSON_LINES = frozenset({".jsonl", ".ndjson"})
NOT_ROWS = frozenset({".json", ".xlsx", ".xls", ".ods", ".parquet", ".gz", ".zip"})
COLUMNS_SHOWN_MAX = 20


class RowsFileError(Exception):
    """The file cannot be read as rows; the text says where, what was expected and what to do."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceRow:
    """One row as it stands in the file.

    Attributes:
        number: from 1; header and blank lines are not counted.
        line: line of the file that it begins on, from 1.
        values: text by column, or JSON values by name.
        fault: why it is not a row at all, else empty.
    """

    number: int
    line: int
    values: Mapping[str, JsonValue]
    fault: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class CsvFile:
    """A CSV file in UTF-8 whose first line names the columns.

    Attributes:
        path: the file.
        delimiter: character between cells.
        columns: names of the columns, in order.
    """

    path: Path
    delimiter: str
    columns: tuple[str, ...]

    def rows(self) -> Iterator[SourceRow]:
        """Yield the rows; a row without any text is none.

        Raises:
            RowsFileError: from here on, where rows begin and end is unknown.
        """
        records = _csv_records(self.path, self.delimiter)
        next(records, None)
        filled = ((line, cells) for line, cells in records if any(map(str.strip, cells)))
        for number, (line, cells) in enumerate(filled, 1):
            if len(cells) == len(self.columns):
                values = dict(zip(self.columns, cells, strict=True))
                yield SourceRow(number=number, line=line, values=values)
            else:
                fault = f"{len(cells)} cells, expected {len(self.columns)} as in the header"
                yield SourceRow(number=number, line=line, values={}, fault=fault)


@dataclass(frozen=True, slots=True, kw_only=True)
class JsonLinesFile:
    """A file with one JSON object a line.

    Attributes:
        path: the file.
        columns: always empty: each object names its own values.
    """

    path: Path
    columns: tuple[str, ...] = ()

    def rows(self) -> Iterator[SourceRow]:
        """Yield the rows; a blank line is none."""
        filled = ((line, content) for line, content in _lines(self.path) if content.strip())
        for number, (line, content) in enumerate(filled, 1):
            values, fault = _json_object(content)
            yield SourceRow(number=number, line=line, values=values, fault=fault)


RowsFile = CsvFile | JsonLinesFile


def open_rows(path: Path, delimiter: str | None = None) -> RowsFile:
    """Return the file, its header read.

    Args:
        path: `*.jsonl` and `*.ndjson` are JSON lines, anything else is CSV.
        delimiter: between the cells of a CSV file; None: that of DELIMITERS which the header has most of.

    Raises:
        RowsFileError: no regular file, empty, another format, or the header is unusable.
    """
    if not path.is_file():
        raise RowsFileError(f"{path} is no regular file; it is read twice, so a pipe does not do")
    suffix = path.suffix.lower()
    if suffix in NOT_ROWS:
        raise RowsFileError(
            f"{path} is a {suffix} file, expected CSV or JSON lines (one object a line, *.jsonl); export it"
        )
    if suffix in JSON_LINES:
        return JsonLinesFile(path=path)
    first = next(_texts(path), "")
    chosen = delimiter or max(DELIMITERS, key=first.count)
    return CsvFile(path=path, delimiter=chosen, columns=_header(path, chosen))


def _header(path: Path, delimiter: str) -> tuple[str, ...]:
    _, cells = next(_csv_records(path, delimiter), (1, []))
    columns = tuple(cell.strip() for cell in cells)
    if not any(columns):
        raise RowsFileError(f"{path}: the first line is empty, expected the names of the columns")
    for place, column in enumerate(columns, 1):
        if not column:
            raise RowsFileError(f"{path}: column {place} of {len(columns)} has no name; name or remove it")
        if columns.index(column) + 1 < place:
            raise RowsFileError(f"{path}: two columns are named {column[:100]!r}; rename or remove one")
    return columns


def _csv_records(path: Path, delimiter: str) -> Iterator[tuple[int, list[str]]]:
    """Yield each record with the line that it begins on; strict, so that a stray quote swallows no rows."""
    reader = csv.reader(_texts(path), delimiter=delimiter, strict=True)
    line = 1
    try:
        for cells in reader:
            yield line, cells
            line = reader.line_num + 1
    except csv.Error as error:
        raise RowsFileError(
            f"{path}: the row that begins on line {line} is no CSV: {error}; "
            "is a quote left open, or not doubled inside of quotes?"
        ) from None


def _texts(path: Path) -> Iterator[str]:
    for line, content in _lines(path):
        if len(content) > LINE_BYTES_MAX:
            raise RowsFileError(f"{path}: line {line} has more than {LINE_BYTES_MAX} bytes; is it CSV?")
        try:
            yield content.decode()
        except UnicodeDecodeError as error:
            raise RowsFileError(
                f"{path}: line {line}: byte {error.start + 1} is not UTF-8; save the file as UTF-8"
            ) from None


def _lines(path: Path) -> Iterator[tuple[int, bytes]]:
    """Yield the lines from 1, without a byte order mark; of a longer one LINE_BYTES_MAX + 1 bytes."""
    try:
        with path.open("rb") as file:
            number = 0
            while content := file.readline(LINE_BYTES_MAX + 1):
                number += 1
                rest = content
                while len(rest) > LINE_BYTES_MAX and not rest.endswith(b"\n"):
                    rest = file.readline(LINE_BYTES_MAX + 1)
                yield number, content.removeprefix(codecs.BOM_UTF8) if number == 1 else content
    except OSError as error:
        raise RowsFileError(f"{path} cannot be read: {error.strerror}") from None


def _json_object(content: bytes) -> tuple[Mapping[str, JsonValue], str]:
    if len(content) > LINE_BYTES_MAX:
        return {}, f"the line has more than {LINE_BYTES_MAX} bytes"
    try:
        check_json(content)
        value = orjson.loads(content)
    except (InvalidMessageError, ValueError) as error:
        return {}, str(error)
    return (value, "") if isinstance(value, dict) else ({}, "the line is JSON, but no object")
