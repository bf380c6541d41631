"""A provider over real HTTP that answers as it is told."""

import asyncio
import gzip
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

from aiohttp import web

from fakes.transport import a_completion, a_problem
from processors.gateway.wire import WireAnswer

HANG_S = 30.0
HUGE_BYTES = 8 * 1_048_576

Behaviour = Callable[[web.Request], Awaitable[web.StreamResponse]]


class ProviderServer:
    """Answers each call by `behaviour` and keeps the headers of the calls."""

    def __init__(self) -> None:
        self.behaviour: Behaviour = says(a_completion())
        self.calls: list[dict[str, str]] = []

    async def handle(self, request: web.Request) -> web.StreamResponse:
        self.calls.append({name.lower(): value for name, value in request.headers.items()})
        await request.read()
        return await self.behaviour(request)


def says(answer: WireAnswer) -> Behaviour:
    async def behave(_: web.Request) -> web.StreamResponse:
        return web.Response(status=answer.status, headers=dict(answer.headers), body=answer.body)

    return behave


async def hangs(_: web.Request) -> web.StreamResponse:
    await asyncio.sleep(HANG_S)
    return web.Response()


async def trickles(request: web.Request) -> web.StreamResponse:
    """A byte now and then: never silent for long, and never done."""
    response = web.StreamResponse()
    await response.prepare(request)
    for _ in range(int(HANG_S * 20)):
        await response.write(b" ")
        await asyncio.sleep(0.05)
    return response


async def cuts(request: web.Request) -> web.StreamResponse:
    """Announces more than it sends."""
    response = web.StreamResponse(headers={"content-length": "1000"})
    await response.prepare(request)
    await response.write(b'{"choices": [')
    _hang_up(request)
    return response


async def hangs_up(request: web.Request) -> web.StreamResponse:
    _hang_up(request)
    return web.Response()


async def floods(request: web.Request) -> web.StreamResponse:
    return web.Response(body=b" " * HUGE_BYTES)


async def bombs(request: web.Request) -> web.StreamResponse:
    """A few kB of gzip that become HUGE_BYTES."""
    return web.Response(body=gzip.compress(b" " * HUGE_BYTES), headers={"content-encoding": "gzip"})


async def compresses(_: web.Request) -> web.StreamResponse:
    return web.Response(body=gzip.compress(a_completion().body), headers={"content-encoding": "gzip"})


def wants_key(key: str) -> Behaviour:
    async def behave(request: web.Request) -> web.StreamResponse:
        right = request.headers.get("authorization") == f"Bearer {key}"
        return await says(a_completion() if right else a_problem(401, code="invalid_api_key"))(request)

    return behave


@asynccontextmanager
async def serving(server: ProviderServer) -> AsyncIterator[str]:
    """Serve on a free port; yields the address up to the version."""
    app = web.Application()
    app.router.add_post("/v1/chat/completions", server.handle)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0, backlog=1024)
    await site.start()
    try:
        yield f"http://127.0.0.1:{runner.addresses[0][1]}/v1"
    finally:
        await runner.cleanup()


def _hang_up(request: web.Request) -> None:
    assert request.transport is not None
    request.transport.abort()
