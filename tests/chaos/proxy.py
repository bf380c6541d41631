"""A TCP proxy on loopback that does harm on request; before Kafka it knows requests from answers."""

import asyncio
import random
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import suppress
from functools import partial

from streams.embedded.ports import LOOPBACK

from .proxy_frames import Api, chunks, frames, read_answer, read_request
from .proxy_rules import Rule, Way, line_s, passage_s
from .waiting import until

QUEUED_MAX = 256
STREAM_BYTES_MAX = 1_048_576

Split = Callable[[asyncio.StreamReader], AsyncIterator[bytes]]
Line = asyncio.Queue[tuple[float, bytes, int | None] | None]
"""What is under way: when it is due, the bytes, their API; None is the end."""


class Proxy:
    """Passes bytes on between clients and one server, as `rules` say.

    Args:
        port: where clients connect.
        server_port: where the server listens; it need not run yet.
        kafka: whether it speaks Kafka's protocol: then rules may name APIs and clients.
        seed: of jitter.
    """

    def __init__(self, port: int, server_port: int, *, kafka: bool = False, seed: int = 0) -> None:
        self.port = port
        self.server_port = server_port
        self.chance = random.Random(seed)
        self.split: Split = frames if kafka else chunks
        self.kafka = kafka
        self.swallowed: Counter[int] = Counter()
        self._rules: tuple[Rule, ...] = ()
        self._server: asyncio.Server | None = None
        self._connections: dict[_Connection, asyncio.Task[None]] = {}

    @property
    def rules(self) -> tuple[Rule, ...]:
        """What is done now; nothing at first."""
        return self._rules

    async def start(self) -> None:
        """Listen."""
        self._server = await asyncio.start_server(self._accept, LOOPBACK, self.port, limit=STREAM_BYTES_MAX)

    async def stop(self) -> None:
        """Listen no more and cut what is open."""
        if self._server is None:
            return
        self._server.close()
        self.heal()
        tasks = list(self._connections.values())
        for connection in list(self._connections):
            connection.cut()
        await asyncio.gather(*tasks, return_exceptions=True)

    def strike(self, *rules: Rule) -> None:
        """From now on do what these rules say, and nothing else."""
        self._rules = rules
        for connection in list(self._connections):
            connection.obey()

    def heal(self) -> None:
        """Do no more harm. What was held passes; a silent connection is cut: it lacks answers."""
        self.strike()

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        connection = _Connection(self, writer)
        task = asyncio.current_task()
        if task is not None:
            self._connections[connection] = task
        try:
            await connection.run(reader)
        finally:
            self._connections.pop(connection, None)


class _Connection:
    """One client's connection and the one made for it."""

    def __init__(self, proxy: Proxy, client: asyncio.StreamWriter) -> None:
        self._proxy = proxy
        self._client = client
        self._server: asyncio.StreamWriter | None = None
        self._client_id = ""
        self._api_of: dict[int, int] = {}
        self._silenced = False

    async def run(self, reader: asyncio.StreamReader) -> None:
        """Pass bytes on until either side ends."""
        try:
            with suppress(OSError):  # nobody listens: the client is cut off, as it would be without us
                answers, self._server = await asyncio.open_connection(
                    LOOPBACK, self._proxy.server_port, limit=STREAM_BYTES_MAX
                )
                ways = [
                    asyncio.ensure_future(self._pass_on(Way.TO_SERVER, reader, self._server)),
                    asyncio.ensure_future(self._pass_on(Way.TO_CLIENT, answers, self._client)),
                ]
                try:
                    await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
                finally:
                    for way in ways:
                        way.cancel()
                    await asyncio.gather(*ways, return_exceptions=True)
        finally:
            self.cut()

    def obey(self) -> None:
        """Take notice of other rules."""
        silent = any(rule.silent for rule in self._proxy.rules)
        if (self._silenced and not silent) or self._refused(None):
            self.cut()

    def cut(self) -> None:
        """Reset both connections."""
        for writer in (self._client, self._server):
            if writer is not None:
                writer.transport.abort()

    async def _pass_on(self, way: Way, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Take in at one end, give out at the other: what is delayed does not hold up what comes after."""
        line: Line = asyncio.Queue(QUEUED_MAX)
        taking = asyncio.ensure_future(self._take_in(way, reader, line))
        try:
            await self._give_out(way, line, writer)
        finally:
            taking.cancel()

    async def _take_in(self, way: Way, reader: asyncio.StreamReader, line: Line) -> None:
        loop = asyncio.get_running_loop()
        free_s = 0.0
        with suppress(OSError, asyncio.IncompleteReadError):
            async for data in self._proxy.split(reader):
                api = self._api(way, data)
                rules = self._rules(api)
                free_s = max(free_s, loop.time()) + line_s(rules, len(data))
                await line.put((free_s + passage_s(rules, self._proxy.chance), data, api))
        await line.put(None)

    async def _give_out(self, way: Way, line: Line, writer: asyncio.StreamWriter) -> None:
        loop = asyncio.get_running_loop()
        with suppress(OSError):
            while (item := await line.get()) is not None:
                due_s, data, api = item
                if due_s > loop.time():
                    await asyncio.sleep(due_s - loop.time())
                await until(partial(self._flows, way, api))
                if self._refused(api) or (way is Way.TO_CLIENT and self._swallows(api)):
                    return
                if not (self._silenced and way is Way.TO_CLIENT):
                    writer.write(data)
                    await writer.drain()

    def _api(self, way: Way, data: bytes) -> int | None:
        """Return which API a request or an answer belongs to; None where that is not known."""
        if not self._proxy.kafka:
            return None
        if way is Way.TO_CLIENT:
            return self._api_of.pop(read_answer(data), None)
        request = read_request(data)
        self._client_id = request.client_id or self._client_id
        self._api_of[request.correlation_id] = request.api_key
        return request.api_key

    def _rules(self, api: int | None) -> list[Rule]:
        return [rule for rule in self._proxy.rules if rule.strikes(self._client_id, api)]

    def _flows(self, way: Way, api: int | None) -> bool:
        return not any(way in rule.held for rule in self._rules(api))

    def _refused(self, api: int | None) -> bool:
        return any(rule.refused for rule in self._rules(api))

    def _swallows(self, api: int | None) -> bool:
        """Lose this answer if a rule says so; return whether the connection ends with it."""
        rules = [rule for rule in self._rules(api) if rule.swallowed]
        if not rules or self._silenced:
            return False
        self._proxy.swallowed[-1 if api is None else api] += 1
        self._silenced = any(rule.silent for rule in rules)
        return not self._silenced


def swallowed_by_name(proxies: Iterable[Proxy]) -> dict[str, int]:
    """Return how many answers were lost, by API."""
    total = sum((proxy.swallowed for proxy in proxies), Counter[int]())
    return {Api(api).name: count for api, count in sorted(total.items())}
