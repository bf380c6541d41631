"""What is said of a run: one JSON object."""

from collections import Counter
from decimal import Decimal
from typing import Any

from .evidence import Ended, Evidence
from .plan import Failpoint


def summary(
    seed: int, run: Evidence, violations: dict[str, tuple[str, ...]], lasted_s: float
) -> dict[str, Any]:
    """Return the object.

    Args:
        seed: of all that was random.
        run: what it left.
        violations: what the checker found, by invariant.
        lasted_s: how long it took, in seconds.
    """
    unknown = {row.call.key for row in run.rows if row.state == "unknown"}
    known_booked = [row.booked_usd for row in run.rows if row.call.key not in unknown]
    known_billed = [r.billed_usd for r in run.requests if r.call.key not in unknown]
    return {
        "ok": not any(violations.values()),
        "seed": seed,
        "kills": len(run.rounds),
        "failpoints": {point.value: _failpoint(run, point) for point in Failpoint},
        "requests": len(run.requests),
        "ledger_rows": dict(sorted(Counter(row.state for row in run.rows).items())),
        "billed_usd": _sum([request.billed_usd for request in run.requests]),
        "booked_usd": _sum([row.booked_usd for row in run.rows]),
        "billed_usd_where_known": _sum(known_billed),
        "booked_usd_where_known": _sum(known_booked),
        "violations": {name: len(found) for name, found in violations.items()},
        "seconds": round(lasted_s, 1),
    }


def _failpoint(run: Evidence, failpoint: Failpoint) -> dict[str, int]:
    """Count, for one failpoint, calls by what the kill found them in and what was asked again."""
    rounds = [ended for ended in run.rounds if ended.round.failpoint is failpoint]
    keys = {(call.revision, call.step) for ended in rounds for call in ended.round.calls}
    victims = {_victim(ended) for ended in rounds}
    sent = Counter(request.call.key for request in run.requests)
    repeated = {key for key in keys if sent[key] > 1}
    answered = {call.key for call in run.answered} & keys
    in_flight = {call.key for call in run.opened} & keys - answered
    return {
        "kills": len(rounds),
        "calls": len(keys),
        "answers_durable_at_kills": len(answered),
        "durable_answers_bought_again": len(answered & repeated),
        "in_flight_at_kills": len(in_flight),
        "victims_repeated": len(victims & repeated),
        "others_repeated": len(repeated - victims),
    }


def _victim(ended: Ended) -> tuple[str, str]:
    return ended.round.victim.revision, ended.round.victim.step


def _sum(amounts: list[Decimal]) -> str:
    return f"{sum(amounts, Decimal(0)):f}"
