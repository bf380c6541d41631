"""A worker stands still for longer than its session, and comes back as a zombie."""

import os
import signal
from contextlib import suppress

from ..services import SESSION_TIMEOUT_S
from .fault import Fault


class WorkerPause(Fault):
    """SIGSTOP, then SIGCONT when its partitions are with others."""

    row = "W4"
    name = "worker SIGSTOP beyond its session"
    lasts_s = (SESSION_TIMEOUT_S + 1.5, SESSION_TIMEOUT_S + 7.0)

    async def apply(self) -> None:
        """Stop a worker that runs."""
        self._pid = self.cluster.workers.pid(await self.scene.some_worker())
        self._send(signal.SIGSTOP)
        await self.scene.interrupted(self.row, self._pid)

    async def heal(self) -> None:
        """Let it go on."""
        self._send(signal.SIGCONT)

    def _send(self, number: signal.Signals) -> None:
        with suppress(ProcessLookupError):  # a kill got there first
            os.kill(self._pid, number)
