"""Each invariant finds its violation, and none finds one in a good run."""

from dataclasses import replace
from decimal import Decimal

import pytest

from chaos.artefacts import CallId
from failpoints.evidence import Counter, Ended, Evidence, LedgerRow, Request
from failpoints.invariants import INVARIANTS, check
from failpoints.plan import Failpoint, Round

KILLED, DONE = -9, 0
PRICE, WORST = Decimal("0.001"), Decimal("0.01")
MID_CALL = Ended(round=Round(name="m", failpoint=Failpoint.MID_CALL), killed_exit=KILLED, finished_exit=DONE)
KEPT = Ended(round=Round(name="k", failpoint=Failpoint.BEFORE_COMMIT), killed_exit=KILLED, finished_exit=DONE)


def a_call(ended: Ended, attempt: int) -> CallId:
    return CallId(ended.round.victim.revision, ended.round.victim.step, attempt)


def a_request(call: CallId, outcome: str = "sent") -> Request:
    return Request(call=call, at_s=2.0, outcome=outcome, billed_usd=PRICE)


def a_row(call: CallId, state: str, booked_usd: Decimal, task_id: str) -> LedgerRow:
    return LedgerRow(
        call=call,
        state=state,
        booked_usd=booked_usd,
        opened_at_s=1.0,
        usage_estimated=False,
        tenant="acme",
        task_id=task_id,
    )


def a_counter(scope: str, name: str, settled_usd: Decimal) -> Counter:
    return Counter(scope=scope, name=name, settled_usd=settled_usd, reserved_usd=Decimal(0))


ONE, TWO, HELD = a_call(MID_CALL, 1), a_call(MID_CALL, 2), a_call(KEPT, 1)
GOOD = Evidence(
    rounds=(MID_CALL, KEPT),
    requests=(a_request(ONE, "client_gone"), a_request(TWO), a_request(HELD)),
    rows=(
        a_row(ONE, "unknown", WORST, "m/0"),
        a_row(TWO, "answered", PRICE, "m/0"),
        a_row(HELD, "answered", PRICE, "k/0"),
    ),
    counters=(
        a_counter("tenant", "acme", WORST + 2 * PRICE),
        a_counter("task", "acme#m/0", WORST + PRICE),
        a_counter("task", "acme#k/0", PRICE),
    ),
    opened=frozenset({ONE, HELD}),
    answered=frozenset({HELD}),
)
AGAIN = a_request(a_call(KEPT, 2))
OTHERS = GOOD.rows[:2]
HELD_ROW = GOOD.rows[2]

FAULTS = {
    "a worker that ended by itself": (
        replace(GOOD, rounds=(replace(MID_CALL, killed_exit=DONE), KEPT)),
        "missed",
    ),
    "a worker whose answer was on its way already": (
        replace(GOOD, requests=(a_request(ONE), *GOOD.requests[1:])),
        "missed",
    ),
    "a worker that died before its answer was durable": (replace(GOOD, answered=frozenset()), "missed"),
    "a second worker that failed": (
        replace(GOOD, rounds=(MID_CALL, replace(KEPT, finished_exit=1))),
        "unfinished",
    ),
    "a call without an answer": (replace(GOOD, rows=OTHERS), "unfinished"),
    "an answer that was bought again": (replace(GOOD, requests=(*GOOD.requests, AGAIN)), "bought_again"),
    "a call that was not in flight, and is asked again": (
        replace(GOOD, requests=(*GOOD.requests, AGAIN), answered=frozenset(), opened=frozenset({ONE})),
        "repeated_calls",
    ),
    "a call in flight that is asked three times": (
        replace(GOOD, requests=(*GOOD.requests, a_request(a_call(MID_CALL, 3)))),
        "repeated_calls",
    ),
    "a request that the ledger does not know": (replace(GOOD, rows=GOOD.rows[1:]), "requests_without_row"),
    "one attempt that was sent twice": (
        replace(GOOD, requests=(*GOOD.requests, a_request(HELD))),
        "requests_without_row",
    ),
    "a request before its intent": (
        replace(GOOD, rows=(*OTHERS, replace(HELD_ROW, opened_at_s=3.0))),
        "called_before_intent",
    ),
    "an unknown outcome that is free": (
        replace(GOOD, rows=(replace(GOOD.rows[0], booked_usd=Decimal(0)), *GOOD.rows[1:])),
        "booked_below",
    ),
    "an answer that is booked above its price": (
        replace(GOOD, rows=(*OTHERS, replace(HELD_ROW, booked_usd=WORST))),
        "ledger_differs",
    ),
    "an answer that the provider never gave": (replace(GOOD, requests=GOOD.requests[:2]), "ledger_differs"),
    "an intent that is left open": (
        replace(GOOD, rows=(*OTHERS, replace(HELD_ROW, state="open"))),
        "still_open",
    ),
    "a reservation that stays": (
        replace(GOOD, counters=(replace(GOOD.counters[0], reserved_usd=PRICE), *GOOD.counters[1:])),
        "budgets_differ",
    ),
    "a call that no budget knows": (replace(GOOD, counters=GOOD.counters[:2]), "budgets_differ"),
}


def violated(run: Evidence) -> set[str]:
    return {name for name, found in check(run).items() if found}


def test_a_good_run_violates_nothing() -> None:
    assert violated(GOOD) == set()


@pytest.mark.parametrize("fault", FAULTS)
def test_a_planted_fault_is_found(fault: str) -> None:
    run, invariant = FAULTS[fault]

    assert invariant in violated(run)


def test_every_invariant_has_a_fault_that_violates_it() -> None:
    assert {invariant for _, invariant in FAULTS.values()} == set(INVARIANTS)
