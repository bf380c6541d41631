"""A stall is silence where progress is due; it leads to one rejoin, and then to the end."""

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from streams.engine.stall import Pulse, StallDetector, Step

LIMIT_S = 120.0
LOOK_S = 3.0


def a_pulse(at_s: float, **changes: Any) -> Pulse:
    """A consumer that polls, has work, and has made no step since the start."""
    fields: dict[str, Any] = {
        "at_s": at_s,
        "works": True,
        "finished": 0,
        "moved_s": 0.0,
        "polls": True,
        "polled_s": at_s,
    }
    return Pulse(**{**fields, **changes})


def steps(pulses: list[Pulse]) -> list[tuple[float, Step]]:
    detector = StallDetector(LIMIT_S, 0.0)
    seen = [(pulse.at_s, detector.observe(pulse)) for pulse in pulses]
    return [(at_s, step) for at_s, step in seen if step is not Step.NONE]


def looks(until_s: float, **changes: Any) -> list[Pulse]:
    return [a_pulse(n * LOOK_S, **changes) for n in range(int(until_s / LOOK_S) + 1)]


def test_a_hung_call_leads_to_one_rejoin_and_then_to_the_end() -> None:
    assert steps(looks(240.0)) == [(120.0, Step.REJOIN), (240.0, Step.EXIT)]


def test_polls_that_do_not_return_are_a_stall_even_without_work() -> None:
    found = steps(looks(240.0, works=False, polled_s=0.0))

    assert found == [(120.0, Step.REJOIN), (240.0, Step.EXIT)]


def test_polls_that_are_not_due_are_none() -> None:
    assert steps(looks(900.0, works=False, polls=False, polled_s=0.0)) == []


def test_waiting_for_good_reason_is_none() -> None:
    assert steps(looks(9_000.0, works=False)) == []


def test_the_time_of_waiting_for_good_reason_does_not_count() -> None:
    waits = looks(600.0, works=False)
    works = [a_pulse(600.0 + n * LOOK_S) for n in range(1, 40)]

    assert steps([*waits, *works]) == []


def test_a_new_delivery_of_a_record_that_hangs_is_no_recovery() -> None:
    after = [a_pulse(120.0 + n * LOOK_S, moved_s=125.0) for n in range(1, 60)]

    assert steps([*looks(120.0), *after])[1:2] == [(246.0, Step.EXIT)]


def test_after_a_recovery_a_second_stall_begins_with_a_rejoin() -> None:
    again = [a_pulse(123.0 + n * LOOK_S, finished=1, moved_s=123.0) for n in range(60)]

    assert [step for _, step in steps([*looks(120.0), *again])] == [Step.REJOIN, Step.REJOIN]


def test_finishing_what_is_in_flight_does_not_excuse_dead_polls() -> None:
    pulses = [a_pulse(n * LOOK_S, finished=n, polled_s=0.0) for n in range(81)]

    assert [step for _, step in steps(pulses)] == [Step.REJOIN, Step.EXIT]


@given(st.lists(st.floats(0.1, LIMIT_S * 0.99), max_size=60))
def test_who_moves_in_time_is_never_stalled(gaps_s: list[float]) -> None:
    now_s, pulses = 0.0, []
    for count, gap_s in enumerate(gaps_s):
        now_s += gap_s
        pulses.append(a_pulse(now_s, finished=count % 2))

    assert steps(pulses) == []


@given(st.lists(st.floats(0.1, LIMIT_S), min_size=1, max_size=60), st.booleans())
def test_who_is_silent_ends_within_three_limits_and_a_look(gaps_s: list[float], polls: bool) -> None:  # noqa: FBT001
    now_s, found = 0.0, []
    detector = StallDetector(LIMIT_S, 0.0)
    for gap_s in [*gaps_s, *[LIMIT_S] * 4]:
        now_s += gap_s
        found.append(detector.observe(a_pulse(now_s, polls=polls)))

    assert [step for step in found if step is not Step.NONE][:2] == [Step.REJOIN, Step.EXIT]
