"""Every version of a recipe that a task was bound to: table `recipes`."""

from collections.abc import Mapping
from typing import Final

from streams.store.database import Database


class PostgresRecipeStore:
    """Recipes by name and version; a version is a digest of its content, so what is stored never changes.

    Args:
        database: where the rows are.
    """

    def __init__(self, database: Database) -> None:
        self._database = database

    async def get(self, name: str, version: str) -> Mapping[str, bytes] | None:
        """Return the files of that version by name, or None.

        Raises:
            StoreUnavailableError: the database is away.
        """
        row = await self._database.fetch_row(SELECT, name, version)
        if row is None:
            return None
        return dict(zip(row["file_names"], row["file_contents"], strict=True))

    async def put(self, name: str, version: str, files: Mapping[str, bytes]) -> None:
        """Store the files of a version; storing it again changes nothing.

        Raises:
            StoreUnavailableError: the database is away.
        """
        await self._database.fetch(INSERT, name, version, list(files), list(files.values()))


SELECT: Final = "SELECT file_names, file_contents FROM recipes WHERE name = $1 AND version = $2"

INSERT: Final = """
INSERT INTO recipes (name, version, file_names, file_contents) VALUES ($1, $2, $3, $4)
ON CONFLICT DO NOTHING
"""
