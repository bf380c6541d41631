"""Every invariant of a whole run: a pure function over what it left that returns what violates it."""

import math
from collections import Counter, defaultdict
from collections.abc import Callable, Mapping
from decimal import Decimal

from schemas.scope import ScopeKind
from streams.engine.consumer import StageConsumer
from streams.engine.intake import Ordering

from .broker import DEAD, OUT
from .limits_check import rate_limit
from .loop import Life
from .plan import Fate, TaskPlan
from .stage import budget_usd
from .world import World

PAUSE_SLACK_S = 0.1
"""From the turn at the limits over the journal to the provider, when nothing fails on the way."""


def lost_tasks(world: World) -> list[str]:
    """Each accepted task has a result or a dead letter."""
    return [task.task_id for task in world.scenario.tasks if not world.watch.results[task.task_id]]


def wrong_outcomes(world: World) -> list[str]:
    """A task ends as it is bound to; one that luck decides ends as dead letter only after its attempts."""
    wrong = []
    for task in world.scenario.tasks:
        ends = set(world.watch.results[task.task_id])
        if not ends <= _allowed(world, task):
            wrong.append(f"{task.task_id} ({task.fate}): {sorted(ends)}")
    return wrong


def sink_effects(world: World) -> list[str]:
    """One effect for each published task, and none without a result."""
    published = {task for task, ends in world.watch.results.items() if OUT in ends}
    twice = [f"{task}: {count} effects" for task, count in world.sink.effects.items() if count != 1]
    return [*twice, *(f"{task}: no effect" for task in sorted(published - world.sink.effects.keys()))]


def repeated_calls(world: World) -> list[str]:
    """A call is repeated only after it failed, or after its worker died or lost its lease during it."""
    made: Counter[tuple[str, str]] = Counter()
    failed: Counter[tuple[str, str]] = Counter()
    for call in world.provider.calls:
        made[call.revision, call.step] += 1
        failed[call.revision, call.step] += call.outcome != "ok" or call.cancelled
    lost = Counter({(key.revision, key.step): count for key, count in world.store.lost.items()})
    return [
        f"{call}: {count} calls, {failed[call]} failed, {lost[call]} lost"
        for call, count in made.items()
        if count > 1 + failed[call] + lost[call]
    ]


def calls_in_pause(world: World) -> list[str]:
    """Who was asked to wait, by the provider or by a person, begins no call meanwhile."""
    pauses = [*world.provider.pauses]
    for scope, since_s, until_s in world.held:
        if scope.kind is ScopeKind.PROVIDER:
            pauses += [(worker.process.name, since_s, until_s) for worker in world.workers]
    return [
        f"{worker} asked to wait at {since_s:.3f} until {until_s:.3f}, its turn came at {at_s:.3f}"
        for worker, since_s, until_s in pauses
        for at_s, admitted in world.store.admissions
        if admitted == worker and since_s + PAUSE_SLACK_S < at_s < until_s - PAUSE_SLACK_S
    ]


def concurrency(world: World) -> list[str]:
    """No worker has more calls at the provider at once than the limit says."""
    steps: dict[str, list[tuple[float, int]]] = defaultdict(list)
    for call in world.provider.calls:
        if call.ended_s is not None and call.ended_s > call.at_s:
            steps[call.worker] += [(call.at_s, 1), (call.ended_s, -1)]
    over = []
    for worker, changes in steps.items():
        now = most = 0
        for _, change in sorted(changes):
            now += change
            most = max(most, now)
        if most > world.scenario.concurrency:
            over.append(f"{worker}: {most} at once")
    return over


def budgets(world: World) -> list[str]:
    """No task pays more than its budget, and no call begins that it does not cover."""
    paid: dict[str, Decimal] = defaultdict(Decimal)
    for row in world.store.rows():
        if row.state == "answered":
            paid[row.intent.task.task_id] += row.cost_usd or Decimal(0)
    over = [
        f"{task.task_id} paid {paid[task.task_id]} of {budget_usd(task)}"
        for task in world.scenario.tasks
        if paid[task.task_id] > budget_usd(task)
    ]
    uncovered = {(t.task_id, t.steps[-1]) for t in world.scenario.tasks if t.fate is Fate.POOR}
    called = {(call.task_id, call.step) for call in world.provider.calls}
    return over + [f"{call} was made" for call in sorted(called & uncovered)]


def open_intents(world: World) -> list[str]:
    """The journal knows how every call ended.

    But not of a dead worker whose call a zombie answered before another worker came to it: that one stays
    open, which is booked at its worst case.
    """
    answered = {row.intent.key for row in world.store.rows() if row.state == "answered"}
    killed = {w.process.name for w in world.workers if w.process.life is Life.DEAD and not w.stopped}
    return [
        f"{row.intent.key} by {row.worker_id}"
        for row in world.store.rows()
        if row.state == "open" and not (row.intent.key in answered and row.worker_id in killed)
    ]


def slots_leaked(world: World) -> list[str]:
    """Who has stopped holds no slot and no byte."""
    leaked = []
    for worker in world.workers:
        if worker.stopped and worker.consumer is not None:
            held = _held(worker.consumer)
            if any(held.values()):
                leaked.append(f"{worker.process.name}: {held}")
    return leaked


def _held(consumer: StageConsumer) -> dict[str, int]:
    intake = consumer._intake
    parked = 0 if consumer._settings.ordering is Ordering.UNORDERED else math.inf
    unaccounted = sum(lane.records for lane in intake._lanes.values()) - len(intake)
    return {
        "slots": consumer._slots.taken,
        "sends": consumer._sends.taken,
        "deliveries": len(consumer._in_flight),
        "in_work": sum(lane.in_work for lane in intake._queue._lanes.values()),
        "records": unaccounted if unaccounted < 0 or unaccounted > parked else 0,
    }


def _allowed(world: World, task: TaskPlan) -> set[str]:
    if task.fate not in {Fate.GOOD, Fate.SLOW}:
        return {DEAD}
    return {OUT, DEAD} if task.task_id in world.watch.exhausted else {OUT}


AFTERWARDS: Mapping[str, Callable[[World], list[str]]] = {
    "lost_tasks": lost_tasks,
    "wrong_outcomes": wrong_outcomes,
    "sink_effects": sink_effects,
    "repeated_calls": repeated_calls,
    "rate_limit": rate_limit,
    "calls_in_pause": calls_in_pause,
    "concurrency": concurrency,
    "budgets": budgets,
    "open_intents": open_intents,
    "slots_leaked": slots_leaked,
}
MEANWHILE = (
    "commit_passes_unfinished",
    "commits_go_back",
    "finished_again",
    "taken_twice",
    "keys_at_once",
    "window_too_wide",
    "sends_after_loss",
    "answer_not_durable",
    "attempts_unbounded",
    "engine_errors",
    "shares_over_one",
    "too_many_at_once",
    "begins_while_held",
    "back_before_due",
    "liveness",
)
INVARIANTS = (*AFTERWARDS, *MEANWHILE)


def check(world: World) -> dict[str, list[str]]:
    """Return the violations of every invariant that has some."""
    found = dict(world.history.violations)
    for name, invariant in AFTERWARDS.items():
        found[name] = found.get(name, []) + invariant(world)
    return {name: texts for name, texts in found.items() if texts}
