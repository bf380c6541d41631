"""Entries of what is lent, by the clock of the database."""

import pytest

from processors.gateway.lending import LEASE_S, Wish
from streams.store.database import Database
from streams.store.limit_leases import FORGET_S, PostgresLeaseTable

pytestmark = pytest.mark.integration

OFFER = Wish(offered=0.4, borrowed=0.0, hungry=False)
WANT = Wish(offered=0.0, borrowed=0.0, hungry=True)
END_IN = "UPDATE limit_leases SET until = clock_timestamp() + make_interval(secs => $1)"


async def test_an_offer_that_has_ended_is_not_lent(database: Database) -> None:
    await PostgresLeaseTable(database, "crashed").exchange("p", OFFER)
    await database.fetch(END_IN, -0.001)

    answer = await PostgresLeaseTable(database, "busy").exchange("p", WANT)

    assert (answer.borrowed, answer.lasts_s) == (0.0, LEASE_S)


async def test_a_loan_ends_with_the_offer_that_it_comes_from(database: Database) -> None:
    await PostgresLeaseTable(database, "crashed").exchange("p", OFFER)
    await database.fetch(END_IN, 3.0)

    answer = await PostgresLeaseTable(database, "busy").exchange("p", WANT)

    assert 0 < answer.lasts_s <= 3.0


async def test_entries_that_ended_long_ago_are_removed(database: Database) -> None:
    await PostgresLeaseTable(database, "old").exchange("p", OFFER)
    await database.fetch(END_IN, -FORGET_S - 1.0)

    await PostgresLeaseTable(database, "new").exchange("p", OFFER)

    assert [row["worker_id"] for row in await database.fetch("SELECT worker_id FROM limit_leases")] == ["new"]
