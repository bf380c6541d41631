"""What is said of a run: one JSON object."""

from collections import Counter
from collections.abc import Mapping
from typing import Any

from . import calls, outcomes
from .artefacts import Artefacts
from .faults.worker_kill import WorkerKill
from .run import RunOptions


def summary(
    options: RunOptions,
    layout: dict[str, int],
    run: Artefacts,
    violations: dict[str, tuple[str, ...]],
    durations_s: dict[str, float],
    seen: Mapping[str, Any],
) -> dict[str, Any]:
    """Return the object.

    Args:
        options: of the run.
        layout: workers, partitions, brokers.
        run: what it left.
        violations: what the checker found, by invariant.
        durations_s: seconds that each phase took.
        seen: what the cluster counted by itself.
    """
    working_s = durations_s.get("chaos", 0.0) + durations_s.get("quiesce", 0.0)
    return {
        "tasks": options.tasks,
        "kills": options.kills,
        "broker_kills": options.broker_kills,
        "faults": [fault.row for fault in options.faults],
        "poison": options.poison,
        "seed": options.seed,
        **layout,
        "ok": not any(violations.values()),
        "violations": {name: len(found) for name, found in violations.items()},
        "survived": _survived(run, seen),
        "submissions": dict(Counter(submission.result for submission in run.submissions)),
        "durations_s": durations_s,
        "tasks_per_s": round(options.tasks / working_s, 1) if working_s else None,
    }


def _survived(run: Artefacts, seen: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "faults": dict(sorted(Counter(fault.row for fault in run.faults).items())),
        "kills": sum(each.row == WorkerKill.row for each in run.interruptions),
        "recovery_s_max": _slowest(run),
        **seen,
        "intents_open_at_interruptions": sum(len(each.open_calls) for each in run.interruptions),
        "requests_unanswered_at_interruptions": calls.in_flight_at_provider(run),
        "answers_unwritten_at_interruptions": calls.answers_unwritten(run),
        "requests": len(run.requests),
        "requests_failed": dict(sorted(Counter(r.fault for r in run.requests if r.fault).items())),
        "requests_in_a_minute_max": calls.most_in_a_minute(run),
        "repeated_calls": calls.repeats(run),
        "repeated_deliveries": outcomes.repeated_deliveries(run),
        "given_up_on_after_provider_faults": outcomes.given_up(run),
        "sink_lines_lost": outcomes.effects_without_line(run),
        "poison": dict(sorted(Counter(poison.kind for poison in run.poison).items())),
        "offset_samples": len(run.samples),
    }


def _slowest(run: Artefacts) -> dict[str, float]:
    """The longest time from the healing of each row's faults until more tasks ended, in seconds."""
    slowest: dict[str, float] = {}
    for fault in run.faults:
        if fault.recovery_s is not None:
            slowest[fault.row] = max(fault.recovery_s, slowest.get(fault.row, 0.0))
    return dict(sorted(slowest.items()))
