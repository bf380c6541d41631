"""A record through a stage: decoded, run, encoded; usage told once; poison given up."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any

import pytest
from prometheus_client import CollectorRegistry

from builders import NOW, a_classified, a_finished, a_generated, a_plan, a_spend, a_task, a_usage_recorded
from fakes.claim_store import FakeClaimStore
from fakes.model_gateway import FakeModelGateway
from fakes.model_request import a_request
from fakes.stage_ports import a_recipe, some_ports
from processors.disposition import GiveUp, Postpone
from processors.errors import (
    ClaimLostError,
    DeadlinePassedError,
    InvalidInputsError,
    InvalidRecordError,
    ScopeClosedError,
    StoreUnavailableError,
)
from processors.model import CallState
from schemas.base import Outcome, Stage
from schemas.codec import EVENT_BYTES_MAX, decode, encode
from schemas.events import TaskFinished, TaskGenerated
from schemas.failures import FailureReason
from schemas.headers import BATCH_OFFSETS, BATCH_REFUSED, CLAIM_CHECK, CLAIM_CHECK_TYPE, text_headers
from schemas.scope import Scope
from schemas.usage import UsageRecorded
from streams.engine.records import Attempts, Failure, InRecord, OutRecord, Postponement
from streams.envelope import Lineage, event_record
from streams.pipeline import PIPELINE
from streams.stage_handler import FLOOD_RULES, StageHandler
from streams.telemetry import Telemetry

TRACE = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
FAILURE = Failure(
    error=InvalidInputsError("no city"),
    disposition=GiveUp(FailureReason.INVALID_INPUTS, retriable=False),
    attempts=Attempts(counted=1),
    at=NOW,
)


@dataclass
class FakeDelivery:
    closing: bool = False
    paid: dict[str, UsageRecorded] = field(default_factory=dict)
    deadline: datetime | None = None
    scopes: tuple[Scope, ...] = ()
    timing_s: dict[str, float] = field(default_factory=dict)
    whole: InRecord | None = None
    ends: list[Callable[[], None]] = field(default_factory=list)

    def at_end(self, callback: Callable[[], None]) -> None:
        self.ends.append(callback)

    def tell(self, call: CallState | None) -> None:
        """No test looks at it."""

    def gives_up(self, _error: Exception) -> bool:
        return False


def a_handler(
    run: Callable[[Any, Any], Awaitable[Any]], claims: FakeClaimStore | None = None, **ports: Any
) -> StageHandler:
    return StageHandler(
        spec=replace(PIPELINE[Stage.GENERATE], run=run),
        ports=some_ports(recipe=a_recipe(), **ports),
        telemetry=Telemetry(CollectorRegistry()),
        claims=claims or FakeClaimStore(),
    )


def a_record(*, replay: int = 0, **changes: Any) -> InRecord:
    made = event_record(
        a_classified(spend=a_spend()), Lineage(source="urn:test", traceparent=TRACE, replay=replay)
    )
    fields = {"key": made.key, "value": made.value, "headers": tuple(made.headers)} | changes
    return InRecord(topic=made.topic, partition=0, offset=1, **fields)


async def generate(_event: Any, _ports: Any) -> TaskGenerated:
    return a_generated()


async def reject(_event: Any, _ports: Any) -> TaskFinished:
    return a_finished(outcome=Outcome.REJECTED)


def topics(records: Any) -> list[str]:
    return [record.topic.removeprefix("pressline.") for record in records]


async def test_an_event_leads_to_the_next_on_the_same_trace() -> None:
    [out] = await a_handler(generate).handle(a_record(), FakeDelivery())

    headers = text_headers(out.headers)
    assert decode(out.value, TaskGenerated) == a_generated()
    assert headers["traceparent"].split("-")[1] == TRACE.split("-")[1]
    assert headers["ce_source"] == "urn:pressline:generate"


async def test_calls_that_were_paid_are_told_and_replayed_ones_are_not() -> None:
    paid = a_usage_recorded(call_id="paid")
    replayed = a_usage_recorded(call_id="replayed", replayed=True)
    delivery = FakeDelivery(paid={call.call_id: call for call in (paid, replayed)})

    records = await a_handler(generate).handle(a_record(), delivery)

    assert topics(records) == ["task.generated.bulk.v1", "usage.recorded.v1"]
    assert decode(records[1].value, UsageRecorded) == paid


async def test_a_terminal_event_keeps_the_number_of_the_replay() -> None:
    [out] = await a_handler(reject).handle(a_record(replay=3), FakeDelivery())

    assert decode(out.value, TaskFinished).replay == 3


@pytest.mark.parametrize(
    "changes",
    [
        {"value": None},
        {"value": b""},
        {"value": b"{"},
        {"value": b"\xff"},
        {"value": b'{"task": NaN}'},
        {"value": b'{"task": 1, "task": 1}'},
        {"headers": ()},
        {"headers": (("ce_type", b"other"),)},
    ],
)
async def test_poison_is_an_invalid_record_and_its_dead_letter_names_no_task(changes: dict[str, Any]) -> None:
    handler, record = a_handler(generate), a_record(**changes)

    with pytest.raises(InvalidRecordError):
        await handler.handle(record, FakeDelivery())

    assert topics(handler.give_up(record, FAILURE, FakeDelivery())) == ["generate.dead.v1"]


def test_giving_up_a_task_ends_it_and_tells_what_it_cost() -> None:
    paid = a_usage_recorded()
    delivery = FakeDelivery(paid={paid.call_id: paid})

    letter, finished, usage = a_handler(generate).give_up(a_record(replay=2), FAILURE, delivery)

    event = decode(finished.value, TaskFinished)
    assert topics([letter, finished, usage]) == ["generate.dead.v1", "task.finished.v1", "usage.recorded.v1"]
    assert (event.outcome, event.stage, event.replay) == (Outcome.DEAD_LETTERED, Stage.GENERATE, 2)
    assert event.reason == "invalid_inputs: no city"
    assert event.spend == a_spend().plus([paid])


def test_a_postponed_record_goes_to_a_tier_and_tells_what_it_paid_without_counting_it() -> None:
    paid, replayed = a_usage_recorded(), a_usage_recorded(call_id="replayed", replayed=True)
    handler, record = a_handler(generate), a_record()
    delivery = FakeDelivery(paid={call.call_id: call for call in (paid, replayed)})
    postponement = Postponement(
        disposition=Postpone(700.0, FailureReason.PROVIDER_RATE_LIMITED), attempts=Attempts(counted=1), at=NOW
    )

    waiting, usage = handler.postpone(record, postponement, delivery)

    metrics = handler.telemetry.exposition().decode()
    assert topics([waiting, usage]) == ["retry.10m.v1", "usage.recorded.v1"]
    assert (waiting.key, waiting.value) == (record.key, record.value)
    assert decode(usage.value, UsageRecorded) == paid
    assert 'postponed_total{reason="provider_rate_limited",stage="generate"} 1.0' in metrics
    assert "pressline_model_calls_total{" not in metrics


async def test_the_engine_is_told_the_deadline_before_the_stage_can_fail() -> None:
    async def fail(_event: Any, _ports: Any) -> TaskGenerated:
        raise InvalidInputsError("no city")

    delivery, deadline = FakeDelivery(), NOW + timedelta(hours=1)
    made = event_record(a_classified(task=a_task(deadline=deadline)), Lineage(source="urn:test"))

    with pytest.raises(InvalidInputsError):
        await a_handler(fail).handle(a_record(value=made.value), delivery)

    assert delivery.deadline == deadline


async def test_a_task_whose_deadline_passes_between_its_calls_expires_and_tells_what_it_paid() -> None:
    async def ask_twice(_event: Any, ports: Any) -> TaskGenerated:
        await ports.model.complete(a_request(step="outline"))
        await ports.model.complete(a_request(step="write"))
        return a_generated()

    handler = a_handler(ask_twice, model=FakeModelGateway("{}", DeadlinePassedError("too late")))
    delivery = FakeDelivery()

    finished, usage = await handler.handle(a_record(replay=2), delivery)

    event, paid = decode(finished.value, TaskFinished), decode(usage.value, UsageRecorded)
    assert (event.outcome, event.stage, event.reason) == (Outcome.EXPIRED, Stage.GENERATE, "too late")
    assert (event.spend, event.replay) == (a_spend().plus([paid]), 2)
    assert 'outcome="expired",stage="generate"} 1.0' in handler.telemetry.exposition().decode()


def test_the_dead_letter_is_the_record_as_it_was() -> None:
    record = a_record()

    letter: OutRecord = a_handler(generate).give_up(record, FAILURE, FakeDelivery())[0]

    assert (letter.key, letter.value, letter.partition) == (record.key, record.value, record.partition)
    assert tuple(letter.headers)[: len(record.headers)] == record.headers


async def test_a_recipe_that_fails_again_and_again_is_held_back_and_another_goes_on() -> None:
    handler = a_handler(generate)
    for _ in range(FLOOD_RULES.outcomes):
        handler.give_up(a_record(), FAILURE, FakeDelivery())

    with pytest.raises(ScopeClosedError, match="100 of the last 100 failed"):
        await handler.handle(a_record(), FakeDelivery())

    other = a_classified(task=a_task(tenant="other"), plan=a_plan(recipe="other@v1"))
    made = event_record(other, Lineage(source="urn:test"))
    assert await handler.handle(a_record(value=made.value), FakeDelivery())


async def test_failures_among_many_good_records_hold_nothing_back() -> None:
    handler = a_handler(generate)
    for number in range(2 * FLOOD_RULES.outcomes):
        if number % 3:
            await handler.handle(a_record(), FakeDelivery())
        else:
            handler.give_up(a_record(), FAILURE, FakeDelivery())

    assert handler.breakers.open == {}


async def a_claimed_record(claims: FakeClaimStore, content: bytes | None = None) -> InRecord:
    record = a_record()
    check = await claims.put(record.value or b"" if content is None else content)
    claimed = (*record.headers, (CLAIM_CHECK, CLAIM_CHECK_TYPE.encode()))
    return replace(record, value=encode(check), headers=claimed)


async def test_an_event_behind_a_claim_check_is_run_and_its_bytes_are_held_until_the_attempt_ends() -> None:
    claims, delivery = FakeClaimStore(), FakeDelivery()
    record = await a_claimed_record(claims)
    handler = a_handler(generate, claims)

    [out] = await handler.handle(record, delivery)
    held = handler.room.held_bytes
    for end in delivery.ends:
        end()

    assert topics([out]) == ["task.generated.bulk.v1"]
    assert (held, handler.room.held_bytes) == (len(a_record().value or b""), 0)


async def test_a_claimed_event_that_fails_ends_its_task_though_the_store_is_away_by_then() -> None:
    async def fail(_event: Any, _ports: Any) -> TaskGenerated:
        raise InvalidInputsError("no city")

    claims, delivery = FakeClaimStore(), FakeDelivery()
    record = await a_claimed_record(claims)
    handler = a_handler(fail, claims)
    with pytest.raises(InvalidInputsError):
        await handler.handle(record, delivery)
    claims.error = StoreUnavailableError("away")

    letter, finished, *_ = handler.give_up(record, FAILURE, delivery)

    assert (letter.value, letter.headers[: len(record.headers)]) == (record.value, record.headers)
    assert decode(finished.value, TaskFinished).task == a_task()


async def test_a_claimed_event_waits_in_a_tier_though_the_store_has_not_given_it() -> None:
    claims, delivery = FakeClaimStore(), FakeDelivery()
    record = await a_claimed_record(claims)
    handler = a_handler(generate, claims)
    postponement = Postponement(
        disposition=Postpone(60.0, FailureReason.STORE_UNAVAILABLE), attempts=Attempts(unavailable=8), at=NOW
    )

    [waiting] = handler.postpone(record, postponement, delivery)

    assert (topics([waiting]), waiting.value) == (["retry.1m.v1"], record.value)


async def test_a_claimed_record_whose_headers_are_wrong_is_refused_before_its_event_is_asked_for() -> None:
    claims = FakeClaimStore()
    record = await a_claimed_record(claims)
    claims.error = StoreUnavailableError("away")
    bare = replace(record, headers=tuple(pair for pair in record.headers if pair[0] != "ce_type"))

    with pytest.raises(InvalidRecordError):
        await a_handler(generate, claims).handle(bare, FakeDelivery())


async def test_a_claim_that_is_lost_fails_for_good_and_one_behind_a_store_that_is_away_does_not() -> None:
    claims = FakeClaimStore()
    record = await a_claimed_record(claims)
    handler, delivery = a_handler(generate, claims), FakeDelivery()

    claims.error = StoreUnavailableError("away")
    with pytest.raises(StoreUnavailableError):
        await handler.handle(record, delivery)
    claims.error = None
    claims.content.clear()
    with pytest.raises(ClaimLostError, match="deleted from claim_checks"):
        await handler.handle(record, delivery)

    assert handler.room.held_bytes == 0


async def test_only_a_claimed_event_may_be_larger_than_a_record() -> None:
    claims = FakeClaimStore()
    padded = (a_record().value or b"") + b" " * EVENT_BYTES_MAX
    claimed = await a_claimed_record(claims, padded)

    assert await a_handler(generate, claims).handle(claimed, FakeDelivery())
    with pytest.raises(InvalidRecordError, match="at most"):
        await a_handler(generate).handle(a_record(value=padded), FakeDelivery())


async def test_what_stands_for_a_whole_batch_is_refused_with_its_offsets_and_the_reason() -> None:
    refused = ((BATCH_OFFSETS, b"5-9"), (BATCH_REFUSED, b"too large"))

    with pytest.raises(InvalidRecordError, match="offsets 5-9 are one batch: too large"):
        await a_handler(generate).handle(a_record(headers=refused), FakeDelivery())
