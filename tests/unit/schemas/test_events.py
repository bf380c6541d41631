"""Events: spend adds up, replays cost nothing, messages are frozen and closed."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from builders import a_finished, a_submitted, a_usage, a_usage_recorded
from schemas.events import Spend
from schemas.usage import CacheResult, Usage

TOKENS = st.integers(0, 1_000_000)
USAGES = st.builds(
    Usage,
    input_fresh=TOKENS,
    input_cache_read=TOKENS,
    input_cache_write=TOKENS,
    input_other=TOKENS,
    output=TOKENS,
    reasoning=TOKENS,
)
CALLS = st.lists(st.tuples(USAGES, st.decimals(0, 100, places=6), st.booleans()), max_size=6)


@given(CALLS)
def test_a_spend_is_the_sum_of_the_calls_that_were_paid(calls: list[tuple[Usage, Decimal, bool]]) -> None:
    records = [
        a_usage_recorded(usage=usage, cost_usd=cost, replayed=replayed) for usage, cost, replayed in calls
    ]

    spend = Spend().plus(records)

    paid = [record for record in records if not record.replayed]
    assert spend.calls == len(paid)
    assert spend.cost_usd == sum((record.cost_usd for record in paid), Decimal(0))
    assert spend.usage.input == sum(record.usage.input for record in paid)
    assert spend.usage.output == sum(record.usage.output for record in paid)


def test_answers_of_the_cache_are_no_calls_and_a_replayed_one_saves_nothing_twice() -> None:
    hit = a_usage_recorded(
        cache=CacheResult.HIT, usage=Usage(), cost_usd=Decimal(0), saved_usd=Decimal("0.25")
    )
    stale = hit.model_copy(update={"cache": CacheResult.STALE})
    miss = a_usage_recorded(cache=CacheResult.MISS)
    replayed = hit.model_copy(update={"replayed": True})

    spend = Spend().plus([hit, stale, miss, replayed])

    assert (spend.calls, spend.cost_usd, spend.usage) == (1, miss.cost_usd, miss.usage)
    assert (spend.cache_hits, spend.saved_usd) == (2, Decimal("0.5"))


@given(USAGES, USAGES, USAGES)
def test_usage_adds_up_in_any_order(one: Usage, two: Usage, three: Usage) -> None:
    assert (one + two) + three == one + (three + two)


def test_input_tokens_are_the_sum_of_four_disjoint_classes() -> None:
    usage = a_usage(input_fresh=1, input_cache_read=10, input_cache_write=100, input_other=1000)

    assert usage.input == 1111


def test_an_event_is_frozen() -> None:
    event = a_submitted()

    with pytest.raises(ValidationError):
        event.task = None  # type: ignore[assignment, misc] # that is the point


@pytest.mark.parametrize(
    "changes", [{"reason": "x" * 501}, {"score": 1.5}, {"outcome": "published"}, {"replay": -1}]
)
def test_what_an_event_may_not_be_is_refused(changes: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        a_finished(**changes)
