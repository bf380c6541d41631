"""Why a stage waits: what its consumer does now, put into words and numbers."""

from collections import Counter, deque
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import NamedTuple

from processors.gates import Gates
from processors.model import CallPhase, CallState
from schemas.base import Lane, Stage
from schemas.scope import Scope, ScopeKind
from schemas.why import Cause, PartitionWhy, StageWhy
from streams.control import OPERATOR
from streams.engine.records import Partition
from streams.engine.state import ConsumerState, PartitionState, RecordState
from streams.engine.timestamps import moment
from streams.pipeline import PIPELINE
from streams.topics import topic_name

RATE_S = 60.0
"""Seconds over which finished records are counted for a rate."""
WORK = frozenset({Cause.IN_STAGE, Cause.IN_CALL, Cause.DOWNSTREAM_FULL})
AT_WORK = frozenset({"stage", "send"})
CALL_CAUSES = {CallPhase.QUOTA: Cause.QUOTA, CallPhase.CALL: Cause.IN_CALL}
Reason = tuple[Cause, str]


class StageWatch:
    """Looks at one stage's consumer again and again: since when what is so, and how fast it goes.

    Args:
        stage: which.
        gates: what is held back.
    """

    def __init__(self, stage: Stage, gates: Gates) -> None:
        self._stage = stage
        self._gates = gates
        self._lanes = {topic_name(PIPELINE[stage].takes, lane): lane for lane in Lane}
        self._since: dict[Partition, tuple[Cause, int, datetime]] = {}
        self._looks: deque[_Look] = deque()

    def look(self, state: ConsumerState, ends: Mapping[Partition, int], now: datetime) -> StageWhy:
        """Return what the stage waits for.

        Args:
            state: its consumer's.
            ends: next offsets of the logs; one that is missing counts as reached.
            now: the present time (aware).
        """
        partitions = tuple(self._partition(p, state.commit_error, ends, now) for p in state.partitions)
        waiting = Counter(record_cause(record, self._gates)[0] for record in state.records)
        finished_per_s, work_s = self._pace(state, sum(waiting[cause] for cause in WORK))
        held = {p.partition for p in state.partitions}
        self._since = {p: known for p, known in self._since.items() if p in held}
        return StageWhy(
            stage=self._stage,
            waiting=dict(waiting),
            active=_active(state.records),
            finished_per_s=finished_per_s,
            work_s=work_s,
            partitions=partitions,
        )

    def _partition(
        self, state: PartitionState, commit_error: str | None, ends: Mapping[Partition, int], now: datetime
    ) -> PartitionWhy:
        pending = max(0, ends.get(state.partition, 0) - state.next_offset) + state.unfinished
        cause, detail = self._cause(state, pending, commit_error)
        known = self._since.get(state.partition)
        if known is None or known[:2] != (cause, state.head_offset):
            known = self._since[state.partition] = (cause, state.head_offset, now)
        stamp_ms = state.head.timestamp_ms if state.head else None
        return PartitionWhy(
            topic=state.partition.topic,
            partition=state.partition.partition,
            head_offset=state.head_offset,
            head_at=None if stamp_ms is None else moment(stamp_ms),
            task_id=state.head.task_id if state.head else None,
            pending=pending,
            cause=cause,
            detail=detail,
            since=known[2],
        )

    def _cause(self, state: PartitionState, pending: int, commit_error: str | None) -> Reason:
        if commit_error is not None and state.uncommitted:
            return Cause.COMMIT_FAILING, commit_error
        if state.head is not None:
            return record_cause(state.head, self._gates)
        if not pending:
            return Cause.IDLE, ""
        lane = self._lanes.get(state.partition.topic)
        scopes = [Scope(ScopeKind.STAGE, self._stage)]
        scopes += [Scope(ScopeKind.LANE, lane)] if lane else []
        return _closed(scopes, self._gates) or (Cause.TURN, "")

    def _pace(self, state: ConsumerState, working: int) -> tuple[float, float]:
        """Return records finished a second, and seconds of work for each, over the last RATE_S seconds.

        Args:
            state: the stage's consumer.
            working: how many of its records are at work.
        """
        last = self._looks[-1] if self._looks else _Look(state.at_s, state.finished, 0.0)
        worked_s = last.worked_s + working * (state.at_s - last.at_s)
        self._looks.append(_Look(state.at_s, state.finished, worked_s))
        while state.at_s - self._looks[0].at_s > RATE_S:
            self._looks.popleft()
        first = self._looks[0]
        finished, passed_s = state.finished - first.finished, state.at_s - first.at_s
        if not finished or not passed_s:
            return 0.0, 0.0
        return finished / passed_s, (worked_s - first.worked_s) / finished


class _Look(NamedTuple):
    """When, records finished until then, and seconds of work of all records until then."""

    at_s: float
    finished: int
    worked_s: float


def record_cause(record: RecordState, gates: Gates) -> Reason:
    """Return what a record in flight waits for, and the particulars."""
    if record.waits_for in {"turn", "slot"}:
        return _closed(record.scopes, gates) or (Cause.TURN, "")
    if record.waits_for == "send":
        return Cause.DOWNSTREAM_FULL, record.sending
    if record.waits_for == "retry":
        if record.closed is not None:
            return _closed([record.closed], gates) or (Cause.BREAKER_OPEN, _probed(record.closed, record))
        return Cause.RETRY, f"until {record.retry_at:%H:%M:%S} UTC" if record.retry_at else ""
    return _in_stage(record.call)


def _probed(scope: Scope, record: RecordState) -> str:
    return f"{scope}, probed from {record.probe_at:%H:%M:%S} UTC" if record.probe_at else str(scope)


def _in_stage(call: CallState | None) -> Reason:
    if call is None:
        return Cause.IN_STAGE, ""
    return CALL_CAUSES[call.phase], f"{call.provider} {call.model}"


def _closed(scopes: Iterable[Scope], gates: Gates) -> Reason | None:
    for scope in scopes:
        holders = gates.holders(scope)
        if holders:
            holder = OPERATOR if OPERATOR in holders else next(iter(holders))
            cause = Cause.PAUSED if holder == OPERATOR else Cause.BREAKER_OPEN
            return cause, f"{scope} {holders[holder]}"
    return None


def _active(records: Iterable[RecordState]) -> dict[str, int]:
    counts: Counter[str] = Counter()
    for record in records:
        if record.waits_for in AT_WORK:
            counts["all"] += 1
            counts.update(map(str, record.scopes))
            if record.call is not None:
                counts[str(Scope(ScopeKind.PROVIDER, record.call.provider))] += 1
                counts[str(Scope(ScopeKind.MODEL, record.call.model))] += 1
    return dict(counts)
