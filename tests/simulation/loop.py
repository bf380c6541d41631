"""Virtual time, and processes that can be killed or stopped in it.

Time jumps to the next timer when everybody waits: no sockets, no threads. A process is a set of tasks and
timers that share a context: of a killed one nothing runs on, not even a `finally`; of a paused one all runs
later.
"""

import asyncio
import gc
import heapq
import itertools
import warnings
from collections import deque
from collections.abc import Callable, Coroutine
from contextvars import Context, ContextVar, copy_context
from enum import StrEnum
from typing import Any, TypeVar

T = TypeVar("T")

TURN_S = 1e-7
"""A turn of the loop takes a moment, too: a timer that is due in less than the clock can show comes due."""
START_S = 1000.0
TURNS_MAX = 2_000_000
"""A seed takes about 10,000 turns: more than this is a loop that waits for nothing."""

CLOSES_MAX = 10


class Life(StrEnum):
    """What a process does."""

    RUNNING = "running"
    PAUSED = "paused"
    DEAD = "dead"


class Process:
    """One worker process."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.life = Life.RUNNING
        self.connected = True
        self.context = copy_context()
        self.context.run(PROCESS.set, self)
        self.missed: list[_Timer] = []

    def start(self, main: Coroutine[Any, Any, T]) -> "asyncio.Task[T]":
        return asyncio.get_running_loop().create_task(main, context=self.context)

    def kill(self) -> None:
        self.life = Life.DEAD
        self.missed = []

    def pause(self) -> None:
        self.life = Life.PAUSED

    def resume(self) -> None:
        self.life = Life.RUNNING
        loop = asyncio.get_running_loop()
        assert isinstance(loop, SimulationLoop)
        missed, self.missed = self.missed, []
        loop.enqueue(missed)


PROCESS: ContextVar[Process | None] = ContextVar("process", default=None)
OUTSIDE = Context()
"""Of what runs on whatever becomes of a worker: the broker, the store, the provider."""


class _Numbered:
    """Hashed by a number, given when it is first asked for: sets of it have the same order in every run."""

    number = 0

    def __hash__(self) -> int:
        self.number = self.number or next(self.get_loop().numbers)  # type: ignore[attr-defined] # below
        return self.number


class _Task(_Numbered, asyncio.Task[Any]):
    """A task of the loop."""


class _Future(_Numbered, asyncio.Future[Any]):
    """A future of the loop."""


class _Timer(asyncio.TimerHandle):
    """A callback, due at once or at its time: without what asyncio keeps to debug it."""

    __slots__ = ()

    def __init__(  # it sets all that there is
        self,
        when: float,
        callback: Callable[..., object],
        args: Any,
        loop: asyncio.AbstractEventLoop,
        context: Context | None,
    ) -> None:
        self._when = when
        self._callback = callback
        self._args = args
        self._loop = loop
        self._context = context if context is not None else copy_context()
        self._cancelled = False

    def cancel(self) -> None:
        self._cancelled = True
        self._callback = self._args = None  # type: ignore[assignment] # as asyncio does it


class SimulationLoop(asyncio.BaseEventLoop):
    """The loop of one seed. `turns` counts callbacks and timers.

    Most of a seed's time passes in the methods here, so they do less than asyncio's own.
    """

    _ready: deque[_Timer]

    def __init__(self) -> None:
        super().__init__()
        self.now_s = START_S
        self.turns = 0
        self.numbers = itertools.count(1)
        self.tasks: list[asyncio.Task[Any]] = []
        self.timers: list[tuple[float, int, _Timer]] = []

    def time(self) -> float:
        return self.now_s

    def enqueue(self, handles: list[_Timer]) -> None:
        self._ready.extend(handles)

    def call_soon(  # type: ignore[override] # typed looser than in typeshed
        self, callback: Callable[..., object], *args: Any, context: Context | None = None
    ) -> asyncio.Handle:
        handle = _Timer(0.0, callback, args, self, context)
        self._ready.append(handle)
        return handle

    def call_later(  # type: ignore[override] # likewise
        self, delay: float, callback: Callable[..., object], *args: Any, context: Context | None = None
    ) -> asyncio.TimerHandle:
        return self.call_at(self.now_s + delay, callback, *args, context=context)

    def call_at(  # type: ignore[override] # likewise
        self, when: float, callback: Callable[..., object], *args: Any, context: Context | None = None
    ) -> asyncio.TimerHandle:
        timer = _Timer(when, callback, args, self, context)
        heapq.heappush(self.timers, (when, next(self.numbers), timer))
        return timer

    def create_task(self, coro: Any, **kwargs: Any) -> asyncio.Task[Any]:
        task = _Task(coro, loop=self, **kwargs)
        self.tasks.append(task)
        return task

    def create_future(self) -> asyncio.Future[Any]:
        return _Future(loop=self)

    def _run_once(self) -> None:
        """Run what is ready; when nothing is, time jumps to the next timer."""
        ready, timers = self._ready, self.timers
        self._advance()
        while timers and timers[0][0] <= self.now_s:
            ready.append(heapq.heappop(timers)[2])
        for _ in range(len(ready)):
            handle = ready.popleft()
            if handle._cancelled:
                continue
            context = handle._context
            process = context.get(PROCESS)
            if process is None or process.life is Life.RUNNING:
                try:
                    context.run(handle._callback, *handle._args)
                except Exception as error:  # noqa: BLE001 - as the loop of asyncio does it
                    self.call_exception_handler({"message": "a callback failed", "exception": error})
            elif process.life is Life.PAUSED:
                process.missed.append(handle)

    def _advance(self) -> None:
        ready, timers = self._ready, self.timers
        while timers and timers[0][2]._cancelled:
            heapq.heappop(timers)
        self.turns += len(ready) or 1
        self.now_s += TURN_S
        if self.turns > TURNS_MAX:
            raise RuntimeError(f"more than {TURNS_MAX} turns: somebody waits for nothing, again and again")
        if ready:
            return
        if not timers:
            raise RuntimeError("everybody waits for ever")
        self.now_s = max(self.now_s, timers[0][0])

    def _write_to_self(self) -> None:
        """There is no other thread to wake this one."""


def drop(loop: SimulationLoop) -> None:
    """End the loop; what is pending is dropped without a word, and now, not at any later time."""
    asyncio._set_running_loop(loop)  # what is closed may ask for the time
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # of coroutines that a dropped one began
        for task in loop.tasks:
            if not task.done():
                task._log_destroy_pending = False  # type: ignore[attr-defined] # asyncio's own way to say so
                _close(task)
        for pending in (loop.tasks, loop._ready, loop.timers):
            pending.clear()
        gc.collect()
    asyncio._set_running_loop(None)
    asyncio.set_event_loop(None)
    loop.close()


def _close(task: asyncio.Task[Any]) -> None:
    for _ in range(CLOSES_MAX):
        try:
            task.get_coro().close()
        except RuntimeError:
            continue  # it waits again in a `finally`
        except ValueError:
            return  # it is the one that runs
        return
