"""Says every few seconds why a worker waits: on its page, in its metrics, in the database."""

import logging
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime

from aiokafka.errors import KafkaError
from mode import Service

from processors.errors import StoreUnavailableError
from processors.gates import Gates
from schemas.base import Stage
from schemas.why import StageWhy, WorkerWhy
from streams.control import ControlReader
from streams.engine.consumer import StageConsumer
from streams.engine.records import Partition
from streams.scaling import Desired, desired, load_of
from streams.stall_guard import StallGuard
from streams.store.reports import PostgresReports
from streams.why import StageWatch

REPORT_S = 3.0

log = logging.getLogger(__name__)


class WhyReporter(Service):  # type: ignore[misc] # mode ships no types
    """Reports for one worker.

    Args:
        worker_id: this worker.
        consumers: its stage consumers; more may come.
        control: what it follows of the control topic.
        gates: what is held back.
        reports: where other processes find it.
        stall_s: seconds without progress that make a stall.
        backlog_s: seconds in which a backlog should be worked off.
        pace: what it adds of calls and bounds to what a stage reports.
    """

    def __init__(
        self,
        worker_id: str,
        consumers: Mapping[Stage, StageConsumer],
        control: ControlReader,
        gates: Gates,
        reports: PostgresReports,
        *,
        stall_s: float,
        backlog_s: float,
        pace: Callable[[Stage], Mapping[str, float | None]],
    ) -> None:
        super().__init__()
        self._worker_id = worker_id
        self._consumers = consumers
        self._control = control
        self._reports = reports
        self._watches = {stage: StageWatch(stage, gates) for stage in Stage}
        self._guards: dict[Stage, StallGuard] = {}
        self._stall_s = stall_s
        self._backlog_s = backlog_s
        self._pace = pace
        self.desired: Mapping[Stage, Desired] = {}
        self._ends: dict[Stage, Mapping[Partition, int]] = {}
        self.report = no_report(worker_id)

    async def refresh(self) -> WorkerWhy:
        """Look at every consumer and return what there is to report."""
        offset = self._control.scopes.offset  # before the looks: they have followed at least that much
        stages = [await self._look(stage, consumer) for stage, consumer in tuple(self._consumers.items())]
        self.report = WorkerWhy(
            worker_id=self._worker_id, at=datetime.now(UTC), control_offset=offset, stages=tuple(stages)
        )
        return self.report

    @Service.task  # type: ignore[untyped-decorator]
    async def _run(self) -> None:
        while not self.should_stop:
            report = await self.refresh()
            try:
                await self._reports.put(report)
                self.desired = self._scale(await self._reports.live())
            except StoreUnavailableError as error:
                log.warning("why this worker waits could not be written: %s", error)
            await self.sleep(REPORT_S)

    async def _look(self, stage: Stage, consumer: StageConsumer) -> StageWhy:
        try:
            self._ends[stage] = await consumer.ends()
        except (KafkaError, TimeoutError) as error:
            log.warning("%s: the ends of the logs are not known: %r", stage, error)
        state = consumer.state()
        why = self._watches[stage].look(state, self._ends.get(stage, {}), datetime.now(UTC))
        if stage not in self._guards:
            self._guards[stage] = StallGuard(stage, consumer, self._stall_s)
        stalled = await self._guards[stage].watch(state, why)
        return why.model_copy(update={**self._pace(stage), "stalled": stalled})

    def _scale(self, reports: Sequence[WorkerWhy]) -> Mapping[Stage, Desired]:
        return {stage: desired(load_of(stage, reports), self._backlog_s) for stage in self._consumers}


def no_report(worker_id: str) -> WorkerWhy:
    """Return the report of a worker that has not looked yet."""
    return WorkerWhy(worker_id=worker_id, at=datetime.now(UTC), control_offset=-1, stages=())
