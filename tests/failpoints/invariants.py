"""Every invariant: a pure function over the evidence that returns what violates it."""

import signal
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping
from decimal import Decimal

from chaos.artefacts import CallId

from .evidence import Ended, Evidence, Request
from .plan import Failpoint

SENT, CLIENT_GONE = "sent", "client_gone"
FIRST = 1

NOTHING = Decimal(0)

Key = tuple[str, str]


def missed(run: Evidence) -> tuple[str, ...]:
    """Every first worker died by SIGKILL, at its failpoint and nowhere else."""
    requests = run.requests_of
    return tuple(
        f"{ended.round.name}: exit {ended.killed_exit}, not killed {ended.round.failpoint}"
        for ended in run.rounds
        if ended.killed_exit != -signal.SIGKILL or not _died_there(run, ended, requests)
    )


def unfinished(run: Evidence) -> tuple[str, ...]:
    """Every second worker finished its work: each call of each record has one answer."""
    answers = Counter(row.call.key for row in run.rows if row.state == "answered")
    return (
        *(
            f"{e.round.name}: second worker ended with {e.finished_exit}"
            for e in run.rounds
            if e.finished_exit
        ),
        *(
            f"{call.revision}/{call.step}: {answers[call.revision, call.step]} answers"
            for ended in run.rounds
            for call in ended.round.calls
            if answers[call.revision, call.step] != 1
        ),
    )


def bought_again(run: Evidence) -> tuple[str, ...]:
    """What a killed worker was told is durable is not asked for again."""
    durable = {call.key: call.attempt for call in run.answered}
    return tuple(
        f"{_text(request.call)}: asked though attempt {durable[request.call.key]} had its answer"
        for request in run.requests
        if request.call.attempt > durable.get(request.call.key, request.call.attempt)
    )


def repeated_calls(run: Evidence) -> tuple[str, ...]:
    """What was in flight at the kill is asked for once more at most, and nothing else is."""
    in_flight = {call.key for call in run.opened - run.answered}
    sent = Counter(request.call.key for request in run.requests)
    return tuple(
        f"{'/'.join(key)}: {count} requests, {'' if key in in_flight else 'not '}in flight at the kill"
        for key, count in sent.items()
        if count > 1 + (key in in_flight)
    )


def requests_without_row(run: Evidence) -> tuple[str, ...]:
    """Every request has one row of the ledger, which no other request has."""
    known = {row.call for row in run.rows}
    return tuple(
        f"{_text(call)}: {len(sent)} requests, {int(call in known)} rows"
        for call, sent in run.requests_of.items()
        if len(sent) > 1 or call not in known
    )


def called_before_intent(run: Evidence) -> tuple[str, ...]:
    """No request is older than its row."""
    opened_at_s = {row.call: row.opened_at_s for row in run.rows}
    return tuple(
        f"{_text(request.call)}: asked before it was booked"
        for request in run.requests
        if request.at_s < opened_at_s.get(request.call, 0.0)
    )


def booked_below(run: Evidence) -> tuple[str, ...]:
    """No call is booked below what the provider asks for all its attempts."""
    billed, booked = _billed(run), _booked(run)
    return tuple(
        f"{'/'.join(key)}: billed {usd}, booked {booked[key]}"
        for key, usd in billed.items()
        if usd > booked[key]
    )


def ledger_differs(run: Evidence) -> tuple[str, ...]:
    """Where outcome and tokens of all a call's attempts are known, its booked total is its billed total."""
    unknown = {
        row.call.key for row in run.rows if row.state not in ("answered", "failed") or row.usage_estimated
    }
    billed, booked = _billed(run), _booked(run)
    return tuple(
        f"{'/'.join(key)}: billed {billed[key]}, booked {usd}"
        for key, usd in booked.items()
        if key not in unknown and billed[key] != usd
    )


def still_open(run: Evidence) -> tuple[str, ...]:
    """No intent outlives the work."""
    return tuple(_text(row.call) for row in run.rows if row.state == "open")


def budgets_differ(run: Evidence) -> tuple[str, ...]:
    """Nothing stays reserved on a budget, and what is settled is the sum of its calls."""
    booked: dict[tuple[str, str], Decimal] = defaultdict(Decimal)
    for row in run.rows:
        booked["tenant", row.tenant] += row.booked_usd
        booked["task", f"{row.tenant}#{row.task_id}"] += row.booked_usd
    counted = {(counter.scope, counter.name): counter for counter in run.counters}
    return (
        *(f"{'/'.join(key)}: not counted" for key in booked.keys() - counted.keys()),
        *(
            f"{'/'.join(key)}: settled {counter.settled_usd}, reserved {counter.reserved_usd}, "
            f"expected {booked[key]} and 0"
            for key, counter in counted.items()
            if (counter.settled_usd, counter.reserved_usd) != (booked[key], NOTHING)
        ),
    )


INVARIANTS: Mapping[str, Callable[[Evidence], tuple[str, ...]]] = {
    "missed": missed,
    "unfinished": unfinished,
    "bought_again": bought_again,
    "repeated_calls": repeated_calls,
    "requests_without_row": requests_without_row,
    "called_before_intent": called_before_intent,
    "booked_below": booked_below,
    "ledger_differs": ledger_differs,
    "still_open": still_open,
    "budgets_differ": budgets_differ,
}


def check(run: Evidence) -> dict[str, tuple[str, ...]]:
    """Return the violations of every invariant, by its name."""
    return {name: invariant(run) for name, invariant in INVARIANTS.items()}


def _died_there(run: Evidence, ended: Ended, requests: Mapping[CallId, tuple[Request, ...]]) -> bool:
    """Whether intent, request and answer of the victim's first attempt were as far as its failpoint says."""
    victim = ended.round.victim
    call = CallId(victim.revision, victim.step, FIRST)
    outcomes = [request.outcome for request in requests.get(call, ())]
    expected: Mapping[Failpoint, tuple[list[str], bool]] = {
        Failpoint.AFTER_RESERVE: ([], False),
        Failpoint.MID_CALL: ([CLIENT_GONE], False),
        Failpoint.AFTER_ANSWER: ([SENT], False),
        Failpoint.BEFORE_COMMIT: ([SENT], True),
    }
    return call in run.opened and (outcomes, call in run.answered) == expected[ended.round.failpoint]


def _billed(run: Evidence) -> Mapping[Key, Decimal]:
    return _sum((request.call.key, request.billed_usd) for request in run.requests)


def _booked(run: Evidence) -> Mapping[Key, Decimal]:
    return _sum((row.call.key, row.booked_usd) for row in run.rows)


def _sum(amounts: Iterable[tuple[Key, Decimal]]) -> Mapping[Key, Decimal]:
    total: dict[Key, Decimal] = defaultdict(Decimal)
    for key, usd in amounts:
        total[key] += usd
    return total


def _text(call: CallId) -> str:
    return "/".join(map(str, call))
