"""Telling all workers which calls have closed, by PostgreSQL's NOTIFY."""

import asyncio
import logging
from hashlib import blake2b
from typing import Final

from processors.errors import StoreUnavailableError
from processors.gateway.journal import CallKey
from streams.store.database import Database

CHANNEL: Final = "pressline_call_closed"
TOKEN_CHARS: Final = 16
TOKENS_MAX: Final = 400
"""Tokens of one notification: 6,400 bytes. PostgreSQL takes less than 8,000.

Source: https://www.postgresql.org/docs/current/sql-notify.html
"""

PAUSE_S: Final = 0.02

logger = logging.getLogger(__name__)


class ClosingNotices:
    """Sends notices of closed calls, in groups: at once when it was quiet, else every PAUSE_S seconds.

    NOTIFY takes a lock of the whole server from its statement to its commit. In the statement that closes a
    call, that would make all workers' flushes of the disk queue up; in one of its own it flushes nothing. A
    notice that is lost, by a crash between the two, costs who waits a moment: see `Closings`.

    Args:
        database: where to send.
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        self._pending: set[str] = set()
        self._sending: asyncio.Task[None] | None = None

    def closed(self, key: CallKey) -> None:
        """Say soon that the call has closed; waits for nothing."""
        self._pending.add(token(key))
        if self._sending is None or self._sending.done():
            self._sending = asyncio.create_task(self._send_all())

    async def _send_all(self) -> None:
        while self._pending:  # each round takes all; ends when nothing closed meanwhile
            tokens, self._pending = sorted(self._pending), set()
            groups = [tokens[at : at + TOKENS_MAX] for at in range(0, len(tokens), TOKENS_MAX)]
            try:
                await self._database.fetch(NOTIFY, CHANNEL, ["".join(group) for group in groups])
            except StoreUnavailableError as error:
                logger.warning("notices of %d closed calls were not sent: %s", len(tokens), error)
            await asyncio.sleep(PAUSE_S)


def token(key: CallKey) -> str:
    """Return what stands for the call in a notice. Two calls of one token only make one look in vain."""
    return blake2b(f"{key.revision}\n{key.step}".encode(), digest_size=TOKEN_CHARS // 2).hexdigest()


def tokens_of(payload: str) -> list[str]:
    """Return the tokens of one notification."""
    return [payload[at : at + TOKEN_CHARS] for at in range(0, len(payload), TOKEN_CHARS)]


NOTIFY: Final = "SELECT pg_notify($1, payload) FROM unnest($2::text[]) AS payload"
