"""What only PostgreSQL can show of stored values: damage, others' rows, the bound of a sweep."""

import pytest

from processors.errors import ClaimLostError
from schemas.claim_check import ClaimCheck
from streams.claim_checks import redeem
from streams.store.claim_checks import SWEPT_MAX, PostgresClaimStore
from streams.store.database import Database

pytestmark = pytest.mark.integration

CONTENT = b"the event"
FOREIGN = """
INSERT INTO claim_checks (sha256, content) VALUES (encode(sha256($1), 'hex'), $1)
ON CONFLICT (sha256) DO UPDATE SET expires_at = excluded.expires_at
"""


async def test_damaged_bytes_are_told_and_put_right_by_whoever_stores_them_again(database: Database) -> None:
    store = PostgresClaimStore(database)
    check = await store.put(CONTENT)
    await database.fetch("UPDATE claim_checks SET content = $1", b"THE EVENT")

    with pytest.raises(ClaimLostError, match="damaged"):
        await redeem(store, check)
    kept = await store.keep(check)
    await store.put(CONTENT)

    assert not kept
    assert await redeem(store, check) == CONTENT


async def test_a_row_that_a_producer_inserts_by_itself_is_redeemed(database: Database) -> None:
    for _ in range(2):
        await database.fetch(FOREIGN, CONTENT)

    store = PostgresClaimStore(database)

    assert await redeem(store, ClaimCheck.of(CONTENT)) == CONTENT
    assert await store.sweep() == 0


async def test_a_sweep_deletes_a_bounded_number(database: Database) -> None:
    store = PostgresClaimStore(database, kept_s=-1.0)
    await database.fetch(
        "INSERT INTO claim_checks SELECT encode(sha256(n::text::bytea), 'hex'), '', now() - interval '1 day'"
        " FROM generate_series(1, $1::integer) n",
        SWEPT_MAX + 1,
    )

    assert [await store.sweep(), await store.sweep()] == [SWEPT_MAX, 1]
