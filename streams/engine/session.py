"""How long a consumer group surely counts on a member: a session after its last answered heartbeat went out.

A member that is cut off from its brokers hears of nothing, not even that others have its partitions by now.
What is its own only together with them, it gives up when its session ends. The broker counts from the moment
at which the heartbeat came, so it never gives partitions away earlier.
Source: https://kafka.apache.org/documentation/#consumerconfigs_session.timeout.ms
"""

import asyncio
import logging
import math
from collections.abc import Callable

log = logging.getLogger(__name__)


class Session:
    """A member's share of the partitions, for as long as it can be sure of it.

    Args:
        group: consumer group, for the log.
        timeout_s: session time-out, in seconds.
        on_share: told the share (0 to 1) that may be used now: at each `give_up` and `hold`, when the
            session ends, and when it goes on.
    """

    def __init__(self, group: str, timeout_s: float, on_share: Callable[[float], None]) -> None:
        self._group = group
        self._timeout_s = timeout_s
        self._on_share = on_share
        self._share = 0.0
        self._sure = True
        self._given_up_s = -math.inf
        self._ending: asyncio.TimerHandle | None = None

    def give_up(self) -> None:
        """Have no share any more: the member leaves, or is about to join anew."""
        self._share = 0.0
        self._given_up_s = asyncio.get_running_loop().time()
        self._tell(self._given_up_s)

    def hold(self, share: float) -> None:
        """Have that share, which the group has given since it was given up."""
        self._share = share
        # The answer may have come late: all that is sure is that the group knew the member since it asked.
        self._tell(self._given_up_s)

    def answered(self, sent_s: float) -> None:
        """Go on: the group has answered a heartbeat that went out at `sent_s` (monotonic)."""
        if self._sure:
            self._end_at(sent_s + self._timeout_s)
        elif self._lasts(sent_s):
            log.info("%s: heartbeats are answered again, share %.3f", self._group, self._share)
            self._tell(sent_s)

    def _tell(self, known_s: float) -> None:
        self._sure = self._lasts(known_s)
        self._on_share(self._share if self._sure else 0.0)
        self._end_at(known_s + self._timeout_s)

    def _lasts(self, known_s: float) -> bool:
        return known_s + self._timeout_s > asyncio.get_running_loop().time()

    def _end_at(self, at_s: float) -> None:
        if self._ending is not None:
            self._ending.cancel()
            self._ending = None
        if self._share and self._sure:
            self._ending = asyncio.get_running_loop().call_at(at_s, self._end)

    def _end(self) -> None:
        self._sure = False
        log.warning(
            "%s: no heartbeat was answered in %g s, expected one: the share of limits rests until one is",
            *(self._group, self._timeout_s),
        )
        self._on_share(0.0)
