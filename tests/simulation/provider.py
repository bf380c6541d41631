"""The provider: it logs every request before it answers, and answers well, badly, late or not at all."""

import asyncio
import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import orjson

from fakes.transport import a_completion, a_problem
from processors.errors import ProviderTimeoutError, ProviderUnavailableError
from processors.gateway.wire import WireAnswer, WireRequest, WireStream

from .history import History
from .loop import OUTSIDE, Process
from .network import Network
from .plan import Fate

WAY_S = (0.005, 0.03)
LATENCY_S = (0.2, 2.5)
SLOW_S = (5.0, 14.0)
DEADLINE_S = 15.0
RETRY_AFTER_S = (1, 4, 8)
ANSWER = a_completion(usage={"prompt_tokens": 100, "completion_tokens": 50})


@dataclass(slots=True, eq=False)
class Call:
    """One request as the provider saw it.

    Attributes:
        at_s: when it came in.
        outcome: `ok`, or what went wrong, as the client is told it.
        ended_s: when the client heard, or gave up.
        cancelled: the client did not wait for the answer.
    """

    task_id: str
    revision: str
    step: str
    worker: str
    at_s: float
    outcome: str = "ok"
    ended_s: float | None = None
    cancelled: bool = False


@dataclass(slots=True, eq=False, kw_only=True)
class Provider:
    """All its calls, in the order in which they came in."""

    history: History
    network: Network
    rng: random.Random
    fates: dict[str, Fate]
    down: bool = False
    calls: list[Call] = field(default_factory=list)
    pauses: list[tuple[str, float, float]] = field(default_factory=list)

    def outcome(self, task_id: str) -> str:
        if self.down or self.fates[task_id] is Fate.DOOMED:
            return "500"
        if not self.network.strikes("provider"):
            return "ok"
        return self.rng.choice(("429", "429", "500", "503", "timeout", "reset", "refused"))

    def latency_s(self, task_id: str, outcome: str) -> float:
        if outcome == "timeout":
            return DEADLINE_S
        if outcome == "ok" and self.fates[task_id] is Fate.SLOW:
            return self.rng.uniform(*SLOW_S)
        return self.rng.uniform(*LATENCY_S)


class SimulatedTransport:
    """A worker's way to the provider."""

    def __init__(self, provider: Provider, process: Process) -> None:
        self._provider = provider
        self._process = process

    async def send(self, request: WireRequest) -> WireAnswer:
        loop = asyncio.get_running_loop()
        answer: asyncio.Future[WireAnswer] = loop.create_future()
        revision, step, _ = request.headers["x-pressline-call"].split("/", 2)
        call = Call(
            task_id=request.headers["x-pressline-task"],
            revision=revision,
            step=step,
            worker=self._process.name,
            at_s=0.0,
        )
        loop.call_later(self._provider.rng.uniform(*WAY_S), self._arrive, call, answer, context=OUTSIDE)
        try:
            return await answer
        except asyncio.CancelledError:
            call.cancelled = True
            call.ended_s = self._provider.history.now_s
            raise

    @asynccontextmanager
    async def stream(self, request: WireRequest) -> AsyncIterator[WireStream]:
        """The whole answer in one piece."""
        answer = await self.send(request)
        yield WireStream(status=answer.status, headers=answer.headers, chunks=_events(answer))

    def _arrive(self, call: Call, answer: asyncio.Future[WireAnswer]) -> None:
        provider = self._provider
        call.at_s = provider.history.now_s
        call.outcome = provider.outcome(call.task_id)
        provider.calls.append(call)
        provider.history.note("call", call.worker, call.task_id, call.step, call.outcome)
        seconds = provider.latency_s(call.task_id, call.outcome)
        asyncio.get_running_loop().call_later(seconds, self._answer, call, answer, context=OUTSIDE)

    def _answer(self, call: Call, answer: asyncio.Future[WireAnswer]) -> None:
        if call.ended_s is not None or answer.done():
            return
        call.ended_s = self._provider.history.now_s
        if call.outcome == "ok":
            answer.set_result(ANSWER)
        elif call.outcome == "timeout":
            answer.set_exception(ProviderTimeoutError("simulated: no answer within the deadline"))
        elif call.outcome in {"reset", "refused"}:
            billed = call.outcome == "reset"
            answer.set_exception(ProviderUnavailableError("simulated: no connection", billed=billed))
        else:
            answer.set_result(self._problem(call))

    def _problem(self, call: Call) -> WireAnswer:
        status = int(call.outcome)
        if status != 429:
            return a_problem(status)
        seconds = self._provider.rng.choice(RETRY_AFTER_S)
        now_s = self._provider.history.now_s
        self._provider.pauses.append((call.worker, now_s, now_s + seconds))
        return a_problem(status, retry_after=str(seconds))


async def _events(answer: WireAnswer) -> AsyncIterator[bytes]:
    yield EVENTS if answer is ANSWER else answer.body


def _streamed(answer: WireAnswer) -> bytes:
    """The same answer as server-sent events."""
    body = orjson.loads(answer.body)
    choices = [
        {"index": 0, "delta": c["message"], "finish_reason": c["finish_reason"]} for c in body["choices"]
    ]
    return b"data: " + orjson.dumps({**body, "choices": choices}) + b"\n\ndata: [DONE]\n\n"


EVENTS = _streamed(ANSWER)
