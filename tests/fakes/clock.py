from dataclasses import dataclass
from datetime import datetime, timedelta

from builders import NOW


@dataclass
class FakeClock:
    """Clock that stands still until it is moved."""

    time: datetime = NOW

    def now(self) -> datetime:
        return self.time

    def move(self, by: timedelta) -> None:
        self.time += by
