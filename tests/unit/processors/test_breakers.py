"""Breakers: open past the ratio, probed half-open, closed again; nobody else is touched."""

from dataclasses import dataclass

import pytest
from hypothesis import given
from hypothesis import strategies as st

from processors import breakers as module
from processors.breakers import BreakerRules, Breakers
from processors.errors import ScopeClosedError
from schemas.scope import Scope, ScopeKind

OPENAI = Scope(ScopeKind.PROVIDER, "openai")
GEMINI = Scope(ScopeKind.PROVIDER, "gemini")
RULES = BreakerRules(outcomes=10, failure_ratio=0.5, window_s=60.0, open_s=10.0, open_s_max=40.0, probes=2)


@dataclass
class Time:
    now_s: float = 1000.0

    def __call__(self) -> float:
        return self.now_s


def work(breakers: Breakers, scope: Scope, *, fails: bool) -> None:
    with breakers.admitted([scope]) as admission:
        if fails:
            admission.fail()
        else:
            admission.succeed()


def is_let_through(breakers: Breakers, scope: Scope) -> bool:
    try:
        with breakers.admitted([scope]):
            return True
    except ScopeClosedError:
        return False


def opened(time: Time) -> Breakers:
    breakers = Breakers(RULES, time)
    for number in range(10):
        work(breakers, OPENAI, fails=number % 2 == 0)
    return breakers


def test_half_of_the_last_outcomes_failing_opens_it_and_no_other() -> None:
    breakers = opened(Time())

    with pytest.raises(ScopeClosedError, match="provider openai: 5 of the last 10 failed") as refused:
        work(breakers, OPENAI, fails=False)
    assert (refused.value.scope, refused.value.retry_after_s) == (OPENAI, 10.0)
    assert is_let_through(breakers, GEMINI)
    assert list(breakers.open) == [OPENAI]


def test_a_few_outcomes_are_not_judged_and_old_ones_do_not_count() -> None:
    time = Time()
    breakers = Breakers(RULES, time)
    for _ in range(9):
        work(breakers, OPENAI, fails=True)
    few = is_let_through(breakers, OPENAI)
    time.now_s += 61

    work(breakers, OPENAI, fails=True)

    assert (few, is_let_through(breakers, OPENAI)) == (True, True)


def test_when_half_open_only_the_probes_pass_and_their_success_closes_it() -> None:
    time = Time()
    breakers = opened(time)
    time.now_s += 10

    with breakers.admitted([OPENAI]) as one, breakers.admitted([OPENAI]) as two:
        third = is_let_through(breakers, OPENAI)
        one.succeed()
        two.succeed()

    assert not third
    assert breakers.open == {}
    work(breakers, OPENAI, fails=True)
    assert is_let_through(breakers, OPENAI)


def test_a_failed_probe_opens_it_for_twice_as_long_up_to_the_bound() -> None:
    time = Time()
    breakers = opened(time)
    waits = [10.0]
    for _ in range(4):
        time.now_s += waits[-1]
        work(breakers, OPENAI, fails=True)
        with pytest.raises(ScopeClosedError) as refused:
            work(breakers, OPENAI, fails=True)
        waits.append(refused.value.retry_after_s or 0.0)

    assert waits == [10.0, 20.0, 40.0, 40.0, 40.0]


def test_a_probe_that_says_nothing_leaves_its_place_to_another() -> None:
    time = Time()
    breakers = opened(time)
    time.now_s += 10
    for _ in range(5):
        with breakers.admitted([OPENAI]):
            pass

    assert is_let_through(breakers, OPENAI)


def test_what_began_before_it_opened_does_not_close_it() -> None:
    time = Time()
    breakers = Breakers(RULES, time)
    with breakers.admitted([OPENAI]) as early:
        for _ in range(10):
            work(breakers, OPENAI, fails=True)
        early.succeed()

    assert not is_let_through(breakers, OPENAI)


def test_a_reset_breaker_is_closed() -> None:
    breakers = opened(Time())

    breakers.reset(OPENAI)

    assert is_let_through(breakers, OPENAI)


def test_idle_breakers_are_forgotten_and_open_ones_are_not(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "SCOPES_MAX", 3)
    breakers = opened(Time())

    for number in range(20):
        work(breakers, Scope(ScopeKind.TENANT, str(number)), fails=False)

    assert len(breakers._breakers) == 3
    assert not is_let_through(breakers, OPENAI)


STEPS = st.lists(st.tuples(st.sampled_from(["ok", "fail", "nothing", "wait"]), st.floats(0.1, 30.0)))


@given(STEPS)
def test_every_scope_is_tried_again_in_the_end(steps: list[tuple[str, float]]) -> None:
    time = Time()
    breakers = Breakers(RULES, time)
    for step, seconds in steps:
        time.now_s += seconds if step == "wait" else 0.0
        if step == "nothing":
            is_let_through(breakers, OPENAI)
        elif step != "wait" and is_let_through(breakers, OPENAI):
            work(breakers, OPENAI, fails=step == "fail")

    time.now_s += RULES.open_s_max
    assert is_let_through(breakers, OPENAI)
    assert all(breaker.probing == 0 for breaker in breakers._breakers.values())
