"""What persons hold back, as one worker applies it to its gates."""

import logging
from collections.abc import Callable, Iterable

from aiokafka.errors import KafkaError
from mode import Service

from processors.gates import Gates
from schemas.base import Stage
from schemas.control import ScopeChanged
from schemas.scope import Scope, ScopeKind
from streams.control_topic import ControlTail, PlacedChange

OPERATOR = "operator"
"""The holder of the gates that persons close."""
POLL_ERROR_S = 1.0

log = logging.getLogger(__name__)


class HeldScopes:
    """The scopes that are closed after the changes applied so far."""

    def __init__(self) -> None:
        self.offset = -1
        self._held: dict[Scope, ScopeChanged] = {}

    @property
    def held(self) -> tuple[ScopeChanged, ...]:
        """The change that closed each closed scope, the longest closed first."""
        return tuple(sorted(self._held.values(), key=lambda change: change.at))

    def apply(self, changes: Iterable[PlacedChange]) -> None:
        """Follow changes, in the order of their offsets."""
        for placed in changes:
            self.offset = placed.offset
            self._held.pop(placed.change.scope, None)
            if placed.change.closed:
                self._held[placed.change.scope] = placed.change

    def closed_for(self, worker_id: str) -> dict[Scope, str]:
        """Return what a worker keeps closed, with the reasons; held itself, it closes all its stages."""
        closed: dict[Scope, str] = {}
        for change in self.held:
            if change.kind is not ScopeKind.WORKER:
                closed[change.scope] = _why(change)
            elif change.name == worker_id:
                closed |= {Scope(ScopeKind.STAGE, stage): _why(change) for stage in Stage}
        return closed


class ControlReader(Service):  # type: ignore[misc] # mode ships no types
    """Applies the control topic to a worker's gates: all of it before the start is done, then as it grows.

    Args:
        tail: the topic.
        worker_id: this worker.
        gates: what it closes and opens.
        on_resumed: told each scope that a person lets go on.
    """

    def __init__(
        self, tail: ControlTail, worker_id: str, gates: Gates, on_resumed: Callable[[Scope], None]
    ) -> None:
        super().__init__()
        self.scopes = HeldScopes()
        self._tail = tail
        self._worker_id = worker_id
        self.gates = gates
        self._on_resumed = on_resumed

    async def on_start(self) -> None:
        """Read what is held back; a worker that does not know it must not take work.

        Raises:
            KafkaError: the topic cannot be read to its end.
        """
        await self._tail.start()
        self._apply(await self._tail.read_to_end())

    async def on_stop(self) -> None:
        """Disconnect."""
        await self._tail.stop()

    @Service.task  # type: ignore[untyped-decorator]
    async def _follow(self) -> None:
        while not self.should_stop:
            try:
                self._apply(await self._tail.poll())
            except KafkaError as error:
                log.warning("the control topic could not be read, will try again: %r", error)
                await self.sleep(POLL_ERROR_S)

    def _apply(self, changes: list[PlacedChange]) -> None:
        if not changes:
            return
        self.scopes.apply(changes)
        self.gates.replace(OPERATOR, self.scopes.closed_for(self._worker_id))
        for placed in changes:
            if not placed.change.closed:
                self._on_resumed(placed.change.scope)
            log.info("control: %s %s by %s", placed.change.scope, placed.change.action, placed.change.by)


def _why(change: ScopeChanged) -> str:
    reason = f": {change.why}" if change.why else ""
    return f"{change.action} by {change.by} at {change.at:%Y-%m-%d %H:%M:%S %Z}{reason}"
