"""One record through one stage: decode, run, encode. All four stages share it."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from processors.errors import InvalidRecordError
from processors.gateway.metered import MeteredGateway
from processors.ports import Ports
from schemas import headers
from schemas.base import Outcome
from schemas.codec import InvalidMessageError, decode
from schemas.events import Spend, StageInput, TaskFinished, TaskSubmitted
from schemas.scope import Scope, ScopeKind
from schemas.usage import UsageRecorded
from streams.engine.dead_letters import dead_letter
from streams.engine.records import Delivery, Failure, InRecord, OutRecord
from streams.envelope import Lineage, event_record, usage_record
from streams.pipeline import StageSpec
from streams.telemetry import Telemetry
from streams.topics import dead_letter_topic, event_type

REASON_CHARS_MAX = 500


@dataclass(frozen=True, slots=True, kw_only=True)
class StageHandler:
    """Runs a stage for the engine.

    Attributes:
        spec: the stage.
        ports: what it may ask for.
        telemetry: where outcomes are counted.
    """

    spec: StageSpec
    ports: Ports
    telemetry: Telemetry

    async def handle(self, record: InRecord, delivery: Delivery) -> Sequence[OutRecord]:
        """Return the next event and the usage of the calls that were paid for.

        Raises:
            ProcessingError: see `processors/errors.py`.
        """
        event, lineage = self._decode(record)
        calls: list[UsageRecorded] = []
        delivery.scopes = (Scope(ScopeKind.LANE, event.task.lane), Scope(ScopeKind.TENANT, event.task.tenant))
        gateway = MeteredGateway(self.ports.model, calls, lambda: delivery.lost, delivery.tell)
        try:
            with self.telemetry.stage_duration(self.spec.stage):
                result = await self.spec.run(event, replace(self.ports, model=gateway, replay=lineage.replay))
        finally:
            delivery.paid.update((call.call_id, call) for call in calls)
        if isinstance(result, TaskFinished):
            result = result.model_copy(update={"replay": lineage.replay})
            self.telemetry.finished(self.spec.stage, result.outcome)
        return (event_record(result, lineage), *self._usage(delivery, lineage))

    def give_up(self, record: InRecord, failure: Failure, delivery: Delivery) -> Sequence[OutRecord]:
        """Return the dead letter and, when the record names a task, its terminal event."""
        stage = self.spec.stage
        letter = dead_letter(
            record, failure, stage=stage, group=self.spec.group, topic=dead_letter_topic(stage)
        )
        self.telemetry.dead_lettered(stage, failure.disposition.reason)
        try:
            event, lineage = self._decode(record)
        except InvalidRecordError:
            return (letter,)
        finished = TaskFinished(
            task=event.task,
            outcome=Outcome.DEAD_LETTERED,
            stage=stage,
            reason=f"{failure.disposition.reason}: {failure.error}"[:REASON_CHARS_MAX],
            spend=_spend(event).plus(delivery.paid.values()),
            replay=lineage.replay,
        )
        self.telemetry.finished(stage, Outcome.DEAD_LETTERED)
        return (letter, event_record(finished, lineage), *self._usage(delivery, lineage))

    def _decode(self, record: InRecord) -> tuple[StageInput, Lineage]:
        try:
            event = decode(record.value, self.spec.takes)
            context = headers.parse(record.headers, event_type(self.spec.takes))
        except InvalidMessageError as error:
            raise InvalidRecordError(str(error)) from error
        return event, Lineage(
            source=f"urn:pressline:{self.spec.stage}",
            traceparent=context.traceparent,
            replay=headers.replay_count(headers.text_headers(record.headers)),
        )

    def _usage(self, delivery: Delivery, lineage: Lineage) -> list[OutRecord]:
        paid = [record for record in delivery.paid.values() if not record.replayed]
        for record in paid:
            self.telemetry.model_call(record)
        return [usage_record(record, lineage) for record in paid]


def _spend(event: StageInput) -> Spend:
    return Spend() if isinstance(event, TaskSubmitted) else event.spend
