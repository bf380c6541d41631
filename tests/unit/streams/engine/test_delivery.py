"""One delivery: attempts, waits, results, dead letter, and what a lost partition stops."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta

import pytest
from aiokafka.errors import KafkaConnectionError, KafkaStorageError, TopicAuthorizationFailedError

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
from processors.model import CallPhase, CallState
from schemas import failures as names
from schemas.failures import FailureReason
from schemas.scope import Scope, ScopeKind
from streams.engine.delivery import RecordDelivery
from streams.engine.partitions import HeldPartition
from streams.engine.records import Delivery, Failure, InRecord, OutRecord, Postponement
from streams.engine.slots import Slot, Slots
from streams.engine.window import Window

RECORD = InRecord(topic="t", partition=0, offset=7, key=b"k", value=b"v", headers=())
RESULT = OutRecord(topic="next", key=b"k", value=b"done")
WAITING = OutRecord(topic="tier", key=b"k", value=b"v")
LETTER = OutRecord(topic="dead", key=b"k", value=b"v")
POLICY = RetryPolicy(attempts_max=3, backoff_s=0.0, backoff_s_max=0.0)


@dataclass
class ScriptedHandler:
    """Raises the given errors, one for each attempt, and then succeeds."""

    errors: list[Exception] = field(default_factory=list)
    attempts: int = 0
    failures: list[Failure] = field(default_factory=list)
    postponements: list[Postponement] = field(default_factory=list)
    deadline: datetime | None = None

    async def handle(self, _record: InRecord, delivery: Delivery) -> Sequence[OutRecord]:
        self.attempts += 1
        delivery.deadline = self.deadline
        if self.errors:
            raise self.errors.pop(0)
        return (RESULT,)

    def postpone(
        self, _record: InRecord, postponement: Postponement, _delivery: Delivery
    ) -> Sequence[OutRecord]:
        self.postponements.append(postponement)
        return (WAITING,)

    def give_up(self, _record: InRecord, failure: Failure, _delivery: Delivery) -> Sequence[OutRecord]:
        self.failures.append(failure)
        return (LETTER,)


def a_delivery(
    handler: ScriptedHandler,
    producer: FakeRecordProducer,
    policy: RetryPolicy = POLICY,
    record: InRecord = RECORD,
) -> RecordDelivery:
    return RecordDelivery(
        record=record,
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


@pytest.mark.parametrize(
    "error",
    [
        EventTooLargeError("big"),
        TopicAuthorizationFailedError("dead"),
        KafkaStorageError("the disk is full"),
        StoreUnavailableError("away"),
    ],
)
async def test_a_dead_letter_that_is_not_taken_is_tried_again_and_says_why_it_waits(error: Exception) -> None:
    producer = FakeRecordProducer(error)
    delivery = a_delivery(ScriptedHandler([InvalidInputsError("no city")]), producer)

    finished = await delivery.run()

    waited = delivery.state
    assert (waited.waits_for, waited.sending.startswith(f"dead {type(error).__name__}")) == ("send", True)
    assert (finished, producer.sent) == (True, [LETTER])


async def test_what_waits_for_the_end_of_an_attempt_is_told_however_it_ends() -> None:
    told: list[str] = []
    handler = ScriptedHandler([AbandonedError("theirs")])
    delivery = a_delivery(handler, FakeRecordProducer())
    delivery.at_end(lambda: told.append("abandoned"))

    await delivery.run()

    assert told == ["abandoned"]


async def test_a_wait_for_the_next_attempt_holds_nothing_of_the_last_one() -> None:
    told: list[str] = []
    handler = ScriptedHandler([ProviderUnavailableError("busy", retry_after_s=29.0)])
    delivery = a_delivery(handler, FakeRecordProducer())
    delivery.at_end(lambda: told.append("over"))
    delivery.whole = RECORD
    running = asyncio.create_task(delivery.run())
    while delivery.waits_for != "retry":  # noqa: ASYNC110 - no event tells of it
        await asyncio.sleep(0)

    let_go, so_far = delivery.whole is None, list(told)
    delivery.held.closing.set()

    assert (let_go, so_far, await running, told) == (True, ["over"], False, ["over"])


async def test_a_record_that_is_due_again_says_that_it_waits_for_a_slot() -> None:
    handler = ScriptedHandler([ProviderUnavailableError("busy", retry_after_s=0.01)])
    delivery = a_delivery(handler, FakeRecordProducer())
    other, running = Slot(delivery.slot._slots), asyncio.create_task(delivery.run())
    async with asyncio.timeout(5.0):
        while delivery.waits_for != "retry":  # noqa: ASYNC110 - no event tells of it
            await asyncio.sleep(0)
        await other.acquire()
        while delivery.waits_for == "retry":  # noqa: ASYNC110 - likewise
            await asyncio.sleep(0)

    waits = delivery.state.waits_for
    other.release()

    assert (waits, await running) == ("slot", True)


async def test_an_abandoned_record_is_dropped_silently() -> None:
    producer, handler = FakeRecordProducer(), ScriptedHandler([AbandonedError("theirs")])

    finished = await a_delivery(handler, producer).run()

    assert (finished, producer.sent, handler.failures) == (False, [], [])


async def test_nothing_is_sent_for_a_lost_partition() -> None:
    producer = FakeRecordProducer()
    delivery = a_delivery(ScriptedHandler(), producer)
    delivery.held.lose()

    assert (await delivery.run(), producer.sent, delivery.lost) == (False, [], True)


async def test_results_wait_for_no_turn_to_be_sent_but_count_as_on_their_way() -> None:
    producer = FakeRecordProducer()
    delivery = a_delivery(ScriptedHandler(), producer)
    others = delivery.sends.take()

    assert (await delivery.run(), producer.sent, delivery.sends.free) == (True, [RESULT], False)
    others.release()
    assert delivery.sends.free


async def test_a_retry_holds_no_slot_and_ends_when_the_partition_closes() -> None:
    handler = ScriptedHandler([ProviderUnavailableError("busy", retry_after_s=29.0)])
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


async def test_a_long_wait_finishes_the_record_once_its_tier_has_it() -> None:
    producer = FakeRecordProducer(KafkaConnectionError("away"))
    handler = ScriptedHandler([ProviderUnavailableError("busy", retry_after_s=31.0)])

    finished = await a_delivery(handler, producer).run()

    [postponement] = handler.postponements
    assert (finished, handler.attempts, producer.sent) == (True, 1, [WAITING])
    assert postponement.disposition.delay_s == 31.0
    assert postponement.attempts.counted == 1


async def test_a_tier_that_cannot_be_reached_leaves_the_record_unfinished() -> None:
    handler = ScriptedHandler([ProviderUnavailableError("busy", retry_after_s=31.0)])
    delivery = a_delivery(handler, FakeRecordProducer(KafkaConnectionError("away")))
    delivery.held.closing.set()

    assert await delivery.run() is False


def returned(attempts: int, unavailable: int, waited: timedelta, outage: timedelta | None = None) -> InRecord:
    now = datetime.now(UTC)
    headers = {
        names.RETRY_ATTEMPTS: attempts,
        names.RETRY_UNAVAILABLE: unavailable,
        names.RETRY_FIRST_FAILURE: int((now - waited).timestamp() * 1000),
    }
    if outage is not None:
        headers[names.RETRY_OUTAGE] = int((now - outage).timestamp() * 1000)
    return replace(RECORD, headers=tuple((name, str(value).encode()) for name, value in headers.items()))


async def test_attempts_of_earlier_deliveries_count() -> None:
    handler = ScriptedHandler([ProviderUnavailableError("busy")] * 9)
    record = returned(2, 5, timedelta(hours=2))

    await a_delivery(handler, FakeRecordProducer(), record=record).run()

    [failure] = handler.failures
    assert (handler.attempts, failure.attempts.counted, failure.attempts.unavailable) == (1, 3, 5)
    assert failure.at - (failure.attempts.first_failure or failure.at) >= timedelta(hours=2)


@pytest.mark.parametrize(("minutes", "tries"), [(59, 21), (61, 1)])
async def test_the_time_that_our_own_parts_were_away_counts_over_deliveries(minutes: int, tries: int) -> None:
    handler = ScriptedHandler([StoreUnavailableError("away")] * 20)
    record = returned(0, 9, timedelta(days=2), outage=timedelta(minutes=minutes))

    await a_delivery(handler, FakeRecordProducer(), record=record).run()

    assert handler.attempts == tries


@pytest.mark.parametrize("ended", [None, timedelta(hours=2)])
async def test_an_outage_does_not_end_a_record_that_waited_long_for_something_else(
    ended: timedelta | None,
) -> None:
    closed = ScopeClosedError(Scope(ScopeKind.PROVIDER, "openai"), "provider openai is closed: outage")
    handler = ScriptedHandler([*([closed] if ended else []), StoreUnavailableError("away")])
    record = returned(0, 9, timedelta(days=2), ended)

    await a_delivery(handler, FakeRecordProducer(), record=record).run()

    assert (handler.errors, handler.failures) == ([], [])


async def test_a_task_waits_until_its_deadline_and_no_longer() -> None:
    handler = ScriptedHandler([ProviderUnavailableError("busy", retry_after_s=7200.0)])
    handler.deadline = datetime.now(UTC) + timedelta(seconds=600)

    await a_delivery(handler, FakeRecordProducer()).run()

    [postponement] = handler.postponements
    due = postponement.at + timedelta(seconds=postponement.disposition.delay_s)
    assert timedelta() < due - handler.deadline < timedelta(seconds=10)


async def test_a_record_of_a_closed_scope_waits_however_long_it_takes() -> None:
    closed = ScopeClosedError(Scope(ScopeKind.PROVIDER, "openai"), "provider openai is closed: outage")
    producer, handler = FakeRecordProducer(), ScriptedHandler([closed] * 5)
    policy = replace(POLICY, unavailable_s_max=1e-6)

    finished = await a_delivery(handler, producer, policy).run()

    assert (finished, handler.attempts, producer.sent) == (True, 6, [RESULT])


async def test_a_record_says_which_breaker_it_waits_for_and_when_that_is_probed() -> None:
    scope = Scope(ScopeKind.PROVIDER, "openai")
    delivery = a_delivery(
        ScriptedHandler([ScopeClosedError(scope, "it fails", retry_after_s=9.0)]), FakeRecordProducer()
    )
    running = asyncio.ensure_future(delivery.run())
    async with asyncio.timeout(5):
        while delivery.state.waits_for != "retry":  # noqa: ASYNC110 - the delivery tells nobody
            await asyncio.sleep(0)

    state = delivery.state
    delivery.held.closing.set()
    await running

    assert state.closed == scope
    assert state.retry_at is not None
    assert state.probe_at is not None
    assert timedelta() <= state.retry_at - state.probe_at < timedelta(seconds=POLICY.backoff_s_max + 1)


async def test_the_time_of_a_record_is_told_by_what_it_went_into() -> None:
    handler = ScriptedHandler([ProviderUnavailableError("busy")])
    delivery = a_delivery(handler, FakeRecordProducer())
    delivery.taken_s -= 2.0

    await delivery.run()

    timing_s = delivery.timing_s
    assert timing_s["turn"] >= 2.0
    assert timing_s["retry-provider_unavailable"] > 0
    assert sum(timing_s.values()) >= delivery.since_s - delivery.taken_s - 1e-6


def test_a_call_and_its_wait_for_quota_are_told_apart() -> None:
    delivery = a_delivery(ScriptedHandler(), FakeRecordProducer())

    for phase in (CallPhase.QUOTA, CallPhase.CALL):
        delivery.tell(CallState(phase, "openai", "small-1"))
    delivery.tell(None)

    assert {"quota", "call"} <= delivery.timing_s.keys()


async def test_a_stage_can_ask_whether_a_failure_would_be_the_records_last() -> None:
    busy = ProviderUnavailableError("busy")
    said: list[tuple[bool, bool]] = []

    class Asking(ScriptedHandler):
        async def handle(self, record: InRecord, delivery: Delivery) -> Sequence[OutRecord]:
            said.append((delivery.gives_up(busy), delivery.gives_up(StoreUnavailableError("away"))))
            return await super().handle(record, delivery)

    handler = Asking([busy] * 9)

    await a_delivery(handler, FakeRecordProducer()).run()

    assert said == [(False, False), (False, False), (True, False)]
    assert handler.failures[0].attempts.counted == 3
