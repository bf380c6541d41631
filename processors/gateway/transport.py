"""HTTP to one provider: bounded in time, in size and in connections."""

import asyncio
import zlib
from collections.abc import AsyncIterable, AsyncIterator, Iterable, Mapping
from contextlib import asynccontextmanager
from typing import cast

import httpx
from httpx_aiohttp import AiohttpTransport

from processors.errors import ProviderMalformedError, ProviderTimeoutError
from processors.gateway.catalogue import Catalogue, InvalidCatalogueError
from processors.gateway.formats import FORMATS
from processors.gateway.http_failures import CLIENT_ERRORS, failure
from processors.gateway.wire import WireAnswer, WireRequest, WireStream
from schemas.catalogue import ProviderRules

RESPONSE_BYTES_MAX = 4_194_304
CONNECT_S_MAX = 10.0
KEEP_ALIVE_S = 30.0
CONNECTIONS_SPARE = 64
"""Connections beyond the concurrency cap: a call that has just ended may still be closing its own."""

EXTENSIONS = {"timeout": {"connect": CONNECT_S_MAX}}
ENCODINGS = frozenset({"gzip", "deflate"})
ZLIB_OR_GZIP = 47  # window bits: the header says which. Source: https://docs.python.org/3/library/zlib.html


class HttpTransport:
    """One client for one provider; its connections are kept alive and shared by all calls.

    Args:
        rules: the provider; its address is known.
        api_key: sent as the provider's format has it, or None to send none.
    """

    def __init__(self, rules: ProviderRules, api_key: str | None) -> None:
        if rules.base_url is None:
            raise InvalidCatalogueError(f"provider {rules.name!r} has no address yet: fill in its base_url")
        self._provider = rules.name
        self._deadline_s = rules.call_deadline_s
        connections_max = rules.limits.concurrency + CONNECTIONS_SPARE
        limits = httpx.Limits(
            max_connections=connections_max,
            max_keepalive_connections=connections_max,
            keepalive_expiry=KEEP_ALIVE_S,
        )
        # Plain httpx costs ten times the CPU with hundreds of calls in flight; aiohttp beneath it does not.
        # httpx's client above it would merge addresses and headers, look for cookies and redirects, and so
        # cost half as much again: nothing of that is needed here.
        self._transport = AiohttpTransport(limits=limits, trust_env=False)
        self._base_url = rules.base_url
        self._headers = _headers(rules, api_key)
        self._urls: dict[str, httpx.URL] = {}

    async def send(self, request: WireRequest) -> WireAnswer:
        """Return the answer, of whatever status.

        Raises:
            ProviderTimeoutError: not whole within the deadline.
            ProviderUnavailableError: no connection (not billed), or it broke.
            ProviderMalformedError: cut off, larger than RESPONSE_BYTES_MAX, or not HTTP.
            ProviderRejectedError: the provider's address is wrong.
        """
        async with self._bounded_call():
            return await self._exchange(request)

    @asynccontextmanager
    async def stream(self, request: WireRequest) -> AsyncIterator[WireStream]:
        """Open the answer; its chunks raise what `send` raises, and the same deadline is around all of it."""
        async with self._bounded_call():
            response = await self._sent(request)
            try:
                yield self._opened(response)
            finally:
                await response.aclose()

    async def aclose(self) -> None:
        """Close all connections."""
        await self._transport.aclose()

    @asynccontextmanager
    async def _bounded_call(self) -> AsyncIterator[None]:
        try:
            # One deadline around everything: a server that sends a byte now and then must not hold a call.
            async with asyncio.timeout(self._deadline_s):
                yield
        except CLIENT_ERRORS as error:
            raise failure(self._provider, error) from error
        except TimeoutError as error:
            raise ProviderTimeoutError(
                f"{self._provider} gave no whole answer in {self._deadline_s:g} s, expected one"
            ) from error

    async def _exchange(self, request: WireRequest) -> WireAnswer:
        response = await self._sent(request)
        try:
            chunks = [chunk async for chunk in self._bounded(response)]
        finally:
            await response.aclose()
        headers = _joined(response.headers.raw)
        body = self._decoded(b"".join(chunks), headers.get("content-encoding", "identity"))
        return WireAnswer(status=response.status_code, headers=headers, body=body)

    def _opened(self, response: httpx.Response) -> WireStream:
        encoding = response.headers.get("content-encoding", "identity")
        if encoding != "identity":
            raise ProviderMalformedError(f"{self._provider} streamed {encoding[:50]!r}, expected identity")
        return WireStream(
            status=response.status_code,
            headers=_joined(response.headers.raw),
            chunks=self._bounded(response),
        )

    async def _sent(self, request: WireRequest) -> httpx.Response:
        """Return the answer, whose body is not read yet; the caller closes it."""
        url = self._urls.get(request.path)
        if url is None:  # a provider has a path for each of its models at most
            url = self._urls[request.path] = httpx.URL(f"{self._base_url}{request.path}")
        # A stream, as httpx then adds no headers: aiohttp does.
        made = httpx.Request(
            "POST",
            url,
            headers={**self._headers, **request.headers},
            stream=httpx.ByteStream(request.body),
            extensions=EXTENSIONS,
        )
        made.read()
        return await self._transport.handle_async_request(made)

    async def _bounded(self, response: httpx.Response) -> AsyncIterator[bytes]:
        size = 0
        async for chunk in cast("AsyncIterable[bytes]", response.stream):
            size += len(chunk)
            if size > RESPONSE_BYTES_MAX:
                raise self._too_large()
            yield chunk

    def _decoded(self, body: bytes, encoding: str) -> bytes:
        if encoding == "identity":
            return body
        if encoding not in ENCODINGS:
            raise ProviderMalformedError(
                f"{self._provider} sent encoding {encoding[:50]!r}, expected identity"
            )
        # Bounded here rather than by httpx, which inflates a chunk of a gzip bomb before anyone can count it.
        inflater = zlib.decompressobj(ZLIB_OR_GZIP)
        try:
            inflated = inflater.decompress(body, RESPONSE_BYTES_MAX + 1)
        except zlib.error as error:
            raise ProviderMalformedError(
                f"{self._provider} sent broken {encoding}, expected a whole one"
            ) from error
        if len(inflated) > RESPONSE_BYTES_MAX:
            raise self._too_large()
        if not inflater.eof:
            raise ProviderMalformedError(f"{self._provider} sent cut {encoding}, expected a whole one")
        return inflated

    def _too_large(self) -> ProviderMalformedError:
        return ProviderMalformedError(
            f"{self._provider} sent more than {RESPONSE_BYTES_MAX} bytes, expected at most that"
        )


def open_transports(catalogue: Catalogue, api_keys: Mapping[str, str]) -> dict[str, HttpTransport]:
    """Return a transport for each provider that answers for a model.

    Args:
        catalogue: who answers.
        api_keys: for each provider its key; secret.

    Raises:
        InvalidCatalogueError: a provider has no address, or names a variable for its key and has none.
    """
    for rules in catalogue.used_providers:
        if rules.api_key_env is not None and not api_keys.get(rules.name):
            raise InvalidCatalogueError(
                f"provider {rules.name!r} needs a key: set {rules.api_key_env}, or use the simulated provider"
            )
    return {rules.name: HttpTransport(rules, api_keys.get(rules.name)) for rules in catalogue.used_providers}


def _joined(raw: Iterable[tuple[bytes, bytes]]) -> dict[str, str]:
    """Return headers with names in lower case, repeated ones joined by commas."""
    found: dict[str, str] = {}
    for name, value in raw:
        key, text = name.decode("latin-1").lower(), value.decode("latin-1")
        found[key] = f"{found[key]}, {text}" if key in found else text
    return found


def _headers(rules: ProviderRules, api_key: str | None) -> dict[str, str]:
    # Answers are a few kB: inflating costs more than it saves, and a bomb has to be asked for.
    headers = {"accept": "application/json", "accept-encoding": "identity", "user-agent": "pressline"}
    return {**headers, **FORMATS[rules.format].key_headers(api_key)} if api_key else headers
