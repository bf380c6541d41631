import pytest
from hypothesis import given
from hypothesis import strategies as st

from streams.load_check import CheckedRow
from streams.load_rows import RowsFileError
from streams.load_spool import RowSpool

VALUE = st.text(st.characters(codec="utf-8")) | st.integers(-(2**63), 2**63 - 1) | st.booleans() | st.none()
INPUTS = st.dictionaries(st.text(st.characters(codec="utf-8")), VALUE | st.lists(VALUE), max_size=5)


@given(inputs=st.lists(INPUTS, max_size=5))
def test_rows_come_back_as_they_were(inputs: list[dict[str, object]]) -> None:
    rows = [
        CheckedRow(number=number, line=number + 1, inputs=values, key_text=f"k\n{number}")  # type: ignore[arg-type]
        for number, values in enumerate(inputs, 1)
    ]
    spool = RowSpool()

    for row in rows:
        spool.put(row)

    assert list(spool.rows()) == rows
    assert list(spool.rows()) == rows
    spool.close()


def test_a_full_disk_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    spool = RowSpool()
    spool.close()
    full = open("/dev/full", "wb", buffering=0)  # noqa: PTH123, SIM115
    monkeypatch.setattr(spool, "_file", full)

    with pytest.raises(RowsFileError, match="No space left on device; make room"):
        spool.put(CheckedRow(number=1, line=1, inputs={}))
    full.close()
