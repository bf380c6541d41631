"""Values that are too large to travel: table `claim_checks`."""

from typing import Final

from schemas.claim_check import ClaimCheck
from streams.claim_checks import ClaimStore
from streams.store.database import Database

KEPT_S: Final = 45 * 86_400.0
"""Longer than a record is in a work topic (7 days) and then in a dead-letter topic (30 days). It begins anew
each time that a reference is sent on."""
SWEPT_MAX: Final = 500
"""Most values that one statement deletes: it must end well within the statement timeout."""


class PostgresClaimStore(ClaimStore):
    """Content-addressed: storing the same bytes twice keeps one row.

    Args:
        database: where the rows are.
        kept_s: seconds that a value is kept after it was last stored or sent on.
    """

    def __init__(self, database: Database, kept_s: float = KEPT_S) -> None:
        self._database = database
        self._kept_s = kept_s

    async def put(self, content: bytes) -> ClaimCheck:
        """Store `content`; see the port."""
        check = ClaimCheck.of(content)
        if not await self.keep(check):
            await self._database.fetch(PUT, check.sha256, content, self._kept_s)
        return check

    async def get(self, check: ClaimCheck) -> bytes | None:
        """Return the bytes, not verified; see the port."""
        row = await self._database.fetch_row(GET, check.sha256, check.size_bytes)
        return None if row is None else bytes(row["content"])

    async def keep(self, check: ClaimCheck) -> bool:
        """Keep what is stored longer; see the port."""
        return bool(await self._database.fetch(KEEP, check.sha256, self._kept_s))

    async def sweep(self) -> int:
        """Delete expired values; see the port."""
        return len(await self._database.fetch(SWEEP, SWEPT_MAX))


PUT: Final = """
INSERT INTO claim_checks (sha256, content, expires_at) VALUES ($1, $2, now() + make_interval(secs => $3))
ON CONFLICT (sha256) DO UPDATE SET content = excluded.content, expires_at = excluded.expires_at
"""

# A size that is not as the reference says is somebody else's mistake: nothing is loaded for it.
GET: Final = "SELECT content FROM claim_checks WHERE sha256 = $1 AND octet_length(content) = $2"

# Damaged bytes are not kept: whoever stores the value again puts it right.
KEEP: Final = """
UPDATE claim_checks SET expires_at = greatest(expires_at, now() + make_interval(secs => $2))
WHERE sha256 = $1 AND sha256(content) = decode($1, 'hex')
RETURNING sha256
"""

# The locks keep a value that is stored again at this moment: its row is skipped, or its new expiry is seen.
SWEEP: Final = """
DELETE FROM claim_checks WHERE sha256 IN (
    SELECT sha256 FROM claim_checks WHERE expires_at < now() ORDER BY expires_at LIMIT $1
    FOR UPDATE SKIP LOCKED
)
RETURNING sha256
"""
