from pathlib import Path

import pytest

from processors.recipe import CompiledRecipe, compile_recipe
from processors.recipe_scaffold import scaffold
from streams.load_check import (
    FAULTS_SHOWN_MAX,
    INPUTS_BYTES_MAX,
    Check,
    CheckedRow,
    RowReader,
    check_rows,
    normalised,
)
from streams.load_rows import RowsFileError, open_rows


def a_recipe() -> CompiledRecipe:
    files = scaffold("cities", {"city": ("Rome", "Oslo"), "size": ("1", "2"), "note": ("", "x")})
    return compile_recipe({name: text.encode() for name, text in files.items()})


def a_reader(folder: Path, content: str, name: str = "rows.csv", **renames: str) -> RowReader:
    path = folder / name
    path.write_text(content, encoding="utf-8")
    return RowReader(file=open_rows(path), recipe=a_recipe(), renames=renames)


def checked(reader: RowReader) -> Check:
    return check_rows(reader, lambda _rows: None, lambda _row: None)


def test_good_rows_have_typed_inputs_and_a_key(tmp_path: Path) -> None:
    reader = a_reader(tmp_path, "city,size,note\nRome,3,\n")

    row = next(reader.rows())

    assert row.inputs == {"city": "Rome", "size": 3}
    assert row.key == "Rome"
    assert checked(reader) == Check(rows=1, rejected=frozenset(), faults=())


def test_only_good_rows_are_handed_on(tmp_path: Path) -> None:
    good: list[CheckedRow] = []
    seen: list[int] = []

    check_rows(a_reader(tmp_path, "city,size\nRome,3\nrome,4\nOslo,x\nBern,5\n"), seen.append, good.append)

    assert [row.number for row in good] == [1, 4]
    assert seen == [1, 2, 3, 4]


def test_each_fault_names_row_line_and_column(tmp_path: Path) -> None:
    check = checked(a_reader(tmp_path, "city,size\nRome,3\n\nOslo,many\n,4\n"))

    assert check.rejected == {2, 3}
    assert check.good == 1
    assert [(fault.row, fault.line) for fault in check.faults] == [(2, 4), (3, 5)]
    assert check.faults[0].text.startswith("size: expected an integer")
    assert "city" in check.faults[1].text


@pytest.mark.parametrize("again", ["Rome", "rome", " ROME ", "\N{FULLWIDTH LATIN CAPITAL LETTER R}ome"])
def test_two_rows_of_one_key_are_found_with_both_numbers(tmp_path: Path, again: str) -> None:
    check = checked(a_reader(tmp_path, f"city,size\nRome,3\nOslo,1\n{again},4\n"))

    assert check.rejected == {3}
    assert "the same key as row 1" in check.faults[0].text
    assert "remove one of the two, or add a column to the recipe's key" in check.faults[0].text


def test_normalised_keys_differ_where_people_mean_it() -> None:
    assert normalised("São  Paulo") == normalised(" são paulo\n")
    assert normalised("São Paulo") != normalised("Sao Paulo")


def test_shown_faults_are_bounded_and_all_are_counted(tmp_path: Path) -> None:
    count = FAULTS_SHOWN_MAX + 5

    check = checked(a_reader(tmp_path, "city,size\n" + "Rome,x\n" * count))

    assert len(check.faults) == FAULTS_SHOWN_MAX
    assert len(check.rejected) == count


@pytest.mark.parametrize(
    ("content", "renames", "message"),
    [
        ("city\nRome\n", {}, "no column for the required inputs size"),
        ("city,size,colour\nRome,1,red\n", {}, "columns colour are no inputs .* --map COLUMN= leaves it out"),
        ("town,size\nRome,1\n", {"twon": "city"}, "no column 'twon'"),
        ("city,size\nRome,1\n", {"city": "cty"}, "'cty' is no input"),
        ("city,town,size\nRome,Rome,1\n", {"town": "city"}, "two columns go to the input 'city'"),
        ("city,size\n", {}, "has no rows"),
    ],
)
def test_a_header_that_does_not_fit_stops_at_once(
    tmp_path: Path, content: str, renames: dict[str, str], message: str
) -> None:
    with pytest.raises(RowsFileError, match=message):
        checked(a_reader(tmp_path, content, **renames))


def test_columns_can_be_renamed_and_left_out(tmp_path: Path) -> None:
    reader = a_reader(tmp_path, "town,size,colour\nRome,3,red\n", town="city", colour="")

    assert checked(reader).good == 1
    assert next(reader.rows()).inputs == {"city": "Rome", "size": 3}


def test_json_values_keep_their_types(tmp_path: Path) -> None:
    lines = '{"city": "Rome", "size": 3}\n{"city": "Oslo", "size": "4"}\n{"town": "Bern", "size": 5}\n'
    reader = a_reader(tmp_path, lines, "rows.jsonl", town="city")

    check = checked(reader)

    assert check.rejected == {2}
    assert [row.inputs.get("city") for row in reader.rows()] == ["Rome", "Oslo", "Bern"]


def test_two_json_names_for_one_input_are_a_fault(tmp_path: Path) -> None:
    reader = a_reader(tmp_path, '{"city": "Rome", "town": "Oslo", "size": 3}\n', "rows.jsonl", town="city")

    assert checked(reader).faults[0].text == "two names go to one input by --map"


def test_a_row_that_later_events_could_not_carry_is_a_fault(tmp_path: Path) -> None:
    reader = a_reader(tmp_path, f'{{"city": "{"x" * INPUTS_BYTES_MAX}", "size": 3}}\n', "rows.jsonl")

    assert f"at most {INPUTS_BYTES_MAX}" in checked(reader).faults[0].text
