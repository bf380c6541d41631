"""Stored recipe versions never change."""

import pytest

from streams.store.database import Database
from streams.store.recipes import PostgresRecipeStore

pytestmark = pytest.mark.integration


async def test_files_come_back_byte_for_byte_and_are_stored_once(database: Database) -> None:
    store = PostgresRecipeStore(database)
    files = {"recipe.yaml": b"name: x", "body.j2": bytes(range(256)), "empty": b""}

    await store.put("x", "0123456789ab", files)
    await store.put("x", "0123456789ab", {"other": b""})

    assert await store.get("x", "0123456789ab") == files
    assert await store.get("x", "ffffffffffff") is None
