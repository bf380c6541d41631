"""What calls of late took, and how many such calls the limits allow."""

from typing import Any

import pytest

from builders import a_usage, a_usage_recorded
from schemas.catalogue import LimitRules
from streams.call_pace import CallPace

PACE = CallPace(call_s=2.0, input_tokens=300.0, output_tokens=100.0)


def test_the_pace_is_a_running_mean() -> None:
    first = a_usage_recorded(latency_s=2.0, usage=a_usage(input_fresh=30, output=10))
    later = a_usage_recorded(latency_s=4.0, usage=a_usage(input_fresh=30, output=50))

    pace = CallPace().after(first)

    assert pace == CallPace(call_s=2.0, input_tokens=30.0, output_tokens=10.0)
    assert pace.after(later) == CallPace(call_s=2.1, input_tokens=30.0, output_tokens=12.0)


@pytest.mark.parametrize(
    ("limits", "calls_per_s"),
    [
        ({}, 500.0),
        ({"concurrency": 10}, 5.0),
        ({"requests_per_minute": 600}, 10.0),
        ({"tokens_per_minute": 24_000}, 1.0),
        ({"input_tokens_per_minute": 36_000}, 2.0),
        ({"output_tokens_per_minute": 3_000}, 0.5),
        ({"requests_per_minute": 600, "output_tokens_per_minute": 3_000}, 0.5),
    ],
)
def test_the_tightest_limit_of_a_provider_counts(limits: dict[str, Any], calls_per_s: float) -> None:
    assert PACE.calls_per_s_max([LimitRules(**limits)]) == calls_per_s


def test_providers_add_up() -> None:
    assert PACE.calls_per_s_max([LimitRules(concurrency=10), LimitRules(requests_per_minute=60)]) == 6.0
