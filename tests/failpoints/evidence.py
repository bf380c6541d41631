"""What a run leaves behind: the checker sees this and nothing else."""

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal

from chaos.artefacts import CallId

from .plan import Round


@dataclass(frozen=True, slots=True, kw_only=True)
class Ended:
    """A round that was played.

    Attributes:
        round: which one.
        killed_exit: how its first worker ended: below 0 by that signal.
        finished_exit: how its second worker ended.
    """

    round: Round
    killed_exit: int
    finished_exit: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """A request as the provider saw it.

    Attributes:
        call: what the caller named it.
        at_s: wall time of its arrival in seconds.
        outcome: how it ended, in the words of the provider's log.
        billed_usd: what the provider asks for it, whether or not its answer was read.
    """

    call: CallId
    at_s: float
    outcome: str
    billed_usd: Decimal


@dataclass(frozen=True, slots=True, kw_only=True)
class LedgerRow:
    """A row of `model_calls`.

    Attributes:
        call: which attempt.
        state: open, answered, failed or unknown.
        booked_usd: its price, or its worst case while there is none.
        opened_at_s: wall time of its intent in seconds.
        usage_estimated: whether the provider gave no count of tokens that can be true.
        tenant: who pays.
        task_id: what for.
    """

    call: CallId
    state: str
    booked_usd: Decimal
    opened_at_s: float
    usage_estimated: bool
    tenant: str
    task_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Counter:
    """What is booked on a budget, in US dollars."""

    scope: str
    name: str
    settled_usd: Decimal
    reserved_usd: Decimal


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """All of it.

    Attributes:
        opened: intents that killed workers were told are durable.
        answered: answers that killed workers were told are durable.
    """

    rounds: tuple[Ended, ...] = ()
    requests: tuple[Request, ...] = ()
    rows: tuple[LedgerRow, ...] = ()
    counters: tuple[Counter, ...] = ()
    opened: frozenset[CallId] = frozenset()
    answered: frozenset[CallId] = frozenset()

    @property
    def requests_of(self) -> Mapping[CallId, tuple[Request, ...]]:
        """Return the requests by attempt."""
        found: dict[CallId, tuple[Request, ...]] = {}
        for request in self.requests:
            found[request.call] = (*found.get(request.call, ()), request)
        return found
