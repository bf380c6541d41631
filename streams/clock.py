"""The wall clock; the Clock port's real side."""

from datetime import UTC, datetime


class SystemClock:
    """The machine's clock."""

    def now(self) -> datetime:
        """Return the present time (aware, UTC)."""
        return datetime.now(UTC)
