"""Journal and transport as the product has them, with a SIGKILL of their own process at one point."""

import asyncio
import os
import signal
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, replace
from pathlib import Path

from processors.gateway.budgets import Refused
from processors.gateway.buying import CALL_HEADER
from processors.gateway.journal import CallIntent, CallJournal, CallKey, JournaledAnswer, Opened
from processors.gateway.wanted import Unwanted, always_wanted
from processors.gateway.wire import Transport, WireAnswer, WireRequest, WireStream
from streams.embedded.provider.config import Fault
from streams.embedded.provider.exchange import FAULT_HEADER

from .plan import Failpoint

LOOK_S = 0.001
OPENED, ANSWERED = "opened", "answered"


@dataclass(frozen=True, slots=True, kw_only=True)
class Aim:
    """Where a worker dies.

    Attributes:
        failpoint: at what point of the call.
        victim: which call.
        witness: file that is told what the journal has promised; it outlives the worker.
    """

    failpoint: Failpoint
    victim: CallKey
    witness: Path

    def reached(self, failpoint: Failpoint, key: CallKey) -> None:
        """Die if that is the point."""
        if (failpoint, key) == (self.failpoint, self.victim):
            os.kill(os.getpid(), signal.SIGKILL)

    def tell(self, promise: str, key: CallKey, attempt: int) -> None:
        """Write one line with one system call: it stays written whatever comes next."""
        line = f"{promise} {key.revision}/{key.step}/{attempt}\n".encode()
        descriptor = os.open(self.witness, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
        os.write(descriptor, line)
        os.close(descriptor)


class KillingJournal(CallJournal):
    """CallJournal that kills its worker after an intent, or before or after an answer, became durable."""

    def __init__(self, journal: CallJournal, aim: Aim) -> None:
        self._journal = journal
        self._aim = aim

    async def find(self, key: CallKey, unwanted: Unwanted = always_wanted) -> JournaledAnswer | None:
        return await self._journal.find(key, unwanted)

    async def open(self, intent: CallIntent) -> Opened | JournaledAnswer | Refused:
        opened = await self._journal.open(intent)
        if isinstance(opened, Opened):
            self._aim.tell(OPENED, intent.key, opened.attempt)
            self._aim.reached(Failpoint.AFTER_RESERVE, intent.key)
        return opened

    async def answered(self, key: CallKey, answer: JournaledAnswer) -> None:
        self._aim.reached(Failpoint.AFTER_ANSWER, key)
        await self._journal.answered(key, answer)
        self._aim.tell(ANSWERED, key, answer.attempt)
        self._aim.reached(Failpoint.BEFORE_COMMIT, key)

    async def failed(self, key: CallKey, attempt: int, error: str, *, billed: bool) -> None:
        await self._journal.failed(key, attempt, error, billed=billed)

    async def adopt(self, intent: CallIntent, answer: JournaledAnswer) -> JournaledAnswer:
        return await self._journal.adopt(intent, answer)

    async def disown(self, key: CallKey) -> None:
        await self._journal.disown(key)


class KillingTransport(Transport):
    """Transport that kills its worker as soon as the provider's log shows the request.

    The provider is told to hold that answer back, as a slow machine may come too late for it otherwise.
    """

    def __init__(self, transport: Transport, aim: Aim, provider_log: Path) -> None:
        self._transport = transport
        self._aim = aim
        self._log = provider_log
        self._watching: list[asyncio.Task[None]] = []

    async def send(self, request: WireRequest) -> WireAnswer:
        return await self._transport.send(self._watched(request))

    def stream(self, request: WireRequest) -> AbstractAsyncContextManager[WireStream]:
        return self._transport.stream(self._watched(request))

    def _watched(self, request: WireRequest) -> WireRequest:
        victim, call = self._aim.victim, request.headers[CALL_HEADER]
        if self._aim.failpoint is not Failpoint.MID_CALL or not call.startswith(
            f"{victim.revision}/{victim.step}/"
        ):
            return request
        self._watching.append(asyncio.ensure_future(self._kill_once_logged(call, victim)))
        return replace(request, headers={**request.headers, FAULT_HEADER: Fault.TIMEOUT})

    async def _kill_once_logged(self, call: str, victim: CallKey) -> None:
        async for news in _growth(self._log):
            if f'"{call}"'.encode() in news:
                self._aim.reached(Failpoint.MID_CALL, victim)
                return


async def _growth(log: Path) -> AsyncIterator[bytes]:
    """Iterate over all that was written since now, again and again; the worker's life is the bound."""
    with log.open("rb") as file:
        start = file.seek(0, os.SEEK_END)
        while True:
            file.seek(start)
            yield file.read()
            await asyncio.sleep(LOOK_S)
