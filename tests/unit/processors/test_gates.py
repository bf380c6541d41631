"""Gates: held by several, opened by the last."""

import asyncio

import pytest

from fakes import virtual_time
from processors.gates import Gates
from schemas.scope import Scope, ScopeKind

ACME = Scope(ScopeKind.TENANT, "acme")
OPENAI = Scope(ScopeKind.PROVIDER, "openai")


def test_what_nobody_closed_is_open() -> None:
    assert Gates().why(ACME, OPENAI) is None


def test_a_scope_opens_when_the_last_holder_lets_go() -> None:
    gates = Gates()
    gates.close(ACME, "operator", "audit")
    gates.close(ACME, "breaker", "9 of 10 failed")

    gates.open(ACME, "operator")
    assert gates.why(OPENAI, ACME) == "tenant acme is closed: 9 of 10 failed"

    gates.open(ACME, "breaker")
    gates.open(ACME, "breaker")
    assert gates.why(ACME) is None
    assert gates.closed == {}


def test_a_holder_can_say_anew_all_that_it_wants_closed() -> None:
    gates = Gates()
    gates.close(ACME, "operator", "audit")
    gates.close(OPENAI, "breaker", "9 of 10 failed")

    gates.replace("operator", {OPENAI: "outage"})

    assert gates.closed == {OPENAI: ("9 of 10 failed", "outage")}


def test_who_waits_is_told_when_a_scope_opens_and_not_before_long() -> None:
    async def waited_s(opens_after_s: float) -> float:
        gates, loop = Gates(), asyncio.get_running_loop()
        gates.close(ACME, "operator", "audit")
        loop.call_later(opens_after_s, gates.open, ACME, "operator")
        started_s = loop.time()
        await gates.changed(30.0)
        return loop.time() - started_s

    assert virtual_time.run(waited_s(5.0)) == pytest.approx(5.0, abs=0.01)
    assert virtual_time.run(waited_s(60.0)) == pytest.approx(30.0, abs=0.01)
