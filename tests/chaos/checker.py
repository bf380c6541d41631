"""Every invariant: a pure function over the artefacts that returns what violates it."""

from collections.abc import Callable, Mapping

from . import calls, counters, offsets, outcomes
from .artefacts import Artefacts


def liveness(run: Artefacts) -> tuple[str, ...]:
    """After the chaos everything comes to its end."""
    return run.stuck


def workers_ended(run: Artefacts) -> tuple[str, ...]:
    """Workers end when they are told to, or killed."""
    return run.self_ended_workers


def secrets_seen(run: Artefacts) -> tuple[str, ...]:
    """No log, metric or header holds an API key or a text of a prompt."""
    return (*run.canaries, *(f"a header at {record.place}" for record in run.records if record.canary))


INVARIANTS: Mapping[str, Callable[[Artefacts], tuple[str, ...]]] = {
    "liveness": liveness,
    "lost_tasks": outcomes.lost_tasks,
    "two_outcomes": outcomes.two_outcomes,
    "wrong_outcomes": outcomes.wrong_outcomes,
    "phantoms": outcomes.phantoms,
    "sink_effects": outcomes.sink_effects,
    "order_broken": outcomes.order_broken,
    "dead_letters_differ": outcomes.dead_letters_differ,
    "repeated_calls": calls.repeated_calls,
    "retried_too_early": calls.retried_too_early,
    "rate_exceeded": calls.rate_exceeded,
    "calls_without_intent": calls.calls_without_intent,
    "ledger_differs": calls.ledger_differs,
    "usage_differs": calls.usage_differs,
    "commits_pass_unfinished": offsets.commits_pass_unfinished,
    "commits_go_back": offsets.commits_go_back,
    "counted_too_much": counters.counted_too_much,
    "secrets_seen": secrets_seen,
    "workers_ended": workers_ended,
}


def check(run: Artefacts) -> dict[str, tuple[str, ...]]:
    """Return the violations of every invariant, by its name."""
    return {name: invariant(run) for name, invariant in INVARIANTS.items()}
