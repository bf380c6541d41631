"""Notices of closed calls go out in groups."""

import asyncio
from typing import cast

from processors.errors import StoreUnavailableError
from processors.gateway.journal import CallKey
from streams.store.closing_notices import (
    TOKEN_CHARS,
    TOKENS_MAX,
    ClosingNotices,
    token,
    tokens_of,
)
from streams.store.database import Database

PAYLOAD_BYTES = 8_000
"""PostgreSQL takes less than this. Source: https://www.postgresql.org/docs/current/sql-notify.html"""


class HearingDatabase:
    """Keeps the payloads of each statement."""

    def __init__(self) -> None:
        self.sent: list[list[str]] = []
        self.error: Exception | None = None

    async def fetch(self, _sql: str, _channel: str, payloads: list[str]) -> list[object]:
        if self.error is not None:
            raise self.error
        self.sent.append(payloads)
        return []


def keys(count: int) -> list[CallKey]:
    return [CallKey(revision="r" * 20, step=f"step{number}") for number in range(count)]


async def sent(notices: ClosingNotices) -> None:
    assert notices._sending is not None
    await notices._sending


async def test_what_closes_meanwhile_goes_together() -> None:
    database = HearingDatabase()
    notices = ClosingNotices(cast("Database", database))
    first, *later = keys(5)

    notices.closed(first)
    await asyncio.sleep(0)
    for key in later:
        notices.closed(key)
    await sent(notices)

    assert [[len(tokens_of(payload)) for payload in payloads] for payloads in database.sent] == [[1], [4]]


async def test_a_payload_is_never_larger_than_postgresql_takes() -> None:
    database = HearingDatabase()
    notices = ClosingNotices(cast("Database", database))
    closed = keys(2 * TOKENS_MAX + 1)

    for key in closed:
        notices.closed(key)
    await sent(notices)

    [payloads] = database.sent
    assert max(len(payload.encode()) for payload in payloads) < PAYLOAD_BYTES
    heard = [each for payload in payloads for each in tokens_of(payload)]
    assert sorted(heard) == sorted(token(key) for key in closed)


async def test_a_store_that_is_away_loses_notices_and_the_next_are_sent() -> None:
    database = HearingDatabase()
    notices = ClosingNotices(cast("Database", database))
    lost, told = keys(2)

    database.error = StoreUnavailableError("away")
    notices.closed(lost)
    await sent(notices)
    database.error = None
    notices.closed(told)
    await sent(notices)

    assert database.sent == [[token(told)]]


def test_a_token_is_of_one_length_whatever_the_key() -> None:
    assert {len(token(CallKey(revision="r", step="s" * length))) for length in (1, 200)} == {TOKEN_CHARS}
