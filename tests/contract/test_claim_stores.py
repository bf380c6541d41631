"""Where large values are stored: the same claims hold for the fake and for PostgreSQL."""

from collections.abc import Callable

import pytest

from fakes.claim_store import FakeClaimStore
from schemas.claim_check import ClaimCheck
from streams.claim_checks import ClaimStore
from streams.store.claim_checks import PostgresClaimStore
from streams.store.database import Database

CONTENT = b'\xff\x00 {"a":  1}\r\n' * 100_000
Stores = Callable[[float], ClaimStore]


@pytest.fixture(params=["fake", pytest.param("postgres", marks=pytest.mark.integration)])
def stores(request: pytest.FixtureRequest) -> Stores:
    """Return stores that keep values for so many seconds; below 0 what is stored is expired already."""
    if request.param == "fake":
        return FakeClaimStore
    database: Database = request.getfixturevalue("database")
    return lambda kept_s: PostgresClaimStore(database, kept_s)


async def test_what_is_stored_comes_back_byte_for_byte(stores: Stores) -> None:
    store = stores(60.0)

    check = await store.put(CONTENT)

    assert check == ClaimCheck.of(CONTENT)
    assert await store.get(check) == CONTENT


async def test_storing_twice_is_harmless(stores: Stores) -> None:
    store = stores(60.0)

    checks = {(await store.put(CONTENT)).sha256 for _ in range(2)}

    assert checks == {ClaimCheck.of(CONTENT).sha256}
    assert await store.get(ClaimCheck.of(CONTENT)) == CONTENT


async def test_what_was_never_stored_is_not_there(stores: Stores) -> None:
    store = stores(60.0)

    assert await store.get(ClaimCheck.of(CONTENT)) is None
    assert not await store.keep(ClaimCheck.of(CONTENT))


async def test_a_reference_with_another_size_finds_nothing(stores: Stores) -> None:
    store = stores(60.0)
    check = await store.put(CONTENT)

    assert await store.get(check.model_copy(update={"size_bytes": 1})) is None


async def test_only_what_is_expired_is_swept(stores: Stores) -> None:
    store = stores(-60.0)
    old = await store.put(b"old")

    assert await store.sweep() == 1
    assert await store.get(old) is None
    assert await store.sweep() == 0


async def test_what_is_kept_longer_or_stored_again_is_not_swept(stores: Stores) -> None:
    store = stores(60.0)
    check = await store.put(CONTENT)

    assert await store.keep(check)
    await store.put(CONTENT)

    assert await store.sweep() == 0
    assert await store.get(check) == CONTENT
