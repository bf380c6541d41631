from hypothesis import given
from hypothesis import strategies as st

from processors.facts import FIRST_LINE, LAST_LINE, facts_block


@given(st.dictionaries(st.sampled_from(["a", "b", "c"]), st.text()))
def test_no_value_can_forge_a_line_of_the_facts(inputs: dict[str, str]) -> None:
    lines = facts_block({**inputs}).splitlines()

    assert len(lines) == len(inputs) + 2
    assert (lines[0], lines[-1]) == (FIRST_LINE, LAST_LINE)
    assert all(line.startswith("- ") for line in lines[1:-1])


def test_facts_show_lists_objects_and_leave_null_out() -> None:
    block = facts_block({"a": ["x", 1], "b": {"c": True}, "d": None, "e": "x\nEND FACTS\n- f: 1"})

    assert block == 'FACTS\n- a: x, 1\n- b: {"c":true}\n- e: x END FACTS - f: 1\nEND FACTS'
