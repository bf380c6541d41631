"""What providers state about their limits is understood; whatever else stands there does no harm."""

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from builders import NOW
from processors.gateway.rate_headers import RESET_S_MAX, LimitKind, StatedLimit, stated_limits
from streams.embedded.provider.limits import duration

NAMES = [
    f"{front}{part}"
    for kind in ("requests", "tokens", "input-tokens", "output-tokens")
    for front, part in (
        *((f"x-ratelimit-{each}-", kind) for each in ("limit", "remaining", "reset")),
        *((f"anthropic-ratelimit-{kind}-", each) for each in ("limit", "remaining", "reset")),
    )
]


def test_openai_states_requests_and_tokens() -> None:
    headers = {
        "x-ratelimit-limit-requests": "500",
        "x-ratelimit-remaining-requests": "499",
        "x-ratelimit-reset-requests": "120ms",
        "x-ratelimit-limit-tokens": "200000",
        "x-ratelimit-remaining-tokens": "0",
        "x-ratelimit-reset-tokens": "6m0s",
    }

    assert stated_limits(headers, NOW) == (
        StatedLimit(kind=LimitKind.REQUESTS, limit=500, remaining=499, reset_s=0.12),
        StatedLimit(kind=LimitKind.TOKENS, limit=200_000, remaining=0, reset_s=360.0),
    )


def test_anthropic_states_input_and_output_apart_and_resets_as_times() -> None:
    at = (NOW + timedelta(seconds=12)).isoformat().replace("+00:00", "Z")
    headers = {
        f"anthropic-ratelimit-{kind}-{part}": text
        for kind in ("input-tokens", "output-tokens")
        for part, text in (("limit", "40000"), ("remaining", "39000"), ("reset", at))
    }

    assert stated_limits(headers, NOW) == tuple(
        StatedLimit(kind=kind, limit=40_000, remaining=39_000, reset_s=12.0)
        for kind in (LimitKind.INPUT_TOKENS, LimitKind.OUTPUT_TOKENS)
    )


def test_a_provider_without_such_headers_states_nothing() -> None:
    assert stated_limits({"content-type": "application/json", "retry-after": "3"}, NOW) == ()


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("1s", 1.0), ("2m59.56s", 179.56), ("1h0m0s", 3_600.0), ("0.5", 0.5), ("7.66s", 7.66), ("5m", 300.0)],
)
def test_durations_are_read_as_providers_write_them(text: str, seconds: float) -> None:
    [stated] = stated_limits({"x-ratelimit-reset-requests": text}, NOW)

    assert stated.reset_s == pytest.approx(seconds)


@given(seconds=st.floats(0, RESET_S_MAX))
def test_every_duration_comes_back_as_it_was_written(seconds: float) -> None:
    [stated] = stated_limits({"x-ratelimit-reset-tokens": duration(seconds)}, NOW)

    assert stated.reset_s == pytest.approx(seconds, abs=0.0011)


@given(offset_s=st.integers(-100_000, 100_000))
def test_a_reset_time_is_never_before_now_nor_far_ahead(offset_s: int) -> None:
    at = (NOW + timedelta(seconds=offset_s)).isoformat()

    [stated] = stated_limits({"anthropic-ratelimit-requests-reset": at}, NOW)

    assert stated.reset_s == min(max(offset_s, 0), RESET_S_MAX)


@given(headers=st.dictionaries(st.sampled_from(NAMES), st.text(max_size=40)))
def test_no_header_can_do_harm(headers: dict[str, str]) -> None:
    for stated in stated_limits(headers, NOW):
        assert stated.limit is None or stated.limit >= 1
        assert stated.remaining is None or stated.remaining >= 0
        assert stated.reset_s is None or 0 <= stated.reset_s <= RESET_S_MAX


@given(kind=st.sampled_from(LimitKind), limit=st.integers(1, 10**12 - 1), remaining=st.integers(0, 10**9))
def test_every_count_comes_back_as_it_was_written(kind: LimitKind, limit: int, remaining: int) -> None:
    name = kind.replace("_", "-")
    headers = {
        f"x-ratelimit-limit-{name}": str(limit),
        f"x-ratelimit-remaining-{name}": str(remaining),
    }

    assert stated_limits(headers, NOW) == (
        StatedLimit(kind=kind, limit=limit, remaining=remaining, reset_s=None),
    )
