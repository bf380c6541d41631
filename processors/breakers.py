"""Circuit breakers by scope: what fails past a ratio is left alone for a while, then probed.

    closed ── failures ≥ ratio of the last outcomes ──▶ open ── open_s passed ──▶ half-open
       ▲                                                  ▲                          │
       │                                                  └── a probe failed ────────┤ open_s doubles
       └───────────────────────── all probes succeeded ──────────────────────────────┘

Source: M. Nygard, Release It!, and https://learn.microsoft.com/azure/architecture/patterns/circuit-breaker
"""

import math
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from processors.errors import ScopeClosedError
from schemas.scope import Scope

SCOPES_MAX = 10_000
"""Breakers remembered at once; the longest unused closed one is forgotten first."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BreakerRules:
    """When a breaker opens, and for how long.

    Attributes:
        outcomes: how many of the last outcomes count; none is judged before there are so many.
        failure_ratio: share of failures among them (0 to 1) at which it opens.
        window_s: outcomes older than this, in seconds, do not count.
        open_s: seconds that it stays open at first; they double each time that a probe fails.
        open_s_max: most seconds that it stays open.
        probes: how many are let through at once when it is half-open; all must succeed.
    """

    outcomes: int = 20
    failure_ratio: float = 0.5
    window_s: float = 60.0
    open_s: float = 10.0
    open_s_max: float = 300.0
    probes: int = 3


@dataclass(slots=True, eq=False)
class _Breaker:
    outcomes: deque[tuple[float, bool]]
    open_until_s: float | None = None
    failed_s: float = -math.inf
    open_s: float = 0.0
    probing: int = 0
    passed: int = 0
    why: str = ""


@dataclass(slots=True, eq=False)
class Admission:
    """What is said of one piece of work at its end; what nobody says anything of counts as nothing.

    Attributes:
        probe: whether it was let through to see if a breaker may close.
        failed: how it ended.
    """

    probe: bool
    failed: bool | None = None

    def succeed(self) -> None:
        """It did what it should."""
        self.failed = False

    def fail(self) -> None:
        """It failed in a way that speaks against its scopes."""
        self.failed = True


class Breakers:
    """One breaker for each scope that was ever asked for.

    Args:
        rules: when they open and for how long.
        now_s: monotonic seconds.
    """

    def __init__(self, rules: BreakerRules, now_s: Callable[[], float]) -> None:
        self._rules = rules
        self._now_s = now_s
        self._breakers: dict[Scope, _Breaker] = {}

    @property
    def open(self) -> Mapping[Scope, str]:
        """The scopes that are not closed, each with the reason."""
        return {
            scope: breaker.why
            for scope, breaker in self._breakers.items()
            if breaker.open_until_s is not None
        }

    @contextmanager
    def admitted(self, scopes: Sequence[Scope]) -> Iterator[Admission]:
        """Let one piece of work through; its outcome counts for every one of `scopes`.

        Raises:
            ScopeClosedError: a scope is open, or half-open with its probes under way.
        """
        breakers = [(scope, self._breaker(scope)) for scope in scopes]
        for scope, _ in breakers:
            if (refusal := self.refusal(scope)) is not None:
                raise refusal
        probes = [breaker for _, breaker in breakers if breaker.open_until_s is not None]
        for breaker in probes:
            breaker.probing += 1
        admission = Admission(probe=bool(probes))
        try:
            yield admission
        finally:
            for breaker in probes:
                breaker.probing -= 1
            if admission.failed is not None:
                for scope, breaker in breakers:
                    self._record(scope, breaker, failed=admission.failed, probe=breaker in probes)

    def refusal(self, scope: Scope) -> ScopeClosedError | None:
        """Return what keeps work of `scope` out now, or None when it would be let through."""
        breaker = self._breakers.get(scope)
        if breaker is None or breaker.open_until_s is None:
            return None
        left_s = breaker.open_until_s - self._now_s()
        if left_s <= 0 and breaker.probing < self._rules.probes - breaker.passed:
            return None
        return ScopeClosedError(scope, breaker.why, retry_after_s=max(left_s, 0.0))

    def fail(self, scopes: Sequence[Scope]) -> None:
        """Count a failure of work that was let through before."""
        for scope in scopes:
            breaker = self._breaker(scope)
            self._record(scope, breaker, failed=True, probe=breaker.open_until_s is not None)

    def reset(self, scope: Scope) -> None:
        """Forget everything about `scope`: it is closed again."""
        self._breakers.pop(scope, None)

    def _breaker(self, scope: Scope) -> _Breaker:
        breaker = self._breakers.pop(scope, None) or _Breaker(deque(maxlen=self._rules.outcomes))
        self._breakers[scope] = breaker  # whoever was asked for last stands last
        if len(self._breakers) > SCOPES_MAX:
            idle = next((s for s, b in self._breakers.items() if b.open_until_s is None), scope)
            del self._breakers[idle]
        return breaker

    def _record(self, scope: Scope, breaker: _Breaker, *, failed: bool, probe: bool) -> None:
        if probe:
            self._record_probe(breaker, failed=failed)
            return
        if breaker.open_until_s is not None:
            return  # it began before the breaker opened: the probes decide
        now_s = self._now_s()
        breaker.outcomes.append((now_s, failed))
        if failed:
            breaker.failed_s = now_s
        elif breaker.failed_s < now_s - self._rules.window_s:
            return  # nearly always: nothing that counts has failed, and nothing needs counting
        recent = [was for at_s, was in breaker.outcomes if at_s >= now_s - self._rules.window_s]
        failures = sum(recent)
        if len(recent) >= self._rules.outcomes and failures >= self._rules.failure_ratio * len(recent):
            breaker.why = f"breaker of {scope}: {failures} of the last {len(recent)} failed"
            self._open(breaker, self._rules.open_s)

    def _record_probe(self, breaker: _Breaker, *, failed: bool) -> None:
        if breaker.open_until_s is None or breaker.open_until_s > self._now_s():
            return  # another probe has decided already
        if failed:
            self._open(breaker, min(self._rules.open_s_max, 2 * breaker.open_s))
            return
        breaker.passed += 1
        if breaker.passed >= self._rules.probes:
            breaker.outcomes.clear()
            breaker.open_until_s = None

    def _open(self, breaker: _Breaker, open_s: float) -> None:
        breaker.open_s = open_s
        breaker.open_until_s = self._now_s() + open_s
        breaker.passed = 0
