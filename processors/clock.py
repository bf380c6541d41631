"""The time of day, as a port: apart from the others, so that the gateway is imported without recipes."""

from datetime import datetime
from typing import Protocol


class Clock(Protocol):
    """The time of day."""

    def now(self) -> datetime:
        """Return the present time (aware, UTC)."""
