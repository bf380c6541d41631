"""What is said of a run: one JSON object."""

from collections import Counter
from typing import Any

from . import calls, outcomes
from .artefacts import Artefacts
from .run import RunOptions


def summary(
    options: RunOptions,
    layout: dict[str, int],
    run: Artefacts,
    violations: dict[str, tuple[str, ...]],
    durations_s: dict[str, float],
    rebalances: int,
) -> dict[str, Any]:
    """Return the object.

    Args:
        options: of the run.
        layout: workers, partitions, brokers.
        run: what it left.
        violations: what the checker found, by invariant.
        durations_s: seconds that each phase took.
        rebalances: how often a member of a stage's group was given partitions.
    """
    working_s = durations_s.get("chaos", 0.0) + durations_s.get("quiesce", 0.0)
    return {
        "tasks": options.tasks,
        "kills": options.kills,
        "poison": options.poison,
        "seed": options.seed,
        **layout,
        "ok": not any(violations.values()),
        "violations": {name: len(found) for name, found in violations.items()},
        "survived": _survived(run, rebalances),
        "submissions": dict(Counter(submission.result for submission in run.submissions)),
        "durations_s": durations_s,
        "tasks_per_s": round(options.tasks / working_s, 1) if working_s else None,
    }


def _survived(run: Artefacts, rebalances: int) -> dict[str, Any]:
    return {
        "kills": len(run.kills),
        "assignments": rebalances,
        "intents_open_at_kills": sum(len(kill.open_calls) for kill in run.kills),
        "requests_unanswered_at_kills": calls.in_flight_at_provider(run),
        "answers_unwritten_at_kills": calls.answers_unwritten(run),
        "requests": len(run.requests),
        "repeated_calls": calls.repeats(run),
        "repeated_deliveries": outcomes.repeated_deliveries(run),
        "sink_lines_lost": outcomes.effects_without_line(run),
        "poison": dict(sorted(Counter(poison.kind for poison in run.poison).items())),
        "offset_samples": len(run.samples),
    }
