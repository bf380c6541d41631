"""The one stage: a task's model calls, then its effect at the sink, then its result; or its retry topic."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from decimal import Decimal
from functools import lru_cache

from fakes.model_request import a_request
from processors.breakers import BreakerRules, Breakers
from processors.errors import InvalidRecordError, SinkUnavailableError
from processors.gateway.metered import MeteredGateway
from processors.model import ModelRequest
from processors.ports import ModelGateway
from schemas.base import Stage
from schemas.scope import Scope, ScopeKind
from schemas.task import Task
from schemas.usage import UsageRecorded
from streams.engine.dead_letters import dead_letter
from streams.engine.records import Delivery, Failure, InRecord, OutRecord, Postponement
from streams.engine.tiers import tier_record

from .broker import DEAD, OUT, STAGE
from .history import History
from .network import Network
from .plan import TIERS, Fate, TaskPlan
from .watch import Watch

MODEL = "m"
REQUEST = a_request(model=MODEL, output_tokens_max=200)
BUDGET_USD = Decimal("0.00017")
"""Covers two calls at their worst case, one after the other."""
POOR_USD = {1: Decimal("0.00001"), 2: Decimal("0.00013")}
"""By steps: covers every call but the last."""
BREAKER_RULES = BreakerRules(
    outcomes=6, failure_ratio=0.5, window_s=60.0, open_s=2.0, open_s_max=8.0, probes=2
)
SINK_FAILURES_MAX = 2
"""In a row, for one task: less than a record has attempts."""


@dataclass(slots=True, eq=False, kw_only=True)
class Sink:
    """A destination with idempotency keys: its effects are what counts in the end."""

    history: History
    network: Network
    effects: dict[str, int] = field(default_factory=dict)
    deliveries: int = 0
    _failures: dict[str, int] = field(default_factory=dict)

    async def publish(self, task_id: str) -> None:
        self.deliveries += 1
        failures = self._failures.get(task_id, 0)
        if failures < SINK_FAILURES_MAX and self.network.strikes("sink"):
            self._failures[task_id] = failures + 1
            raise SinkUnavailableError("simulated: the sink does not answer")
        self._failures[task_id] = 0
        if task_id not in self.effects:
            self.effects[task_id] = 1
            self.history.note("effect", task_id)


@dataclass(slots=True, eq=False, kw_only=True)
class SimulatedStage:
    """One worker's stage.

    Attributes:
        breakers: of the tenants whose records it dead-letters.
    """

    worker: str
    tasks: dict[str, TaskPlan]
    gateway: ModelGateway
    sink: Sink
    watch: Watch
    breakers: Breakers

    async def handle(self, record: InRecord, delivery: Delivery) -> Sequence[OutRecord]:
        self.watch.begun(self.worker, record, delivery)
        try:
            return await self._handle(record, delivery)
        except Exception as error:
            self.watch.failed(record, delivery, error)
            raise
        finally:
            self.watch.ended(self.worker, record, delivery)

    def postpone(
        self, record: InRecord, postponement: Postponement, _delivery: Delivery
    ) -> Sequence[OutRecord]:
        return (tier_record(record, postponement, TIERS),)

    def give_up(self, record: InRecord, failure: Failure, _delivery: Delivery) -> Sequence[OutRecord]:
        if not isinstance(failure.error, InvalidRecordError):
            self.breakers.fail(_scopes(record))
        return (dead_letter(record, failure, stage=Stage.GENERATE, group=STAGE, topic=DEAD),)

    async def _handle(self, record: InRecord, delivery: Delivery) -> Sequence[OutRecord]:
        task = self.tasks[(record.value or b"").decode()]
        if task.fate is Fate.INVALID:
            raise InvalidRecordError("simulated: not a task")
        with self.breakers.admitted(_scopes(record)) as admission:
            if task.fate is Fate.BUG:
                raise ValueError("simulated: a bug")
            await self._call(task, delivery)
            await self.sink.publish(task.task_id)
            admission.succeed()
        return (OutRecord(topic=OUT, key=record.key, value=record.value),)

    async def _call(self, task: TaskPlan, delivery: Delivery) -> None:
        calls: list[UsageRecorded] = []
        gateway = MeteredGateway(self.gateway, calls, lambda: delivery.closing, delivery.tell)
        left_usd = budget_usd(task)
        try:
            for step in task.steps:
                answer = await gateway.complete(_request(task, step, left_usd))
                left_usd -= answer.recorded.cost_usd
        finally:
            delivery.paid.update((call.call_id, call) for call in calls)


def budget_usd(task: TaskPlan) -> Decimal:
    """Return the most that a task may cost."""
    return POOR_USD[len(task.steps)] if task.fate is Fate.POOR else BUDGET_USD


def _scopes(record: InRecord) -> tuple[Scope]:
    return (Scope(ScopeKind.TENANT, record.tenant),)


@lru_cache(maxsize=256)
def _task(task_id: str) -> Task:
    return Task(task_id=task_id, recipe="r", inputs={})


def _request(task: TaskPlan, step: str, left_usd: Decimal) -> ModelRequest:
    return replace(REQUEST, task=_task(task.task_id), revision=task.task_id, step=step, budget_usd=left_usd)
