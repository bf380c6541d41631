"""Which workers are alive: a lease per worker, by the clock of the database."""

import asyncio
import logging
import os
import socket
from collections.abc import Sequence
from typing import Final

from processors.errors import StoreUnavailableError
from streams.store.database import Database

HEARTBEAT_S: Final = 2.0
LEASE_S: Final = 10.0
FORGET_S: Final = 86_400.0

logger = logging.getLogger(__name__)


class WorkerLease:
    """Says to the other workers that this one is alive.

    What a worker has claimed is safe while its lease lasts; LEASE_S seconds after its last heartbeat the
    others take it over.

    Args:
        database: where the lease is.
        worker_id: this process, never used before.
        stages: what it runs.
        heartbeat_s: seconds between two extensions.
        lease_s: seconds that one extension lasts.
    """

    def __init__(
        self,
        database: Database,
        worker_id: str,
        stages: Sequence[str],
        *,
        heartbeat_s: float = HEARTBEAT_S,
        lease_s: float = LEASE_S,
    ) -> None:
        self._database = database
        self._worker_id = worker_id
        self._stages = list(stages)
        self._heartbeat_s = heartbeat_s
        self._lease_s = lease_s

    async def register(self) -> None:
        """Take the lease, and remove workers that ended more than FORGET_S seconds ago.

        Raises:
            StoreUnavailableError: the database is away.
        """
        await self._database.fetch(DELETE_OLD, FORGET_S)
        await self.heartbeat()

    async def heartbeat(self) -> None:
        """Extend the lease; a lease that was lost meanwhile is taken again.

        Raises:
            StoreUnavailableError: the database is away.
        """
        host, pid = socket.gethostname(), os.getpid()
        await self._database.fetch(EXTEND, self._worker_id, host, pid, self._stages, self._lease_s)

    async def release(self) -> None:
        """End the lease at once: what is still claimed is free for others.

        Raises:
            StoreUnavailableError: the database is away; the lease then ends by itself.
        """
        await self._database.fetch(END, self._worker_id)

    async def run(self) -> None:
        """Extend the lease every `heartbeat_s` seconds until cancelled; an absent database is waited for."""
        while True:  # ends by cancellation only: the worker's life is its bound
            await asyncio.sleep(self._heartbeat_s)
            try:
                await self.heartbeat()
            except StoreUnavailableError as error:
                logger.warning("lease of worker %s not extended: %s", self._worker_id, error)


EXTEND: Final = """
INSERT INTO workers (worker_id, host, pid, stages, started_at, lease_until)
VALUES ($1, $2, $3, $4, now(), now() + make_interval(secs => $5))
ON CONFLICT (worker_id) DO UPDATE SET lease_until = excluded.lease_until
"""

END: Final = "UPDATE workers SET lease_until = now() WHERE worker_id = $1"

DELETE_OLD: Final = """
WITH forgotten AS (
    DELETE FROM workers WHERE lease_until < now() - make_interval(secs => $1) RETURNING worker_id
)
DELETE FROM answer_flights WHERE worker_id IN (SELECT worker_id FROM forgotten)
"""
