"""The sliding windows of the simulated provider."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streams.embedded.provider.config import Limits, ProviderConfig
from streams.embedded.provider.limits import (
    MODELS_LIMITED_MAX,
    Limiter,
    ModelLimits,
    SlidingWindow,
    TooManyModelsError,
    duration,
)

WINDOW_S = 60.0


@given(
    limit=st.integers(1, 20),
    arrivals=st.lists(st.tuples(st.floats(0, 30), st.integers(1, 8)), max_size=60),
)
def test_no_window_ever_holds_more_than_the_limit(limit: int, arrivals: list[tuple[float, int]]) -> None:
    window = SlidingWindow(limit, WINDOW_S)
    taken: list[tuple[float, int]] = []
    now = 0.0

    for gap, units in arrivals:
        now += gap
        if window.wait_s(units, now) == 0.0:
            window.take(units, now)
            taken.append((now, units))

    for end, _ in taken:
        assert sum(units for at, units in taken if end - WINDOW_S < at <= end) <= limit


@given(
    limit=st.integers(1, 10),
    gaps=st.lists(st.integers(0, 20), min_size=1, max_size=40),
)
def test_a_request_fits_after_the_wait_and_not_before(limit: int, gaps: list[int]) -> None:
    window = SlidingWindow(limit, WINDOW_S)
    now = 0.0
    for gap in gaps:
        now += gap
        wait_s = window.wait_s(1, now)
        assert wait_s is not None
        if wait_s == 0.0:
            window.take(1, now)
            continue
        assert window.wait_s(1, now + wait_s / 2) != 0.0
        assert window.wait_s(1, now + wait_s) == 0.0
        return


def test_what_is_larger_than_the_limit_never_fits() -> None:
    assert SlidingWindow(10, WINDOW_S).wait_s(11, 0.0) is None


def test_state_counts_down_to_the_newest_entry() -> None:
    window = SlidingWindow(3, WINDOW_S)
    window.take(1, 0.0)
    window.take(1, 10.0)

    state = window.state(20.0)

    assert (state.limit, state.remaining, state.reset_s) == (3, 1, 50.0)


def test_a_refused_request_takes_nothing() -> None:
    limits = ModelLimits(Limits(requests_per_minute=2, tokens_per_minute=100), WINDOW_S)

    refused = limits.admit(101, 0.0)
    admitted = [limits.admit(50, 0.0) for _ in range(2)]
    full = limits.admit(1, 1.0)

    assert refused.refused_by == "tokens"
    assert refused.retry_after_s is None
    assert [one.refused_by for one in admitted] == [None, None]
    assert full.refused_by == "requests"
    assert full.retry_after_s == 59.0


def test_models_have_windows_of_their_own(config: ProviderConfig) -> None:
    limits = config.defaults.model_copy(update={"limits": Limits(requests_per_minute=1)})
    limiter = Limiter(config.model_copy(update={"defaults": limits}))

    decisions = [limiter.admit(model, 1, 0.0).refused_by for model in ("a", "b", "a")]

    assert decisions == [None, None, "requests"]


def test_no_model_is_forgotten_to_make_room(config: ProviderConfig) -> None:
    limits = config.defaults.model_copy(update={"limits": Limits(requests_per_minute=1)})
    limiter = Limiter(config.model_copy(update={"defaults": limits}))
    for number in range(MODELS_LIMITED_MAX):
        limiter.admit(f"m{number}", 1, 0.0)

    with pytest.raises(TooManyModelsError, match="use fewer names"):
        limiter.admit("one more", 1, 0.0)


@pytest.mark.parametrize(
    ("seconds", "written"),
    [
        (0.0, "0ms"),
        (0.12, "120ms"),
        (1.0, "1s"),
        (59.917, "59.917s"),
        (360.0, "6m0s"),
        (432.5, "7m12.5s"),
        (3_600.0, "1h0m0s"),
    ],
)
def test_durations_are_written_as_openai_does(seconds: float, written: str) -> None:
    assert duration(seconds) == written
