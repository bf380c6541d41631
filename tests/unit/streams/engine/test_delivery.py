"""One delivery: attempts, waits, results, dead letter, and what a lost partition stops."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import pytest
from aiokafka.errors import KafkaConnectionError

from fakes.record_producer import FakeRecordProducer
from processors.disposition import RetryPolicy
from processors.errors import (
    AbandonedError,
    EventTooLargeError,
    InvalidInputsError,
    ProviderUnavailableError,
    ScopeClosedError,
    StoreUnavailableError,
)
from schemas.failures import FailureReason
from schemas.scope import Scope, ScopeKind
from streams.engine.delivery import RecordDelivery
from streams.engine.partitions import HeldPartition
from streams.engine.records import Delivery, Failure, InRecord, OutRecord
from streams.engine.slots import Slot, Slots
from streams.engine.window import Window

RECORD = InRecord(topic="t", partition=0, offset=7, key=b"k", value=b"v", headers=())
RESULT = OutRecord(topic="next", key=b"k", value=b"done")
LETTER = OutRecord(topic="dead", key=b"k", value=b"v")
POLICY = RetryPolicy(attempts_max=3, backoff_s=0.0, backoff_s_max=0.0)


@dataclass
class ScriptedHandler:
    """Raises the given errors, one for each attempt, and then succeeds."""

    errors: list[Exception] = field(default_factory=list)
    attempts: int = 0
    failures: list[Failure] = field(default_factory=list)

    async def handle(self, _record: InRecord, _delivery: Delivery) -> Sequence[OutRecord]:
        self.attempts += 1
        if self.errors:
            raise self.errors.pop(0)
        return (RESULT,)

    def give_up(self, _record: InRecord, failure: Failure, _delivery: Delivery) -> Sequence[OutRecord]:
        self.failures.append(failure)
        return (LETTER,)


def a_delivery(
    handler: ScriptedHandler, producer: FakeRecordProducer, policy: RetryPolicy = POLICY
) -> RecordDelivery:
    return RecordDelivery(
        record=RECORD,
        held=HeldPartition(window=Window(0), committed=None),
        handler=handler,
        producer=producer,
        policy=policy,
        slot=Slot(Slots(1)),
        sends=Slots(1),
    )


async def test_a_record_is_finished_when_its_results_are_sent() -> None:
    producer = FakeRecordProducer()

    finished = await a_delivery(ScriptedHandler(), producer).run()

    assert (finished, producer.sent) == (True, [RESULT])


async def test_a_transient_failure_is_tried_again() -> None:
    producer, handler = FakeRecordProducer(), ScriptedHandler([ProviderUnavailableError("busy")] * 2)

    finished = await a_delivery(handler, producer).run()

    assert (finished, handler.attempts, producer.sent) == (True, 3, [RESULT])


async def test_attempts_are_bounded_and_end_in_a_dead_letter() -> None:
    producer, handler = FakeRecordProducer(), ScriptedHandler([ProviderUnavailableError("busy")] * 9)

    finished = await a_delivery(handler, producer).run()

    [failure] = handler.failures
    assert (finished, handler.attempts, producer.sent) == (True, 3, [LETTER])
    assert (failure.attempts.counted, failure.disposition.retriable) == (3, True)


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (InvalidInputsError("no city"), FailureReason.INVALID_INPUTS),
        (KeyError("x"), FailureReason.BUG),
    ],
)
async def test_a_permanent_failure_or_a_bug_is_dead_lettered_at_once(
    error: Exception, reason: FailureReason
) -> None:
    producer, handler = FakeRecordProducer(), ScriptedHandler([error])

    finished = await a_delivery(handler, producer).run()

    assert (finished, handler.attempts, producer.sent) == (True, 1, [LETTER])
    assert handler.failures[0].disposition.reason is reason


async def test_waits_for_our_own_parts_use_up_no_attempt() -> None:
    producer, handler = FakeRecordProducer(), ScriptedHandler([StoreUnavailableError("away")] * 20)

    finished = await a_delivery(handler, producer).run()

    assert (finished, handler.attempts, producer.sent) == (True, 21, [RESULT])


async def test_results_too_large_for_their_topic_become_a_dead_letter() -> None:
    producer, handler = FakeRecordProducer(EventTooLargeError("big")), ScriptedHandler()

    finished = await a_delivery(handler, producer).run()

    assert (finished, producer.sent) == (True, [LETTER])


async def test_an_abandoned_record_is_dropped_silently() -> None:
    producer, handler = FakeRecordProducer(), ScriptedHandler([AbandonedError("theirs")])

    finished = await a_delivery(handler, producer).run()

    assert (finished, producer.sent, handler.failures) == (False, [], [])


async def test_nothing_is_sent_for_a_lost_partition() -> None:
    producer = FakeRecordProducer()
    delivery = a_delivery(ScriptedHandler(), producer)
    delivery.held.lose()

    assert (await delivery.run(), producer.sent, delivery.lost) == (False, [], True)


async def test_a_retry_holds_no_slot_and_ends_when_the_partition_closes() -> None:
    handler = ScriptedHandler([ProviderUnavailableError("busy", retry_after_s=60.0)])
    delivery = a_delivery(handler, FakeRecordProducer())
    running = asyncio.create_task(delivery.run())
    while delivery.waits_for != "retry":  # noqa: ASYNC110 - no event tells of it
        await asyncio.sleep(0)
    free = Slot(delivery.slot._slots)
    await asyncio.wait_for(free.acquire(), 1.0)

    delivery.held.closing.set()

    assert (await running, handler.attempts) == (False, 1)


async def test_a_broker_that_is_away_leaves_the_record_unfinished_at_a_stop() -> None:
    producer = FakeRecordProducer(KafkaConnectionError("away"))
    delivery = a_delivery(ScriptedHandler(), producer)
    delivery.held.closing.set()

    assert (await delivery.run(), producer.sent) == (False, [])


async def test_a_record_of_a_closed_scope_waits_however_long_it_takes() -> None:
    closed = ScopeClosedError(Scope(ScopeKind.PROVIDER, "openai"), "provider openai is closed: outage")
    producer, handler = FakeRecordProducer(), ScriptedHandler([closed] * 5)
    policy = replace(POLICY, unavailable_s_max=1e-6)

    finished = await a_delivery(handler, producer, policy).run()

    assert (finished, handler.attempts, producer.sent) == (True, 6, [RESULT])
