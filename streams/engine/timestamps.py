"""Kafka's timestamps of records as times."""

from datetime import UTC, datetime

TIMESTAMP_MS_MAX = 253_402_300_799_000
"""The last second that a `datetime` can tell."""


def moment(timestamp_ms: int | None) -> datetime:
    """Return the time (aware) of a record: from 1970 to 9999, since a producer may have sent any number."""
    return datetime.fromtimestamp(min(max(0, timestamp_ms or 0), TIMESTAMP_MS_MAX) / 1000, UTC)
