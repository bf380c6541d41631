"""Why each worker waits: table `worker_reports`."""

from typing import Final

import orjson

from schemas.why import WorkerWhy
from streams.store.database import Database, Row


class PostgresReports:
    """The newest report of each worker.

    Args:
        database: where the rows are.
    """

    def __init__(self, database: Database) -> None:
        self._database = database

    async def put(self, report: WorkerWhy) -> None:
        """Replace the worker's report; without a lease there is nothing to tell.

        Raises:
            StoreUnavailableError: the database is away.
        """
        await self._database.fetch(PUT, report.worker_id, report.model_dump(mode="json"))

    async def live(self) -> tuple[WorkerWhy, ...]:
        """Return the reports of the workers that are alive; one that has not reported yet follows nothing.

        Raises:
            StoreUnavailableError: the database is away.
        """
        rows = await self._database.fetch(SELECT_LIVE)
        return tuple(_report(row) for row in rows)


def _report(row: Row) -> WorkerWhy:
    if row["report"] is None:
        return WorkerWhy(worker_id=row["worker_id"], at=row["started_at"], control_offset=-1, stages=())
    return WorkerWhy.model_validate_json(orjson.dumps(row["report"]))


PUT: Final = """
INSERT INTO worker_reports (worker_id, report, reported_at)
SELECT worker_id, $2, now() FROM workers WHERE worker_id = $1
ON CONFLICT (worker_id) DO UPDATE SET report = excluded.report, reported_at = excluded.reported_at
"""

SELECT_LIVE: Final = """
SELECT worker_id, started_at, report FROM workers LEFT JOIN worker_reports USING (worker_id)
WHERE lease_until > now() ORDER BY worker_id
"""
