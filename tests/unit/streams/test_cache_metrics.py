from decimal import Decimal

import pytest
from prometheus_client import CollectorRegistry

from builders import a_usage, a_usage_recorded
from schemas.usage import CacheResult, Usage
from streams.telemetry import Telemetry


def value(telemetry: Telemetry, name: str, **labels: str) -> float | None:
    return telemetry.registry.get_sample_value(name, labels)


@pytest.mark.parametrize("result", [CacheResult.HIT, CacheResult.STALE])
def test_an_answer_of_the_cache_is_counted_and_is_no_paid_call(result: CacheResult) -> None:
    telemetry = Telemetry(CollectorRegistry())
    hit = a_usage_recorded(
        cache=result, cost_usd=Decimal(0), usage=Usage(), saved_usd=Decimal("0.25"), latency_s=0.0
    )

    telemetry.model_call(hit)
    telemetry.model_call(hit)

    place = {"recipe": "flight-route", "step": "write"}
    assert value(telemetry, "pressline_cache_answers_total", **place, result=result) == 2
    assert value(telemetry, "pressline_cache_saved_usd_total", **place, simulated="false") == 0.5
    assert telemetry.calls.call_s == 0
    assert b"pressline_model_calls_total{" not in telemetry.exposition()


def test_a_miss_is_a_paid_call_too() -> None:
    telemetry = Telemetry(CollectorRegistry())

    telemetry.model_call(a_usage_recorded(cache=CacheResult.MISS, usage=a_usage()))
    telemetry.model_call(a_usage_recorded())

    paid = {"provider": "fake", "model": "small-1", "simulated": "false"}
    assert value(telemetry, "pressline_model_calls_total", **paid) == 2
    place = {"recipe": "flight-route", "step": "write"}
    assert value(telemetry, "pressline_cache_answers_total", **place, result="miss") == 1
    assert value(telemetry, "pressline_cache_saved_usd_total", **place, simulated="false") == 0


def test_a_cache_that_is_away_is_counted() -> None:
    telemetry = Telemetry(CollectorRegistry())

    telemetry.cache.failed("find")

    assert value(telemetry, "pressline_cache_failures_total", operation="find") == 1
