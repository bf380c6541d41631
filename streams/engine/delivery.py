"""One record from taking to finished: attempts, waits, results, dead letter."""

import asyncio
import random
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta

from processors.disposition import (
    Disposition,
    Failures,
    GiveUp,
    Postpone,
    Retry,
    RetryPolicy,
    decide,
    is_outage,
)
from processors.errors import AbandonedError, ProcessingError, ScopeClosedError, UnavailableError
from processors.model import CallState
from schemas.failures import FailureReason
from schemas.scope import Scope
from schemas.usage import UsageRecorded
from streams.engine.partitions import HeldPartition
from streams.engine.producer import LEAVING_WAITS, SENDING_WAITS, RecordProducer, Waits, send_until
from streams.engine.records import (
    Attempts,
    Failure,
    InRecord,
    OutRecord,
    Postponement,
    RecordHandler,
)
from streams.engine.slots import Slot, Slots
from streams.engine.state import RecordState
from streams.engine.tiers import earlier_attempts

SENDING_CHARS_MAX = 300


@dataclass(slots=True, eq=False, kw_only=True)
class RecordDelivery:
    """One delivery of one record.

    Attributes:
        record: the record.
        held: its partition.
        handler: the stage.
        producer: where results go.
        policy: bounds of retries.
        slot: given back while the record only waits, and once the stage is done with it.
        sends: of the records whose results travel to the broker; while all are taken, no call begins.
        taken_s: monotonic time at which it was taken.
        paid: model calls of all attempts of this delivery, by call id.
        deadline: when the task is of no use any more (aware), or None while the stage has not said so.
        waits_for: what it does now: `slot`, `stage`, `retry` or `send`.
        since_s: monotonic time since when it does that.
        call: the model call that it waits for, or None.
        scopes: what the record belongs to; its stage says it once it is decoded.
        whole: the record with its event in place of a reference, while an attempt has it.
        send_error: why what it led to is not sent yet; empty while nothing is wrong.
    """

    record: InRecord
    held: HeldPartition
    handler: RecordHandler
    producer: RecordProducer
    policy: RetryPolicy
    slot: Slot
    sends: Slots
    taken_s: float = field(default_factory=time.monotonic)
    waits_for: str = "slot"
    since_s: float = field(default_factory=time.monotonic)
    call: CallState | None = None
    scopes: tuple[Scope, ...] = ()
    whole: InRecord | None = None
    send_error: str = ""
    paid: dict[str, UsageRecorded] = field(default_factory=dict)
    deadline: datetime | None = None
    _attempts: Attempts | None = None
    _retry_at: datetime | None = None
    _closed: Scope | None = None
    _probe_at: datetime | None = None
    _failed: FailureReason = FailureReason.BUG
    _timing_s: dict[str, float] = field(default_factory=dict)
    _results: Sequence[OutRecord] = ()
    _at_end: list[Callable[[], None]] = field(default_factory=list)

    @property
    def lost(self) -> bool:
        """Whether another worker has the partition."""
        return self.held.lost

    @property
    def closing(self) -> bool:
        """Whether nothing more may be begun for it: another worker has the partition, or this one stops."""
        return self.held.closing.is_set()

    @property
    def state(self) -> RecordState:
        """What the record waits for."""
        waits = self.waits_for == "retry"
        return RecordState(
            offset=self.record.offset,
            waits_for=self.waits_for,
            call=self.call,
            retry_at=self._retry_at if waits else None,
            closed=self._closed if waits else None,
            probe_at=self._probe_at if waits else None,
            scopes=self.scopes,
            timestamp_ms=self.record.timestamp_ms,
            task_id=self.record.subject,
            sending=self._sending() if self.waits_for == "send" else "",
        )

    @property
    def timing_s(self) -> Mapping[str, float]:
        """Seconds since it was taken, by what it waited for or did; a retry's name has the reason."""
        return self._timing_until(time.monotonic())

    def at_end(self, callback: Callable[[], None]) -> None:
        """Call `callback` when this attempt is over, however it ends: a wait for the next holds nothing."""
        self._at_end.append(callback)

    def tell(self, call: CallState | None) -> None:
        """Say which model call the record waits for, or that it waits for none."""
        self._passed()
        self.call = call

    async def run(self) -> bool:
        """Process the record until everything that it led to is acknowledged by the broker.

        Returns:
            Whether the record is finished; False when the worker stops or lost the partition first.
        """
        try:
            return await self._run()
        finally:
            self._end_attempt()

    def _end_attempt(self) -> None:
        self.whole = None
        for callback in self._at_end:
            callback()
        self._at_end.clear()

    async def _run(self) -> bool:
        self._timing_s["turn"] = self.since_s - self.taken_s
        while True:  # bounded by the policy: every pass but the last adds a failure
            self._now("slot")
            await self.slot.acquire()
            self._now("stage")
            try:
                return await self._send(await self.handler.handle(self.record, self))
            except AbandonedError:
                return False
            except Exception as error:  # noqa: BLE001 - the one place where any failure becomes a decision
                disposition = self._decide(error)
                if not isinstance(disposition, Retry):
                    return await self._send(self._leave(error, disposition), LEAVING_WAITS)
            if not await self._wait(disposition):
                return False

    def gives_up(self, error: Exception) -> bool:
        """Return whether the record would end with that failure: whatever the jitter, by the same rules."""
        now, now_s = datetime.now(UTC), time.monotonic()
        failed = replace(self._attempts or earlier_attempts(self.record.headers, now, now_s))
        failures = self._failures(error, failed, now, now_s)
        return isinstance(decide(error, failures, self.policy, 0.0), GiveUp)

    def _decide(self, error: Exception) -> Disposition:
        now, now_s = datetime.now(UTC), time.monotonic()
        # Read at the first failure only: most records have none.
        failed = self._attempts = self._attempts or earlier_attempts(self.record.headers, now, now_s)
        self._note_closed(error, now)
        self._failed = error.reason if isinstance(error, ProcessingError) else FailureReason.BUG
        failures = self._failures(error, failed, now, now_s)
        return decide(error, failures, self.policy, random.random())  # noqa: S311 - jitter

    def _failures(self, error: Exception, failed: Attempts, now: datetime, now_s: float) -> Failures:
        """Count the failure, and return what the record has been through."""
        if failed.first_failure is None:
            failed.first_failure, failed.first_failure_s = now, now_s
        if isinstance(error, UnavailableError):
            failed.unavailable += 1
        else:
            failed.counted += 1
        if not is_outage(error):
            failed.outage = None
        elif failed.outage is None:
            failed.outage, failed.outage_s = now, now_s
        return Failures(
            attempts=failed.counted,
            unavailable=failed.unavailable,
            waited=timedelta(seconds=now_s - failed.first_failure_s),
            outage=timedelta(seconds=now_s - failed.outage_s if failed.outage else 0.0),
            expires_in=None if self.deadline is None else self.deadline - now,
        )

    def _note_closed(self, error: Exception, now: datetime) -> None:
        closed = error if isinstance(error, ScopeClosedError) else None
        probe_s = closed.retry_after_s if closed else None
        self._closed = closed.scope if closed else None
        self._probe_at = None if probe_s is None else now + timedelta(seconds=probe_s)

    def _leave(self, error: Exception, disposition: Postpone | GiveUp) -> Sequence[OutRecord]:
        """Return what stands for the record once it is finished here."""
        now, attempts = datetime.now(UTC), self._attempts or Attempts()
        if isinstance(disposition, Postpone):
            postponement = Postponement(disposition=disposition, attempts=attempts, at=now)
            return self.handler.postpone(self.record, postponement, self)
        failure = Failure(error=error, disposition=disposition, attempts=attempts, at=now)
        return self.handler.give_up(self.record, failure, self)

    async def _send(self, results: Sequence[OutRecord], waits: Waits = SENDING_WAITS) -> bool:
        self._now("send")
        sending = self.sends.take()
        # The next call begins while these results travel: of calls that end together, none waits for a send.
        self.slot.release()
        self._results = results
        try:
            return not self.lost and await send_until(
                self.producer,
                results,
                self.held.closing,
                waits=waits,
                on_error=self._not_sent,
            )
        finally:
            sending.release()

    def _not_sent(self, error: Exception) -> None:
        self.send_error = f"{type(error).__name__}: {error}"

    def _sending(self) -> str:
        topics = ", ".join(sorted({record.topic for record in self._results}))
        return f"{topics} {self.send_error}".strip()[:SENDING_CHARS_MAX]

    async def _wait(self, retry: Retry) -> bool:
        """Wait without a slot and without what the attempt held; return whether to try again.

        Whoever has a slot may wait for just that: room for the bytes of its event.
        """
        self._end_attempt()
        self._now("retry")
        self._retry_at = datetime.now(UTC) + timedelta(seconds=retry.delay_s)
        self.slot.release()
        try:
            await asyncio.wait_for(self.held.closing.wait(), retry.delay_s)
        except TimeoutError:
            return True
        return False

    def _now(self, waits_for: str) -> None:
        self._passed()
        self.waits_for = waits_for

    def _passed(self) -> None:
        """Book the time since the last change on what the record did in it."""
        now_s = time.monotonic()
        self._timing_s, self.since_s = self._timing_until(now_s), now_s

    def _timing_until(self, now_s: float) -> dict[str, float]:
        doing = self._doing
        return {**self._timing_s, doing: self._timing_s.get(doing, 0.0) + now_s - self.since_s}

    @property
    def _doing(self) -> str:
        if self.call is not None:
            return self.call.phase
        if self.waits_for == "retry":
            return f"retry-{self._failed}"
        return "turn" if self.waits_for == "slot" else self.waits_for
