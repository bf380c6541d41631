"""Says every few seconds why a worker waits: on its page, in its metrics, in the database."""

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime

from aiokafka.errors import KafkaError
from mode import Service

from processors.errors import StoreUnavailableError
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


@dataclass(frozen=True, slots=True, kw_only=True)
class WhySettings:
    """Bounds of what is watched.

    Attributes:
        stall_s: seconds without progress that make a stall.
        backlog_s: seconds in which the desired workers would work a backlog off.
    """

    stall_s: float
    backlog_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class StageBounds:
    """What keeps a stage from going faster; the fields are those of `StageWhy`."""

    at_once: int
    call_s: float = 0.0
    calls_per_s_max: float | None = None


class WhyReporter(Service):  # type: ignore[misc] # mode ships no types
    """Reports for one worker.

    Args:
        worker_id: this worker.
        consumers: its stage consumers; more may come.
        control: what it follows of the control topic.
        reports: where other processes find it.
        settings: bounds.
        bounds: returns what keeps a stage from going faster.
    """

    def __init__(
        self,
        worker_id: str,
        consumers: Mapping[Stage, StageConsumer],
        control: ControlReader,
        reports: PostgresReports,
        settings: WhySettings,
        bounds: Callable[[Stage], StageBounds],
    ) -> None:
        super().__init__()
        self._worker_id = worker_id
        self._consumers = consumers
        self._control = control
        self._reports = reports
        self._watches = {stage: StageWatch(stage, control.gates) for stage in Stage}
        self._guards: dict[Stage, StallGuard] = {}
        self._settings = settings
        self._bounds = bounds
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
            self._guards[stage] = StallGuard(stage, consumer, self._settings.stall_s)
        stalled = await self._guards[stage].watch(state, why)
        return why.model_copy(update={**asdict(self._bounds(stage)), "stalled": stalled})

    def _scale(self, reports: Sequence[WorkerWhy]) -> Mapping[Stage, Desired]:
        return {
            stage: desired(load_of(stage, reports), self._settings.backlog_s) for stage in self._consumers
        }


def no_report(worker_id: str) -> WorkerWhy:
    """Return the report of a worker that has not looked yet."""
    return WorkerWhy(worker_id=worker_id, at=datetime.now(UTC), control_offset=-1, stages=())
