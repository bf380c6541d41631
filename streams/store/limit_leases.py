"""What workers lend each other of a provider's limit: table `limit_leases`."""

from typing import Final

from processors.gateway.lending import LeaseTable, Standing, Terms, Wish, terms
from streams.store.database import Database

FORGET_S: Final = 3_600.0
# Any number that no other program locks: the bytes of "lend". Beside it stands the provider's name.
LOCK: Final = 0x6C656E64


class PostgresLeaseTable(LeaseTable):
    """One worker's view. Time is the database's; who writes an entry holds the provider's lock meanwhile.

    Args:
        database: where the rows are.
        worker_id: this process.
    """

    def __init__(self, database: Database, worker_id: str) -> None:
        self._database = database
        self._worker_id = worker_id

    async def exchange(self, provider: str, wish: Wish) -> Terms:
        """Write this worker's entry and return what it gets; see the port."""
        async with self._database.transaction() as connection:
            await connection.execute(TAKE_LOCK, LOCK, provider)
            rows = await connection.fetch(SELECT_OTHERS, provider, self._worker_id)
            answer = terms(
                wish,
                [
                    Standing(
                        wish=Wish(offered=row["offered"], borrowed=row["borrowed"], hungry=row["hungry"]),
                        left_s=row["left_s"],
                    )
                    for row in rows
                ],
            )
            entry = (wish.offered, answer.written, wish.hungry, answer.lasts_s)
            await connection.execute(WRITE, provider, self._worker_id, *entry, FORGET_S)
        return answer


TAKE_LOCK: Final = "SELECT pg_advisory_xact_lock($1, hashtext($2))"

# The transaction's own time stood still while it waited for the lock; clock_timestamp() did not.
SELECT_OTHERS: Final = """
SELECT offered, borrowed, hungry, extract(epoch FROM until - clock_timestamp())::double precision AS left_s
FROM limit_leases
WHERE provider = $1 AND worker_id <> $2 AND until > clock_timestamp()
"""

WRITE: Final = """
WITH forgotten AS (
    DELETE FROM limit_leases WHERE until < clock_timestamp() - make_interval(secs => $7)
)
INSERT INTO limit_leases (provider, worker_id, offered, borrowed, hungry, until)
VALUES ($1, $2, $3, $4, $5, clock_timestamp() + make_interval(secs => $6))
ON CONFLICT (provider, worker_id) DO UPDATE
SET offered = excluded.offered, borrowed = excluded.borrowed, hungry = excluded.hungry, until = excluded.until
"""
