"""Playing rounds: each worker is a fork of this process, which has imported everything and holds nothing."""

import gc
import multiprocessing
from collections import deque
from collections.abc import Callable, Iterable
from multiprocessing.connection import wait
from multiprocessing.context import ForkProcess

from .bench import Bench
from .evidence import Ended
from .plan import Round
from .worker import work

AT_ONCE = 8
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
    running: dict[int, tuple[Round, ForkProcess, int | None]] = {}
    gc.freeze()  # what a fork only reads stays shared
    try:
        while waiting or running:  # every turn starts or ends a worker, or gives up
            while waiting and len(running) < AT_ONCE:
                _start(running, bench, waiting.popleft(), None)
            for planned, exit_code, killed_exit in _next_ended(running):
                if killed_exit is None:
                    _start(running, bench, planned, exit_code)
                    continue
                ended.append(Ended(round=planned, killed_exit=killed_exit, finished_exit=exit_code))
                if len(ended) % TOLD_EVERY == 0:
                    tell(f"{len(ended)} kills")
    finally:
        gc.unfreeze()
        for _, process, _ in running.values():
            process.kill()
    return ended


def _start(
    running: dict[int, tuple[Round, ForkProcess, int | None]],
    bench: Bench,
    planned: Round,
    killed_exit: int | None,
) -> None:
    process = _FORK.Process(target=work, args=(bench, planned), kwargs={"dies": killed_exit is None})
    process.start()
    running[process.sentinel] = planned, process, killed_exit


def _next_ended(
    running: dict[int, tuple[Round, ForkProcess, int | None]],
) -> list[tuple[Round, int, int | None]]:
    """Return round, exit code and the first worker's exit code of all that ended, of which there is one."""
    sentinels = wait(list(running), WORKER_S_MAX)
    if not sentinels:
        raise TimeoutError(f"none of {len(running)} workers ended within {WORKER_S_MAX} s")
    found = []
    for sentinel in sentinels:
        planned, process, killed_exit = running.pop(int(str(sentinel)))
        process.join()
        found.append((planned, process.exitcode or 0, killed_exit))
        process.close()
    return found
