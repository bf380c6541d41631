"""One record through one stage: decode, run, encode. All four stages share it."""

import time
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from processors.breakers import BreakerRules, Breakers
from processors.errors import DeadlinePassedError, InvalidRecordError
from processors.gateway.metered import MeteredGateway
from processors.ports import Ports
from schemas import headers
from schemas.base import Outcome
from schemas.codec import CLAIMED_BYTES_MAX, EVENT_BYTES_MAX, InvalidMessageError, decode
from schemas.events import Event, Spend, StageInput, TaskFinished, TaskGenerated, TaskSubmitted
from schemas.headers import EventHeaders
from schemas.scope import Scope, ScopeKind
from schemas.usage import UsageRecorded
from streams.byte_room import ByteRoom
from streams.claim_checks import ClaimStore, claim_of, is_claim_check, redeem
from streams.engine.dead_letters import dead_letter
from streams.engine.records import Delivery, Failure, InRecord, OutRecord, Postponement
from streams.engine.tiers import tier_record
from streams.envelope import Lineage, event_record, usage_record
from streams.pipeline import StageSpec
from streams.telemetry import Telemetry
from streams.topics import RETRY_TIERS, dead_letter_topic, event_type
from streams.tracing import NoTracing, Tracing

REASON_CHARS_MAX = 500
FLOOD_RULES = BreakerRules(
    outcomes=100, failure_ratio=0.5, window_s=300.0, open_s=10.0, open_s_max=300.0, probes=10
)
"""Half of a recipe's or a tenant's last hundred records dead-lettered is no bad record: it is a bad recipe,
or a part that is down. The rest waits, and a few are tried now and then, until they pass again."""
CLAIMED_AT_ONCE_BYTES_MAX = 128 * 1_048_576
"""Most bytes of redeemed claim checks that one stage holds; the others wait. A record that only refers to its
event is small, so that no bound on records' bytes sees it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StageHandler:
    """Runs a stage for the engine.

    Attributes:
        spec: the stage.
        ports: what it may ask for.
        telemetry: where outcomes are counted.
        tracing: where spans are made.
        claims: where events are that were too large to travel.
        breakers: of the recipes and tenants whose records this stage dead-letters.
        room: bounds the bytes of such events.
    """

    spec: StageSpec
    ports: Ports
    telemetry: Telemetry
    claims: ClaimStore
    tracing: Tracing = field(default_factory=NoTracing)
    breakers: Breakers = field(default_factory=lambda: Breakers(FLOOD_RULES, time.monotonic))
    room: ByteRoom = field(default_factory=lambda: ByteRoom(CLAIMED_AT_ONCE_BYTES_MAX))

    async def handle(self, record: InRecord, delivery: Delivery) -> Sequence[OutRecord]:
        """Return the next event, or the task's end, and the usage of the calls that were paid for.

        Raises:
            ProcessingError: see `processors/errors.py`.
        """
        with self.tracing.process(self.spec, record) as span:
            return await self._handled(record, delivery, span)

    async def _handled(self, record: InRecord, delivery: Delivery, span: str | None) -> Sequence[OutRecord]:
        _check_whole(record)
        context = self._context(record)  # first: whatever fails later can tell on which trace
        event = self._event(await self._whole(record, delivery))
        delivery.deadline = event.task.deadline
        delivery.scopes = (Scope(ScopeKind.LANE, event.task.lane), Scope(ScopeKind.TENANT, event.task.tenant))
        with self.breakers.admitted(_scopes(event)) as admission:
            result: Event
            try:
                result = await self._run(event, context.replay, delivery)
            except DeadlinePassedError as error:
                result = self._end(event, Outcome.EXPIRED, str(error), delivery)
            admission.succeed()
        if isinstance(result, TaskFinished):
            result = result.model_copy(update={"replay": context.replay})
            self.telemetry.finished(self.spec.stage, result.outcome)
        if isinstance(result, TaskGenerated):
            self.telemetry.generated(result)
        lineage = self._lineage(context, delivery, span)
        return (event_record(result, lineage), *self._usage(delivery, lineage))

    def postpone(
        self, record: InRecord, postponement: Postponement, delivery: Delivery
    ) -> Sequence[OutRecord]:
        """Return the record for its tier and the usage of the calls that were paid for.

        A later delivery finds these calls in the journal and tells of them again, under the same ids, when it
        comes so far. It may not, so they are told now; they are counted at the record's end.
        """
        lineage = self._lineage(self._context(record), delivery)
        self.telemetry.postponed(self.spec.stage, postponement.disposition.reason)
        told = [usage_record(call, lineage) for call in delivery.paid.values() if not call.replayed]
        return (tier_record(record, postponement, RETRY_TIERS), *told)

    def give_up(self, record: InRecord, failure: Failure, delivery: Delivery) -> Sequence[OutRecord]:
        """Return the dead letter and, when the record names a task, its terminal event."""
        stage = self.spec.stage
        letter = dead_letter(
            record, failure, stage=stage, group=self.spec.group, topic=dead_letter_topic(stage)
        )
        self.telemetry.dead_lettered(stage, failure.disposition.reason)
        try:
            event, context = self._event(delivery.whole or record), self._context(record)
        except InvalidRecordError:
            return (letter,)
        self.breakers.fail(_scopes(event))
        reason = f"{failure.disposition.reason}: {failure.error}"
        finished = self._end(event, Outcome.DEAD_LETTERED, reason, delivery)
        finished = finished.model_copy(update={"replay": context.replay})
        self.telemetry.finished(stage, Outcome.DEAD_LETTERED)
        lineage = self._lineage(context, delivery)
        return (letter, event_record(finished, lineage), *self._usage(delivery, lineage))

    async def _run(self, event: StageInput, replay: int, delivery: Delivery) -> Event:
        calls: list[UsageRecorded] = []
        gateway = MeteredGateway(self.ports.model, calls, lambda: delivery.closing, delivery.tell)
        ports = replace(self.ports, model=gateway, replay=replay, gives_up=delivery.gives_up)
        started_s = time.perf_counter()
        try:
            return await self.spec.run(event, ports)
        finally:
            self.telemetry.stage_ran(self.spec.stage, time.perf_counter() - started_s)
            delivery.paid.update({call.call_id: call for call in calls})

    def _end(self, event: StageInput, outcome: Outcome, reason: str, delivery: Delivery) -> TaskFinished:
        return TaskFinished(
            task=event.task,
            outcome=outcome,
            stage=self.spec.stage,
            reason=reason[:REASON_CHARS_MAX],
            spend=_spend(event).plus(delivery.paid.values()),
        )

    async def _whole(self, record: InRecord, delivery: Delivery) -> InRecord:
        """Return the record with its event, which stays with the delivery until the attempt ends."""
        check = claim_of(record.headers, record.value)
        if check is None or delivery.whole is not None:
            return delivery.whole or record
        await self.room.take(check.size_bytes)
        try:
            delivery.whole = replace(record, value=await redeem(self.claims, check))
        except BaseException:
            self.room.give(check.size_bytes)
            raise
        delivery.at_end(lambda: self.room.give(check.size_bytes))
        return delivery.whole

    def _event(self, record: InRecord) -> StageInput:
        most = CLAIMED_BYTES_MAX if is_claim_check(record.headers) else EVENT_BYTES_MAX
        try:
            return decode(record.value, self.spec.takes, most)
        except InvalidMessageError as error:
            raise InvalidRecordError(str(error)) from error

    def _context(self, record: InRecord) -> EventHeaders:
        try:
            return headers.parse(record.headers, event_type(self.spec.takes))
        except InvalidMessageError as error:
            raise InvalidRecordError(str(error)) from error

    def _lineage(self, context: EventHeaders, delivery: Delivery, span: str | None = None) -> Lineage:
        return Lineage(
            source=f"urn:pressline:{self.spec.stage}",
            traceparent=context.traceparent,
            replay=context.replay,
            timing_s=delivery.timing_s,
            span=span,
        )

    def _usage(self, delivery: Delivery, lineage: Lineage) -> list[OutRecord]:
        paid = [record for record in delivery.paid.values() if not record.replayed]
        for record in paid:
            self.telemetry.model_call(record)
        return [usage_record(record, lineage) for record in paid]


def _check_whole(record: InRecord) -> None:
    """Refuse what stands for a whole batch; see `streams/engine/record_batches.py`."""
    if headers.BATCH_OFFSETS in dict(record.headers):
        text = headers.text_headers(record.headers)
        why = text.get(headers.BATCH_REFUSED, "")
        raise InvalidRecordError(f"offsets {text[headers.BATCH_OFFSETS]} are one batch: {why}")


def _scopes(event: StageInput) -> tuple[Scope, Scope]:
    recipe = event.task.recipe if isinstance(event, TaskSubmitted) else event.plan.recipe
    return Scope(ScopeKind.RECIPE, recipe), Scope(ScopeKind.TENANT, event.task.tenant)


def _spend(event: StageInput) -> Spend:
    return Spend() if isinstance(event, TaskSubmitted) else event.spend
