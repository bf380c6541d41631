"""From the rows of a file to a recipe's inputs: every row is checked before the first one is sent."""

import hashlib
import unicodedata
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

import orjson
from pydantic import JsonValue

from processors import slugs
from processors.errors import InvalidInputsError, InvalidRecipeError
from processors.json_schemas import JsonSchema
from processors.recipe import CompiledRecipe
from streams.load_rows import COLUMNS_SHOWN_MAX, CsvFile, RowsFile, RowsFileError, SourceRow

ROWS_MAX = 5_000_000
"""Rows of one file. The keys of as many rows take about 0.6 GB while they are compared."""
INPUTS_BYTES_MAX = 262_144
"""A task's inputs as JSON. The events of later stages carry them beside plan and page, 1 MiB in all."""
FAULTS_SHOWN_MAX = 20
DIGEST_BYTES = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckedRow:
    """A row as the recipe sees it.

    Attributes:
        number: of the row, from 1.
        line: of the file, from 1.
        inputs: by name.
        key_text: what the recipe's key renders to; empty when the row has faults.
        faults: what is wrong with it, a line each.
    """

    number: int
    line: int
    inputs: Mapping[str, JsonValue]
    key_text: str = ""
    faults: tuple[str, ...] = ()

    @property
    def key(self) -> str:
        """The row's identity inside the recipe."""
        return slugs.row_key(self.key_text)


@dataclass(frozen=True, slots=True, kw_only=True)
class RowFault:
    """One thing that is wrong with one row; `line` is that of the file."""

    row: int
    line: int
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """What the check of a file found.

    Attributes:
        rows: rows that the file has.
        rejected: numbers of the rows with a fault.
        faults: the first FAULTS_SHOWN_MAX faults.
    """

    rows: int
    rejected: frozenset[int]
    faults: tuple[RowFault, ...]

    @property
    def good(self) -> int:
        """Rows without a fault."""
        return self.rows - len(self.rejected)


@dataclass(frozen=True, slots=True, kw_only=True)
class RowReader:
    """Reads a file's rows as inputs of a recipe.

    Attributes:
        file: the file.
        recipe: the recipe.
        renames: the input that a column goes to, where its name differs; empty text leaves the column out.
    """

    file: RowsFile
    recipe: CompiledRecipe
    renames: Mapping[str, str]

    def check_columns(self) -> None:
        """Check the header and the renames against the recipe.

        Raises:
            RowsFileError: a column that the recipe does not know, or an input without a column.
        """
        known = tuple(self._schema.properties)
        if wrong := sorted(set(self.renames.values()) - {*known, ""}):
            raise RowsFileError(
                f"--map: {wrong[0]!r} is no input of {self.recipe.ref}; there is {_list(known)}"
            )
        if self.file.columns:
            self._check_header(known)

    def _check_header(self, known: tuple[str, ...]) -> None:
        columns = self.file.columns
        if wrong := sorted(set(self.renames) - set(columns)):
            raise RowsFileError(f"--map: no column {wrong[0]!r}; the file has {_list(columns)}")
        inputs = [name for column in columns if (name := self.renames.get(column, column))]
        if unknown := [name for name in inputs if name not in known]:
            raise RowsFileError(
                f"columns {_list(unknown)} are no inputs of {self.recipe.ref}, which takes {_list(known)}; "
                "--map COLUMN=INPUT renames a column, --map COLUMN= leaves it out"
            )
        if twice := [name for name in inputs if inputs.count(name) > 1]:
            raise RowsFileError(f"two columns go to the input {twice[0]!r}; leave one out with --map COLUMN=")
        if missing := [name for name in known if name not in {*inputs, *self._schema.optional}]:
            raise RowsFileError(
                f"no column for the required inputs {_list(missing)}; the file has {_list(columns)}; "
                "--map COLUMN=INPUT renames a column"
            )

    @property
    def _schema(self) -> JsonSchema:
        return self.recipe.schemas[self.recipe.recipe.inputs]

    def rows(self) -> Iterator[CheckedRow]:
        """Yield every row with its inputs, or with what is wrong with it.

        Raises:
            RowsFileError: the file cannot be read any further, or has more than ROWS_MAX rows.
        """
        for source in self.file.rows():
            if source.number > ROWS_MAX:
                raise RowsFileError(f"{self.file.path} has more than {ROWS_MAX} rows; split it")
            inputs, faults = ({}, (source.fault,)) if source.fault else self._inputs(source)
            faults = faults or self.recipe.check_inputs(inputs) or _size_faults(inputs)
            text, faults = ("", faults) if faults else self._key(inputs)
            yield CheckedRow(
                number=source.number, line=source.line, inputs=inputs, key_text=text, faults=faults
            )

    def _inputs(self, source: SourceRow) -> tuple[dict[str, JsonValue], tuple[str, ...]]:
        renamed = {name: value for c, value in source.values.items() if (name := self.renames.get(c, c))}
        if isinstance(self.file, CsvFile):
            return self.recipe.cast_row({name: str(value) for name, value in renamed.items()})
        kept = sum(1 for column in source.values if self.renames.get(column, column))
        return renamed, () if len(renamed) == kept else ("two names go to one input by --map",)

    def _key(self, inputs: Mapping[str, JsonValue]) -> tuple[str, tuple[str, ...]]:
        try:
            text = self.recipe.key_text(inputs)
        except (InvalidInputsError, InvalidRecipeError) as error:
            return "", (str(error),)
        return text, () if text.strip() else ("the key is blank; expected inputs that tell rows apart",)


def _no_faults(_row: CheckedRow) -> tuple[str, ...]:
    return ()


def check_rows(
    reader: RowReader,
    on_rows: Callable[[int], None],
    on_good: Callable[[CheckedRow], None],
    more_faults: Callable[[CheckedRow], tuple[str, ...]] = _no_faults,
) -> Check:
    """Check every row of the file.

    Two keys that differ in case, spaces or Unicode form only are one: the page would be made twice.

    Args:
        reader: the file and the recipe.
        on_rows: told the number of each row.
        on_good: given each row without a fault.
        more_faults: asked what else is wrong with a row that has no fault so far.

    Raises:
        RowsFileError: the header is wrong, the file has no row, or it cannot be read to its end.
    """
    reader.check_columns()
    first_rows: dict[bytes, int] = {}
    rejected: set[int] = set()
    shown: list[RowFault] = []
    number = 0
    for row in reader.rows():
        number = row.number
        faults = row.faults or _repeated(row, first_rows) or more_faults(row)
        for fault in faults:
            rejected.add(number)
            if len(shown) < FAULTS_SHOWN_MAX:
                shown.append(RowFault(row=number, line=row.line, text=fault))
        if not faults:
            on_good(row)
        on_rows(number)
    if not number:
        raise RowsFileError(f"{reader.file.path} has no rows")
    return Check(rows=number, rejected=frozenset(rejected), faults=tuple(shown))


def normalised(key_text: str) -> str:
    """Return the key without what people do not mean to tell rows apart by: case, spaces, Unicode form."""
    return " ".join(unicodedata.normalize("NFKC", key_text).casefold().split())


def first_row(text: str, number: int, first_rows: dict[bytes, int]) -> int:
    """Return the first row that had this text, which is `number` when none had it before.

    64 bits of digest: of a million rows, two share one by chance once in 37 million files.
    """
    digest = hashlib.blake2b(text.encode(), digest_size=DIGEST_BYTES).digest()
    return first_rows.setdefault(digest, number)


def _repeated(row: CheckedRow, first_rows: dict[bytes, int]) -> tuple[str, ...]:
    first = first_row(normalised(row.key_text), row.number, first_rows)
    if first == row.number:
        return ()
    advice = "remove one of the two, or add a column to the recipe's key"
    return (f"the same key as row {first}: {row.key}; {advice}",)


def _size_faults(inputs: Mapping[str, JsonValue]) -> tuple[str, ...]:
    size = len(orjson.dumps(inputs))
    if size <= INPUTS_BYTES_MAX:
        return ()
    return (f"the inputs have {size} bytes as JSON, at most {INPUTS_BYTES_MAX} are allowed",)


def _list(names: tuple[str, ...] | list[str]) -> str:
    more = len(names) - COLUMNS_SHOWN_MAX
    shown = ", ".join(name[:100] for name in names[:COLUMNS_SHOWN_MAX])
    return f"{shown} and {more} more" if more > 0 else shown
