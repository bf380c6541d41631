"""What is booked on budgets: table `budget_counters`, which the ledger keeps by itself."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from processors.gateway.budgets import BudgetKey, Standing
from schemas.budgets import BudgetRule, BudgetScope, BudgetWindow
from streams.store.database import Connection, Database

COUNT_S_MAX: Final = 600.0
NAMES_MAX: Final = 200
"""Most names that one rule without a name is shown for, those that spent most."""
DEAD_S: Final = 3600.0
"""A worker whose lease ended so long ago does not come back with the answers of its calls, and nobody has
asked for them since: who does counts the workers that died of a call, which a supervisor's waits between
restarts, five minutes in Kubernetes, must not outlast."""
EXPIRE_MAX: Final = 1_000
EXPIRED: Final = "the worker's lease ended long ago while the call was open"


@dataclass(frozen=True, slots=True, kw_only=True)
class CounterRow:
    """One counter in its present window.

    Attributes:
        key: which.
        simulated: whether of simulated calls.
        started_at: start of the window.
        standing: what is booked.
    """

    key: BudgetKey
    simulated: bool
    started_at: datetime
    standing: Standing


class PostgresBudgetCounters:
    """Reads the counters, makes missing ones from the ledger, and lets reservations of dead workers expire.

    Args:
        database: where they are.
    """

    def __init__(self, database: Database) -> None:
        self._database = database

    async def count(self, windows: Collection[tuple[BudgetScope, BudgetWindow]]) -> None:
        """Make those of the counters that are not kept yet; all calls wait meanwhile.

        Raises:
            StoreUnavailableError: the database is away; nothing has changed.
        """
        wanted = _columns(windows)
        if not await self._database.fetch(SELECT_MISSING, *wanted):
            return
        async with self._database.transaction() as connection:
            await _lock_ledger(connection)
            missing = await connection.fetch(SELECT_MISSING, *wanted)
            if missing:
                kept = await connection.fetch(SELECT_KEPT)
                every = {(row["scope"], row["period"]) for row in (*kept, *missing)}
                await _count_anew(connection, every)

    async def rebuild(self, windows: Collection[tuple[BudgetScope, BudgetWindow]]) -> int:
        """Make exactly those counters from the ledger and forget all others; all calls wait meanwhile.

        Returns:
            How many counters there are now.

        Raises:
            StoreUnavailableError: the database is away; nothing has changed.
        """
        async with self._database.transaction() as connection:
            await _lock_ledger(connection)
            return await _count_anew(connection, windows)

    async def current(self, rules: Sequence[BudgetRule]) -> Sequence[CounterRow]:
        """Return the counters that those rules speak of in their present windows, each once, dearest first.

        Of a rule without a name NAMES_MAX at most.

        Raises:
            StoreUnavailableError: the database is away.
        """
        rows = await self._database.fetch(
            SELECT_CURRENT,
            *([rule.scope for rule in rules], [rule.window for rule in rules], [rule.name for rule in rules]),
            NAMES_MAX,
        )
        found = [
            CounterRow(
                key=BudgetKey(BudgetScope(row["scope"]), BudgetWindow(row["period"]), row["name"]),
                simulated=row["simulated"],
                started_at=row["started_at"],
                standing=Standing(settled_usd=row["settled_usd"], reserved_usd=row["reserved_usd"]),
            )
            for row in rows
        ]
        return list(dict.fromkeys(found))

    async def expire(self) -> int:
        """Book the calls that dead workers left open at their worst case, as who asks for them next would.

        Returns:
            How many; EXPIRE_MAX at most.

        Raises:
            StoreUnavailableError: the database is away.
        """
        return len(await self._database.fetch(BOOK_DEAD, DEAD_S, EXPIRE_MAX, EXPIRED))


def _columns(windows: Collection[tuple[str, str]]) -> tuple[list[str], list[str]]:
    ordered = sorted(windows)
    return [scope for scope, _ in ordered], [window for _, window in ordered]


async def _lock_ledger(connection: Connection) -> None:
    await connection.execute(f"SET LOCAL statement_timeout = {int(COUNT_S_MAX * 1000)}")
    await connection.execute(LOCK_LEDGER, timeout=COUNT_S_MAX)


async def _count_anew(connection: Connection, windows: Collection[tuple[str, str]]) -> int:
    await connection.execute(DELETE_COUNTERS)
    await connection.execute(INSERT_WINDOWS, *_columns(windows))
    return len(await connection.fetch(COUNT, timeout=COUNT_S_MAX))


# Whoever opens or closes a call waits; whoever has is waited for. What is counted is complete.
LOCK_LEDGER: Final = "LOCK TABLE model_calls IN SHARE ROW EXCLUSIVE MODE"

SELECT_KEPT: Final = "SELECT scope, period FROM budget_windows"

SELECT_MISSING: Final = """
SELECT scope, period FROM unnest($1::text[], $2::text[]) AS wanted (scope, period)
EXCEPT SELECT scope, period FROM budget_windows
"""

# The windows go with their counters, by a trigger.
DELETE_COUNTERS: Final = "DELETE FROM budget_counters"

INSERT_WINDOWS: Final = """
INSERT INTO budget_windows (scope, period) SELECT * FROM unnest($1::text[], $2::text[])
"""

COUNT: Final = """
INSERT INTO budget_counters (scope, period, started_at, name, simulated, settled_usd, reserved_usd)
SELECT l.scope, l.period, l.started_at, l.name, m.simulated, sum(coalesce(m.cost_usd, 0)),
       sum(CASE WHEN m.state = 'open' THEN m.cost_max_usd ELSE 0 END)
FROM model_calls AS m
CROSS JOIN LATERAL budget_lines(m.tenant, m.team, m.feature, m.batch_id, m.task_id, m.opened_at) AS l
GROUP BY 1, 2, 3, 4, 5
RETURNING 1
"""

SELECT_CURRENT: Final = """
SELECT c.*
FROM unnest($1::text[], $2::text[], $3::text[]) WITH ORDINALITY AS r (scope, period, name, place)
CROSS JOIN LATERAL (
    SELECT * FROM budget_counters AS c
    WHERE c.scope = r.scope AND c.period = r.period AND c.started_at = budget_started_at(r.period, now())
      AND (r.name IS NULL OR c.name = r.name)
    ORDER BY c.settled_usd + c.reserved_usd DESC, c.name
    LIMIT $4
) AS c
ORDER BY r.place, c.settled_usd + c.reserved_usd DESC, c.name
"""

BOOK_DEAD: Final = """
WITH dead AS (
    SELECT revision, step, attempt FROM model_calls AS m
    WHERE state = 'open' AND NOT EXISTS (
        SELECT FROM workers AS w
        WHERE w.worker_id = m.worker_id AND w.lease_until > now() - make_interval(secs => $1)
    )
    LIMIT $2
    FOR UPDATE SKIP LOCKED
)
UPDATE model_calls AS m SET state = 'unknown', cost_usd = cost_max_usd, error = $3, closed_at = now()
FROM dead
WHERE m.revision = dead.revision AND m.step = dead.step AND m.attempt = dead.attempt
RETURNING 1
"""
