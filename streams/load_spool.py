"""Checked rows, kept on disk until they are sent: what is sent is what was checked, and is cast once."""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager

import orjson

from streams.load_check import CheckedRow
from streams.load_rows import RowsFileError


class RowSpool:
    """Rows in a temporary file that is gone when the process is; memory does not grow with them."""

    def __init__(self) -> None:
        self._file = tempfile.TemporaryFile()  # noqa: SIM115 - lives as long as the spool

    def put(self, row: CheckedRow) -> None:
        """Append the row.

        Raises:
            RowsFileError: the disk is full.
        """
        line = orjson.dumps((row.number, row.line, row.key_text, row.inputs))
        with _disk_errors():
            self._file.write(line + b"\n")

    def rows(self) -> Iterator[CheckedRow]:
        """Yield the rows in the order in which they came.

        Raises:
            RowsFileError: the disk is full.
        """
        with _disk_errors():
            self._file.seek(0)  # writes what is still buffered
        for line in self._file:
            number, file_line, key_text, inputs = orjson.loads(line)
            yield CheckedRow(number=number, line=file_line, key_text=key_text, inputs=inputs)

    def close(self) -> None:
        """Remove the file."""
        self._file.close()


@contextmanager
def _disk_errors() -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise RowsFileError(
            f"checked rows cannot be kept in {tempfile.gettempdir()}: {error.strerror}; "
            "make room, or set TMPDIR to another folder"
        ) from error
