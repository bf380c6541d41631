"""Playing rounds: each worker is a fork of this process, which has imported everything and holds nothing."""

import gc
import multiprocessing
from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from multiprocessing.connection import wait
from multiprocessing.context import ForkProcess

from .bench import Bench
from .evidence import Ended
from .plan import Round
from .records import a_recipe
from .worker import work

AT_ONCE = 8
"""More than there are cores: most of a round is waiting for a dead worker's lease to end."""

WORKER_S_MAX = 60.0
TOLD_EVERY = 100

_FORK = multiprocessing.get_context("fork")


def play(bench: Bench, rounds: Iterable[Round], tell: Callable[[str], None] = lambda _: None) -> list[Ended]:
    """Play all rounds, AT_ONCE of them at a time: a worker that is killed, then one that finishes its work.

    Args:
        bench: what they run on.
        rounds: which.
        tell: told how far it is.

    Raises:
        TimeoutError: none of the workers ended within WORKER_S_MAX.
    """
    waiting, ended = deque(rounds), list[Ended]()
    for steps in {planned.steps for planned in waiting}:
        a_recipe(steps)  # compiled here once, not in each fork
    running: list[_Worker] = []
    gc.freeze()  # what a fork only reads stays shared
    try:
        while waiting or running:  # every turn starts or ends a worker, or gives up
            while waiting and len(running) < AT_ONCE:
                running.append(_start(bench, waiting.popleft()))
            for worker in _ended(running):
                exit_code = worker.process.exitcode or 0
                if worker.killed_exit is None:
                    running.append(_start(bench, worker.round, exit_code))
                    continue
                ended.append(
                    Ended(round=worker.round, killed_exit=worker.killed_exit, finished_exit=exit_code)
                )
                if len(ended) % TOLD_EVERY == 0:
                    tell(f"{len(ended)} kills")
    finally:
        gc.unfreeze()
        for worker in running:
            worker.process.kill()
    return ended


@dataclass(frozen=True, slots=True, eq=False)
class _Worker:
    """A worker that runs; `killed_exit` is how the one before it ended, None for a round's first."""

    round: Round
    process: ForkProcess
    killed_exit: int | None


def _start(bench: Bench, planned: Round, killed_exit: int | None = None) -> _Worker:
    process = _FORK.Process(target=work, args=(bench, planned), kwargs={"dies": killed_exit is None})
    process.start()
    return _Worker(planned, process, killed_exit)


def _ended(running: list[_Worker]) -> list[_Worker]:
    """Wait for the next workers to end, and take them out."""
    sentinels = wait([worker.process.sentinel for worker in running], WORKER_S_MAX)
    if not sentinels:
        raise TimeoutError(f"none of {len(running)} workers ended within {WORKER_S_MAX} s")
    ended = [worker for worker in running if worker.process.sentinel in sentinels]
    for worker in ended:
        running.remove(worker)
        worker.process.join()
    return ended
