"""Every worker is restarted, one after the other."""

from .fault import Fault


class RollingRestart(Fault):
    """SIGTERM and a new process, in turn, as a release does it."""

    row = "W7"
    name = "rolling restart"

    async def apply(self) -> None:
        """Restart each worker that runs; the next one when the last is back."""
        workers = self.cluster.workers
        for number in workers.living:
            await workers.terminate(number)
            workers.start(number)
            await workers.ready(number)
