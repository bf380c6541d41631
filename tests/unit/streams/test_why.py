"""What work waits for: the cause that is the first to be taken away."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from builders import NOW
from fakes.consumer_state import PARTITION, a_consumer_state, a_partition_state, a_record_state
from processors.gates import Gates
from processors.model import CallPhase, CallState
from schemas.base import Stage
from schemas.scope import Scope, ScopeKind
from schemas.why import RECORD_CAUSES, Cause, StageWhy
from streams.control import OPERATOR
from streams.why import StageWatch, record_cause

OPENAI = Scope(ScopeKind.PROVIDER, "openai")
GENERATE = Scope(ScopeKind.STAGE, "generate")
BULK = Scope(ScopeKind.LANE, "bulk")
RECORD_STATES: list[tuple[dict[str, Any], Cause]] = [
    ({"waits_for": "slot"}, Cause.TURN),
    ({"waits_for": "send"}, Cause.DOWNSTREAM_FULL),
    ({"waits_for": "stage"}, Cause.IN_STAGE),
    ({"call": CallState(CallPhase.QUOTA, "openai", "m")}, Cause.QUOTA),
    ({"call": CallState(CallPhase.CALL, "openai", "m")}, Cause.IN_CALL),
    ({"waits_for": "retry", "retry_at": NOW}, Cause.RETRY),
    ({"waits_for": "retry", "closed": OPENAI}, Cause.BREAKER_OPEN),
]


def look(state: Any, gates: Gates | None = None, end: int = 7) -> StageWhy:
    watch = StageWatch(Stage.GENERATE, gates or Gates())
    return watch.look(a_consumer_state(state), {PARTITION: end}, NOW)


@pytest.mark.parametrize(("state", "cause"), RECORD_STATES)
def test_a_record_waits_for_what_its_delivery_does(state: dict[str, Any], cause: Cause) -> None:
    assert record_cause(a_record_state(**state), Gates())[0] is cause
    assert cause in RECORD_CAUSES


@pytest.mark.parametrize(("holder", "cause"), [(OPERATOR, Cause.PAUSED), ("breaker", Cause.BREAKER_OPEN)])
def test_who_holds_a_scope_decides_between_pause_and_breaker(holder: str, cause: Cause) -> None:
    gates = Gates()
    gates.close(OPENAI, holder, "outage")

    found = record_cause(a_record_state(waits_for="retry", closed=OPENAI), gates)

    assert found == (cause, "provider openai outage")


def test_an_open_breaker_says_what_it_is_of_and_when_it_is_probed() -> None:
    at = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)

    found = record_cause(a_record_state(waits_for="retry", closed=OPENAI, probe_at=at), Gates())

    assert found == (Cause.BREAKER_OPEN, "provider openai, probed from 03:04:05 UTC")


def test_a_retry_says_until_when() -> None:
    at = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)

    assert record_cause(a_record_state(waits_for="retry", retry_at=at), Gates())[1] == "until 03:04:05 UTC"


def test_the_true_backlog_is_what_is_unfinished_and_what_is_not_taken() -> None:
    [found] = look(a_partition_state(next_offset=10, head_offset=4, unfinished=2), end=15).partitions

    assert (found.pending, found.head_offset) == (7, 4)


def test_a_partition_without_backlog_is_idle_even_if_its_stage_is_paused() -> None:
    gates = Gates()
    gates.close(GENERATE, OPERATOR, "audit")

    assert look(a_partition_state(), gates).partitions[0].cause is Cause.IDLE


@pytest.mark.parametrize("scope", [GENERATE, BULK], ids=str)
def test_a_backlog_whose_stage_or_lane_is_held_is_paused(scope: Scope) -> None:
    gates = Gates()
    gates.close(scope, OPERATOR, "audit")

    [found] = look(a_partition_state(), gates, end=9).partitions

    assert (found.cause, found.detail) == (Cause.PAUSED, f"{scope} audit")


def test_failing_commits_come_before_all_else() -> None:
    state = a_consumer_state(
        a_partition_state(uncommitted=True, head=a_record_state()), commit_error="NotCoordinator"
    )

    [found] = StageWatch(Stage.GENERATE, Gates()).look(state, {}, NOW).partitions

    assert (found.cause, found.detail) == (Cause.COMMIT_FAILING, "NotCoordinator")


def test_since_stands_while_the_same_record_waits_for_the_same() -> None:
    watch, later = StageWatch(Stage.GENERATE, Gates()), NOW + timedelta(minutes=5)
    waiting = a_consumer_state(a_partition_state(head=a_record_state()))
    next_one = a_consumer_state(a_partition_state(head_offset=8, head=a_record_state(offset=8)))

    looks = [watch.look(state, {}, at) for state, at in [(waiting, NOW), (waiting, later), (next_one, later)]]

    assert [found.partitions[0].since for found in looks] == [NOW, NOW, later]


def test_the_head_tells_its_task_and_its_time() -> None:
    [found] = look(a_partition_state(head=a_record_state())).partitions

    assert (found.task_id, found.head_at) == ("task-7", datetime(1970, 1, 1, 0, 0, 1, tzinfo=UTC))


def test_the_rate_counts_the_last_minute_only() -> None:
    watch = StageWatch(Stage.GENERATE, Gates())
    counts = [(0.0, 0), (10.0, 600), (60.0, 600), (120.0, 660)]

    rates = [
        watch.look(a_consumer_state(at_s=at_s, finished=n), {}, NOW).finished_per_s for at_s, n in counts
    ]

    assert rates == [0.0, 60.0, 10.0, 1.0]


def test_records_at_work_are_counted_by_what_they_belong_to() -> None:
    call = CallState(CallPhase.CALL, "openai", "m")
    state = a_consumer_state(
        records=(a_record_state(scopes=(BULK,), call=call), a_record_state(scopes=(BULK,), waits_for="retry"))
    )

    found = StageWatch(Stage.GENERATE, Gates()).look(state, {}, NOW)

    assert found.active == {"all": 1, "lane bulk": 1, "provider openai": 1, "model m": 1}
    assert found.waiting == {Cause.IN_CALL: 1, Cause.RETRY: 1}


def test_the_work_of_a_record_leaves_out_its_waits_for_limits() -> None:
    watch = StageWatch(Stage.GENERATE, Gates())
    calls = a_record_state(call=CallState(CallPhase.CALL, "openai", "m"))
    waits = a_record_state(call=CallState(CallPhase.QUOTA, "openai", "m"))

    watch.look(a_consumer_state(at_s=0.0), {}, NOW)
    found = watch.look(a_consumer_state(at_s=10.0, finished=5, records=(calls, calls, waits)), {}, NOW)

    assert (found.finished_per_s, found.work_s) == (0.5, 4.0)
