"""Requests of a worker to the brokers or to the store, and what becomes of them on their way."""

import asyncio
import random
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any, TypeVar

from .loop import OUTSIDE, Life, Process
from .plan import CALM, Noise

T = TypeVar("T")

LATENCY_S = (0.001, 0.005)
SLOW_S = (0.2, 6.0)
RESET_S = (0.05, 1.0)
REFUSED_AT_ONCE_S = 0.05


@dataclass(slots=True, kw_only=True)
class Network:
    """What all links share: the noise of the hour.

    Attributes:
        noise: what goes wrong now.
        down: parts that do not answer at all: `brokers`, `store`.
        faults: how many of each kind were injected.
    """

    rng: random.Random
    noise: Noise = CALM
    down: set[str] = field(default_factory=set)
    faults: Counter[str] = field(default_factory=Counter)

    def latency_s(self) -> float:
        return self.rng.uniform(*(SLOW_S if self.strikes("slow") else LATENCY_S))

    def strikes(self, kind: str) -> bool:
        """Draw whether that noise strikes now; see `Noise`."""
        probability: float = getattr(self.noise, kind)
        struck = probability > 0 and self.rng.random() < probability
        if struck:
            self.faults[kind] += 1
        return struck


@dataclass(slots=True, eq=False, kw_only=True)
class Link:
    """One connection. Requests arrive in their order.

    Attributes:
        part: what it leads to: `brokers` or `store`.
        broken: the error of a connection that is refused or lost.
        late: the error of a request without an answer.
        timeout_s: after how long.
        refused: errors with which the other side answers, and which pass.
    """

    network: Network
    process: Process
    part: str
    broken: type[Exception]
    late: type[Exception]
    timeout_s: float
    refused: tuple[type[Exception], ...]
    _arrives_s: float = 0.0

    @property
    def open(self) -> bool:
        """Whether anything gets through."""
        reachable = self.part not in self.network.down
        return reachable and (self.process.connected or self.part != "brokers")

    async def request(self, serve: Callable[[], T | Awaitable[T]]) -> T:
        """Have the other side serve it; return its answer, or raise what became of it."""
        network, loop = self.network, asyncio.get_running_loop()
        if not self.open:
            await asyncio.sleep(REFUSED_AT_ONCE_S)
            raise _error(self.broken, "the connection is refused")
        answer: asyncio.Future[T] = loop.create_future()
        if network.strikes("lost"):
            self._lose(answer)
            return await answer
        if network.strikes("refused"):
            await asyncio.sleep(network.latency_s())
            raise _error(network.rng.choice(self.refused), "refused for now")
        self._arrives_s = max(loop.time() + network.latency_s(), self._arrives_s + 1e-5)
        loop.call_at(self._arrives_s, self._serve, serve, answer, context=OUTSIDE)
        return await answer

    def _serve(self, serve: Callable[[], Any], answer: asyncio.Future[Any]) -> None:
        if self.process.life is Life.DEAD and self.network.rng.random() < 0.5:
            return  # it was still in the dead process's memory
        try:
            served = serve()
        except Exception as error:  # noqa: BLE001 - whatever it is, it is the answer
            self._answer(answer, None, error)
            return
        if isinstance(served, asyncio.Future):
            served.add_done_callback(lambda done: self._answer_of(done, answer), context=OUTSIDE)
        else:
            self._answer(answer, served, None)

    def _answer_of(self, done: "asyncio.Future[Any]", answer: asyncio.Future[Any]) -> None:
        if not done.cancelled():
            error = done.exception()
            self._answer(answer, None if error else done.result(), error)

    def _answer(self, answer: asyncio.Future[Any], result: Any, error: BaseException | None) -> None:
        if self.network.strikes("swallowed"):
            self._lose(answer)
            return
        loop = asyncio.get_running_loop()
        loop.call_later(self.network.latency_s(), self._arrive, answer, result, error, context=OUTSIDE)

    def _arrive(self, answer: asyncio.Future[Any], result: Any, error: BaseException | None) -> None:
        if answer.done():
            return
        if not self.open:
            answer.set_exception(_error(self.broken, "the connection is lost"))
        elif error is not None:
            answer.set_exception(error)
        else:
            answer.set_result(result)

    def _lose(self, answer: asyncio.Future[Any]) -> None:
        """The client hears of it by a reset connection, or after its whole timeout."""
        rng, loop = self.network.rng, asyncio.get_running_loop()
        reset = rng.random() < 0.6
        wait_s = rng.uniform(*RESET_S) if reset else self.timeout_s
        error = _error(self.broken if reset else self.late, "no answer came")
        loop.call_later(wait_s, _fail, answer, error, context=OUTSIDE)


def _fail(answer: asyncio.Future[Any], error: Exception) -> None:
    if not answer.done():
        answer.set_exception(error)


def _error(kind: type[Exception], text: str) -> Exception:
    return kind(f"simulated: {text}")
