"""How long a phase is waited for: while anything moves, but not for ever."""

import time
from collections.abc import Callable

from streams.embedded.kafka import START_S_MAX

STALL_S_MAX = 2 * START_S_MAX
"""Without a sign of life: a lone broker that is started anew holds everything up."""
PHASE_S, FAULT_S, TASK_S = 600.0, 60.0, 0.5
"""What a phase may take in all, and for each fault and each task: far more than two idle cores need."""


class Patience:
    """Ends when nothing moves any more, or when it took too long though something does.

    Args:
        tasks: how many there are.
        faults: how many strike.
        clock: time in seconds; it may begin anywhere.
    """

    def __init__(self, tasks: int, faults: int, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._most_s = PHASE_S + FAULT_S * faults + TASK_S * tasks
        self._began_s = self._moved_s = clock()
        self._seen: object = None

    def ended(self, seen: object) -> str | None:
        """Return why it is over, or None while it is not.

        Args:
            seen: how far all is; the same as the last time means that nothing has moved.
        """
        now_s = self._clock()
        if seen != self._seen:
            self._seen, self._moved_s = seen, now_s
        if now_s - self._moved_s >= STALL_S_MAX:
            return f"nothing moved for {STALL_S_MAX:.0f} s"
        if now_s - self._began_s >= self._most_s:
            return f"not at its end after {self._most_s:.0f} s, though something still moves"
        return None
