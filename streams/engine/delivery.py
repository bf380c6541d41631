"""One record from taking to finished: attempts, waits, results, dead letter."""

import asyncio
import random
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from processors.disposition import Failures, GiveUp, Retry, RetryPolicy, decide
from processors.errors import AbandonedError, ScopeClosedError, UnavailableError
from schemas.usage import UsageRecorded
from streams.engine.partitions import HeldPartition
from streams.engine.producer import RecordProducer, send_until
from streams.engine.records import Attempts, Failure, InRecord, OutRecord, RecordHandler
from streams.engine.slots import Slot, Slots


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
        sends: bound on records whose results travel to the broker.
        taken_s: monotonic time at which it was taken.
        paid: model calls of all attempts, by call id.
        waits_for: what it does now: `slot`, `stage`, `retry` or `send`.
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
    paid: dict[str, UsageRecorded] = field(default_factory=dict)
    _attempts: Attempts = field(default_factory=Attempts)

    @property
    def lost(self) -> bool:
        """Whether the partition went to another worker."""
        return self.held.lost

    async def run(self) -> bool:
        """Process the record until everything that it led to is acknowledged by the broker.

        Returns:
            Whether the record is finished; False when the worker stops or lost the partition first.
        """
        while True:  # bounded by the policy: every pass but the last adds a failure
            await self.slot.acquire()
            self.waits_for = "stage"
            try:
                return await self._send(await self.handler.handle(self.record, self))
            except AbandonedError:
                return False
            except Exception as error:  # noqa: BLE001 - the one place where any failure becomes a decision
                disposition = self._decide(error)
                if isinstance(disposition, GiveUp):
                    return await self._give_up(error, disposition)
            if not await self._wait(disposition):
                return False

    def _decide(self, error: Exception) -> Retry | GiveUp:
        failed = self._attempts
        now_s = time.monotonic()
        if failed.first_failure is None:
            failed.first_failure, failed.first_failure_s = datetime.now(UTC), now_s
        if isinstance(error, ScopeClosedError):
            failed.first_failure_s = now_s  # however long it is closed, that is no reason to give up
        if isinstance(error, UnavailableError):
            failed.unavailable += 1
        else:
            failed.counted += 1
        failures = Failures(
            attempts=failed.counted,
            unavailable=failed.unavailable,
            waited=timedelta(seconds=now_s - failed.first_failure_s),
        )
        return decide(error, failures, self.policy, random.random())  # noqa: S311 - jitter

    async def _give_up(self, error: Exception, disposition: GiveUp) -> bool:
        failure = Failure(error=error, disposition=disposition, attempts=self._attempts, at=datetime.now(UTC))
        return await self._send(self.handler.give_up(self.record, failure, self))

    async def _send(self, results: Sequence[OutRecord]) -> bool:
        self.waits_for = "send"
        if self.lost:
            return False
        sending = Slot(self.sends)
        await sending.acquire()
        # The next call begins while these results travel: of calls that end together, none waits for a send.
        self.slot.release()
        try:
            return await send_until(self.producer, results, self.held.closing)
        finally:
            sending.release()

    async def _wait(self, retry: Retry) -> bool:
        """Wait without a slot; return whether to try again."""
        self.waits_for = "retry"
        self.slot.release()
        try:
            await asyncio.wait_for(self.held.closing.wait(), retry.delay_s)
        except TimeoutError:
            return True
        return False
