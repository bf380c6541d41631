"""The fault proxy, between a client and a server that echo Kafka's framing."""

import asyncio
import struct
import time
from collections.abc import AsyncIterator, Awaitable, Callable

import pytest

from chaos.proxy import Proxy, swallowed_by_name
from chaos.proxy_frames import Api, read_answer, read_request
from chaos.proxy_rules import BOTH_WAYS, Rule, Way
from streams.embedded import ports

ANSWER_S_MAX = 5.0
QUIET_S = 0.1


class EchoServer:
    """Answers each request with its correlation id, and remembers it."""

    def __init__(self) -> None:
        self.port = ports.choose()
        self.requests: list[int] = []

    async def start(self) -> asyncio.Server:
        return await asyncio.start_server(self._serve, ports.LOOPBACK, self.port)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while head := await reader.read(4):
                frame = head + await reader.readexactly(struct.unpack(">i", head)[0])
                self.requests.append(read_request(frame).correlation_id)
                writer.write(struct.pack(">ii", 4, self.requests[-1]))
        finally:
            writer.close()


class Client:
    """Speaks as one Kafka client does."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, name: str) -> None:
        self.reader, self.writer, self.name = reader, writer, name.encode()

    async def ask(self, api: Api, correlation_id: int) -> int:
        self.send(api, correlation_id)
        return await self.answer()

    def send(self, api: Api, correlation_id: int) -> None:
        body = struct.pack(">hhih", api, 3, correlation_id, len(self.name)) + self.name + b"body"
        self.writer.write(struct.pack(">i", len(body)) + body)

    async def answer(self) -> int:
        async with asyncio.timeout(ANSWER_S_MAX):
            return read_answer(await self.reader.readexactly(8))

    async def hears_nothing(self) -> bool:
        try:
            async with asyncio.timeout(QUIET_S):
                return await self.reader.read(1) == b"never"
        except TimeoutError:
            return True


@pytest.fixture
async def server() -> AsyncIterator[EchoServer]:
    echo = EchoServer()
    listening = await echo.start()
    yield echo
    listening.close()


@pytest.fixture
async def proxy(server: EchoServer) -> AsyncIterator[Proxy]:
    made = Proxy(ports.choose(avoid=(server.port,)), server.port, kafka=True)
    await made.start()
    yield made
    await made.stop()


Connect = Callable[..., Awaitable[Client]]


@pytest.fixture
async def connect() -> AsyncIterator[Connect]:
    clients: list[Client] = []

    async def connected(proxy: Proxy, name: str = "worker-1") -> Client:
        clients.append(Client(*await asyncio.open_connection(ports.LOOPBACK, proxy.port), name))
        return clients[-1]

    yield connected
    for client in clients:
        client.writer.transport.abort()
    await asyncio.sleep(0)


async def test_without_rules_everything_passes(connect: Connect, proxy: Proxy) -> None:
    client = await connect(proxy)

    assert [await client.ask(Api.PRODUCE, number) for number in range(3)] == [0, 1, 2]


async def test_a_swallowed_answer_cuts_the_connection_after_the_request_has_arrived(
    connect: Connect, proxy: Proxy, server: EchoServer
) -> None:
    proxy.strike(Rule(apis=frozenset({Api.OFFSET_COMMIT}), swallowed=True))
    client = await connect(proxy)

    assert await client.ask(Api.HEARTBEAT, 1) == 1
    with pytest.raises((asyncio.IncompleteReadError, ConnectionError)):
        await client.ask(Api.OFFSET_COMMIT, 2)
    assert server.requests == [1, 2]
    assert swallowed_by_name([proxy]) == {"OFFSET_COMMIT": 1}


async def test_a_silent_connection_takes_requests_and_is_cut_when_healed(
    connect: Connect, proxy: Proxy, server: EchoServer
) -> None:
    proxy.strike(Rule(apis=frozenset({Api.PRODUCE}), swallowed=True, silent=True))
    client = await connect(proxy)
    client.send(Api.PRODUCE, 1)
    client.send(Api.HEARTBEAT, 2)

    assert await client.hears_nothing()
    assert server.requests == [1, 2]
    proxy.heal()
    with pytest.raises((asyncio.IncompleteReadError, ConnectionError)):
        await client.answer()


@pytest.mark.parametrize(("held", "arrived"), [(frozenset({Way.TO_CLIENT}), [1]), (BOTH_WAYS, [])])
async def test_what_is_held_arrives_when_healed(
    connect: Connect, proxy: Proxy, server: EchoServer, held: frozenset[Way], arrived: list[int]
) -> None:
    proxy.strike(Rule(held=held))
    client = await connect(proxy)
    client.send(Api.FETCH, 1)

    await asyncio.sleep(QUIET_S)
    assert server.requests == arrived
    proxy.heal()
    assert await client.answer() == 1


async def test_what_a_client_sent_before_it_went_away_still_arrives(
    connect: Connect, proxy: Proxy, server: EchoServer
) -> None:
    proxy.strike(Rule(held=frozenset({Way.TO_SERVER})))
    client = await connect(proxy)
    client.send(Api.PRODUCE, 1)
    await asyncio.sleep(QUIET_S)
    client.writer.close()

    proxy.heal()
    await asyncio.sleep(QUIET_S)
    assert server.requests == [1]


async def test_a_rule_is_about_one_client_alone(connect: Connect, proxy: Proxy) -> None:
    proxy.strike(Rule(client="worker-1", held=BOTH_WAYS))
    cut_off, other = await connect(proxy, "worker-1"), await connect(proxy, "worker-2")
    cut_off.send(Api.FETCH, 1)

    assert await other.ask(Api.FETCH, 2) == 2
    assert await cut_off.hears_nothing()


async def test_an_api_is_delayed_by_itself(connect: Connect, proxy: Proxy) -> None:
    proxy.strike(Rule(apis=frozenset({Api.JOIN_GROUP}), delay_s=0.1))
    client = await connect(proxy)
    started_s = time.monotonic()

    await client.ask(Api.JOIN_GROUP, 1)
    assert time.monotonic() - started_s >= 0.2


async def test_a_narrow_line_takes_its_time(connect: Connect, proxy: Proxy) -> None:
    proxy.strike(Rule(bytes_per_s=1000.0))
    client = await connect(proxy)
    started_s = time.monotonic()
    for number in range(4):
        client.send(Api.PRODUCE, number)

    assert [await client.answer() for _ in range(4)] == [0, 1, 2, 3]
    assert time.monotonic() - started_s >= 4 * 26 / 1000


async def test_refused_connections_are_cut(connect: Connect, proxy: Proxy) -> None:
    client = await connect(proxy)
    assert await client.ask(Api.FETCH, 1) == 1
    proxy.strike(Rule(refused=True))

    with pytest.raises((asyncio.IncompleteReadError, ConnectionError)):
        await client.answer()


async def test_before_other_servers_bytes_pass_as_they_come(connect: Connect) -> None:
    port = ports.choose()

    async def shout(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write((await reader.read(100)).upper())
        writer.close()

    listening = await asyncio.start_server(shout, ports.LOOPBACK, port)
    plain = Proxy(ports.choose(avoid=(port,)), port)
    await plain.start()
    client = await connect(plain)
    client.writer.write(b"not kafka")

    assert await client.reader.read(100) == b"NOT KAFKA"
    await plain.stop()
    listening.close()


async def test_a_server_that_is_away_looks_like_one(connect: Connect, server: EchoServer) -> None:
    nobody = Proxy(ports.choose(avoid=(server.port,)), ports.choose())
    await nobody.start()
    client = await connect(nobody)

    with pytest.raises((asyncio.IncompleteReadError, ConnectionError)):
        await client.reader.readexactly(1)
    await nobody.stop()
