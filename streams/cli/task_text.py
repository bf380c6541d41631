"""The path of a task for eyes and for programs."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict
from datetime import datetime
from typing import Any

import orjson
from rich.console import RenderableType
from rich.table import Table
from rich.text import Text

from streams.cli.cache_text import answered_text, saved_text
from streams.cli.printable import one_line
from streams.cli.task_calls_text import calls_table
from streams.store.task_calls import TaskCall
from streams.store.task_events import EventKind, TaskEvent
from streams.store.tasks import IndexedTask
from streams.task_path import PathStep, TaskPath
from streams.task_where import Where

SHOWN_S_MIN = 0.01
"""Shorter times are left out for eyes."""
Detail = Mapping[str, Any]
TIME = "%Y-%m-%d %H:%M:%SZ"


def json_line(value: Mapping[str, object]) -> str:
    """Return the object as one line of JSON; amounts of money as text, so that none is rounded."""
    return orjson.dumps(value, default=str).decode()


def plain(path: TaskPath, where: Where | None) -> dict[str, object]:
    """Return the path for JSON: the submission, plan, steps, calls, review, time, cost, where it is."""
    task, review = path.task, path.review
    return {
        **asdict(task),
        "outcome": path.outcome,
        "plan": path.plan,
        "steps": [_plain_step(step) for step in path.steps],
        "calls_made": [_plain_call(call) for call in path.calls],
        "booked_usd": path.booked_usd,
        "total_s": path.total_s,
        "time_s": path.time_s,
        "review": review
        and {
            "reason": review.reason,
            "requested_at": review.requested_at,
            "decided": review.decided and review.decided.model_dump(mode="json"),
        },
        "where": where and asdict(where),
        "other_submissions": [
            {"submission_id": o.submission_id, "state": o.state, "accepted_at": o.accepted_at}
            for o in path.others
        ],
    }


def parts(path: TaskPath, where: Where | None) -> Iterator[RenderableType]:
    """Yield what a person reads, from top to bottom."""
    yield _head(path, where)
    if path.steps:
        yield _steps_table(path.steps)
    if path.calls:
        yield calls_table(path)
    findings = [line for step in path.steps for line in _findings(step.event)]
    yield Text("\n".join(["checks:", *findings]) if findings else "checks: no findings")
    if path.others:
        yield _others_table(path.others)


def _plain_step(step: PathStep) -> dict[str, object]:
    event = asdict(step.event)
    del event["submission_id"], event["timing_s"]
    return {**event, "time_s": dict(step.time_s)}


def _plain_call(call: TaskCall) -> dict[str, object]:
    return {name: getattr(call, name) for name in call.__slots__} | {"usage": call.usage.model_dump()}


def _head(path: TaskPath, where: Where | None) -> Table:
    task = path.task
    table = Table.grid(padding=(0, 2))
    load = f", load {task.batch_id} row {task.row_number}" if task.batch_id else ""
    lines = {
        "task": f"{task.task_id}, recipe {task.recipe}, tenant {task.tenant}{load}",
        "submission": f"{task.submission_id}, accepted {task.accepted_at:{TIME}}",
        "outcome": _outcome(path),
        **({"now": _now(where)} if where else {}),
        "title": task.title or "none yet",
        "plan": _plan(path.plan),
        **({"why": str(path.plan["why"])} if path.plan else {}),
        "time": _time(path),
        "cost": _cost(path),
        **({"review": _review(path)} if path.review else {}),
    }
    for name, text in lines.items():
        table.add_row(name, Text(one_line(text)))
    return table


def _outcome(path: TaskPath) -> str:
    task = path.task
    state = path.outcome or f"none yet: {task.state}"
    score = "" if task.score is None else f", score {task.score:.2f}"
    return " ".join(filter(None, (f"{state}{score}", task.url, task.reason)))


def _now(where: Where) -> str:
    stage = f"{where.stage}: " if where.stage else ""
    since = f", since {where.since:{TIME}}" if where.since else ""
    todo = f". To do: {where.todo}" if where.todo else ""
    return f"{stage}waits for {where.waits_for}{since}{todo}"


def _plan(plan: Mapping[str, Any] | None) -> str:
    if plan is None:
        return "none yet"
    effort = f", {plan['reasoning_effort']} effort" if plan.get("reasoning_effort") else ""
    return f"{plan['model']} of tier {plan['tier']}{effort}, recipe {plan['recipe']}, risk {plan['risk']}"


def _time(path: TaskPath) -> str:
    if path.total_s is None:
        return "not known"
    return f"{path.total_s:.2f} s: {_spent(path.time_s) or 'all of it too short to tell'}"


def _cost(path: TaskPath) -> str:
    task = path.task
    simulated = ", simulated: nothing was paid" if any(call.simulated for call in path.calls) else ""
    paid = f"{task.cost_usd:f} USD for {task.calls} answers"
    booked = f", {path.booked_usd:f} USD with failed calls" if path.booked_usd > task.cost_usd else ""
    tokens = f"{task.input_tokens} input and {task.output_tokens} output tokens"
    return f"{paid}{booked}{saved_text(task)}; {tokens}{simulated}"


def _review(path: TaskPath) -> str:
    review = path.review
    if review is None or review.decided is None:
        return f"waits for a person: {review.reason if review else ''}"
    decided = review.decided
    word = "approved" if decided.approved else "rejected"
    return (
        f"{word} by {decided.reviewer} on {decided.decided_at:{TIME}}: {decided.reason or 'no reason given'}"
    )


def _spent(time_s: Mapping[str, float]) -> str:
    shown = {name: seconds for name, seconds in time_s.items() if seconds >= SHOWN_S_MIN}
    return ", ".join(f"{_waited(name)} {seconds:.2f} s" for name, seconds in shown.items())


def _waited(name: str) -> str:
    return f"retry after {name.removeprefix('retry-')}" if name.startswith("retry-") else name


def _steps_table(steps: Sequence[PathStep]) -> Table:
    table = Table("When", "Stage", "What", "After", "Of it", title="Path", title_justify="left")
    for step in steps:
        event = step.event
        what = Text(one_line(_what(event)))
        table.add_row(_clock(event.at), event.stage, what, f"{step.total_s:.2f} s", _spent(step.time_s))
    return table


def _clock(at: datetime) -> str:
    return f"{at:%H:%M:%S}.{at.microsecond // 1000:03d}"


def _what(event: TaskEvent) -> str:
    return WORDS[event.kind](event.detail)


def _submitted(detail: Detail) -> str:
    return f"submitted to the {detail['lane']} lane"


def _classified(detail: Detail) -> str:
    plan, repair = detail["plan"], detail["repair"]
    if repair:
        return f"sent back, repair round {repair['round']}: {len(repair['findings'])} findings"
    return f"planned for {plan['model']} of tier {plan['tier']}, risk {plan['risk']}"


def _generated(detail: Detail) -> str:
    return f"written: {'; '.join(map(_step, detail['steps']))}"


def _step(step: Detail) -> str:
    if step.get("template"):
        return f"{step['step']} {step['degraded_by']}"
    return f"{step['step']} {answered_text(step)} {step['model']}"


def _validated(detail: Detail) -> str:
    by = f", approved by {detail['reviewer']}" if detail["reviewer"] else ""
    return f"passed with score {detail['score']:.2f}{by}"


def _held(detail: Detail) -> str:
    return f"held for a person: {detail['reason']}"


def _finished(detail: Detail) -> str:
    return " ".join(filter(None, (detail["outcome"], detail["url"], detail["reason"])))


def _postponed(detail: Detail) -> str:
    return f"put off after {detail['reason']}, {detail['attempts']} failed attempts so far"


def _returned(_detail: Detail) -> str:
    return "came back from its retry topic"


def _dead_lettered(detail: Detail) -> str:
    tried = f"after {detail['attempts']} attempts"
    return f"dead letter {detail['position']} {tried}: {detail['exception']}: {detail['message']}"


def _replayed(detail: Detail) -> str:
    return f"sent back from dead letter {detail['letter']}"


WORDS: Mapping[EventKind, Callable[[Detail], str]] = {
    EventKind.SUBMITTED: _submitted,
    EventKind.CLASSIFIED: _classified,
    EventKind.GENERATED: _generated,
    EventKind.VALIDATED: _validated,
    EventKind.REVIEW_REQUESTED: _held,
    EventKind.FINISHED: _finished,
    EventKind.POSTPONED: _postponed,
    EventKind.RETURNED: _returned,
    EventKind.DEAD_LETTERED: _dead_lettered,
    EventKind.REPLAYED: _replayed,
}
"""What each kind says in words; what stands in `detail` is told in `streams/task_history.py`."""


def _findings(event: TaskEvent) -> Iterator[str]:
    detail: Mapping[str, Any] = event.detail
    repair = detail.get("repair") or {}
    where = f"before repair {repair['round']}" if repair else str(event.kind)
    for found in (*repair.get("findings", ()), *detail.get("findings", ())):
        yield f"  {found['severity']} {found['check']} ({where}): {one_line(found['message'])}"


def _others_table(others: Sequence[IndexedTask]) -> Table:
    table = Table("Submission", "State", "Load", "Accepted", "USD", title="Other submissions")
    table.title_justify = "left"
    for other in others:
        accepted = f"{other.accepted_at:{TIME}}"
        table.add_row(other.submission_id, other.state, other.batch_id or "", accepted, f"{other.cost_usd:f}")
    return table
