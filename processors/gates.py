"""Gates: which scopes are closed now, by whom and why. One object for all stages of a worker."""

import asyncio
from collections.abc import Mapping

from schemas.scope import Scope


class Gates:
    """Every scope is open until somebody closes it, and open again when everybody has let go of it.

    Closing holds work back and loses nothing: a record whose scope is closed waits where it is.
    """

    def __init__(self) -> None:
        self._closed: dict[Scope, dict[str, str]] = {}
        self._waiting: set[asyncio.Future[None]] = set()

    @property
    def any_closed(self) -> bool:
        """Whether anything is closed."""
        return bool(self._closed)

    @property
    def closed(self) -> dict[Scope, tuple[str, ...]]:
        """The closed scopes, each with the reasons of those who hold it closed."""
        return {scope: tuple(holders.values()) for scope, holders in self._closed.items()}

    def close(self, scope: Scope, holder: str, why: str) -> None:
        """Close `scope` in the name of `holder`; doing so again replaces the reason.

        Args:
            scope: what to hold back.
            holder: who closes it, such as `operator` or `breaker`.
            why: one line for whoever asks why nothing moves.
        """
        self._closed.setdefault(scope, {})[holder] = why

    def open(self, scope: Scope, holder: str) -> None:
        """Let go of `scope`; it stays closed while another holder has it."""
        holders = self._closed.get(scope, {})
        holders.pop(holder, None)
        if not holders and self._closed.pop(scope, None) is not None:
            self._wake()

    def replace(self, holder: str, closed: Mapping[Scope, str]) -> None:
        """Let `holder` hold closed exactly what `closed` says, each scope with its reason."""
        held = [scope for scope, holders in self._closed.items() if holder in holders]
        for scope, why in closed.items():
            self.close(scope, holder, why)
        for scope in held:
            if scope not in closed:
                self.open(scope, holder)

    def holders(self, scope: Scope) -> Mapping[str, str]:
        """Return who holds `scope` closed, each with the reason; nobody when it is open."""
        return dict(self._closed.get(scope, {}))

    def why(self, *scopes: Scope) -> str | None:
        """Return why one of `scopes` is closed, the first in their order, or None when all are open."""
        for scope in scopes:
            holders = self._closed.get(scope)
            if holders:
                return f"{scope} is closed: {next(iter(holders.values()))}"
        return None

    async def changed(self, seconds_max: float) -> None:
        """Wait until some scope opens, `seconds_max` seconds at most."""
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.add(turn)
        try:
            await asyncio.wait((turn,), timeout=seconds_max)
        finally:
            self._waiting.discard(turn)

    def _wake(self) -> None:
        for turn in self._waiting:
            if not turn.done():
                turn.set_result(None)
