"""Seconds as a header and back."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.timing import METRICS_MAX, parse_timing, timing_text

NAMES = st.text("abcdefghijklmnopqrstuvwxyz_-", min_size=1, max_size=60)


@given(st.dictionaries(NAMES, st.floats(0.001, 1e6), max_size=METRICS_MAX))
def test_what_is_written_is_read_to_a_tenth_of_a_millisecond(timing_s: dict[str, float]) -> None:
    assert parse_timing(timing_text(timing_s)) == pytest.approx(timing_s, abs=1e-4)


def test_what_took_no_millisecond_is_left_out() -> None:
    assert timing_text({"turn": 0.0004, "call": 1.2}) == "call;dur=1200.0"


@given(st.text())
def test_any_text_is_read_as_metrics_or_nothing(text: str) -> None:
    assert all(seconds >= 0 for seconds in parse_timing(text).values())


def test_metrics_of_others_are_passed_over() -> None:
    text = 'call;dur=5, cache;desc="hit", db;dur=-1, turn;dur=7'

    assert parse_timing(text) == {"call": 0.005, "turn": 0.007}
