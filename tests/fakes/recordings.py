"""Recorded exchanges with providers, and a server that replays them."""

from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import orjson
import yaml
from aiohttp import web

from schemas.catalogue import Format

NUMBER_HEADER = "x-recording"
PASSED_ON = ("content-type", "retry-after", "retry-after-ms", "x-should-retry")


@dataclass(frozen=True, slots=True, kw_only=True)
class Exchange:
    """One recorded exchange."""

    source: str
    method: str
    host: str
    path: str
    request: bytes
    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def format(self) -> Format | None:
        """The format of ours that it is of, or None."""
        if self.method.upper() != "POST" or self.host == "api.cohere.com":
            return None
        if self.path.endswith("/chat/completions"):
            return Format.OPENAI_CHAT
        if self.path.endswith("/responses"):
            return Format.OPENAI_RESPONSES
        if self.path.endswith("/v1/messages"):
            return Format.ANTHROPIC_MESSAGES
        if self.path.endswith((":generateContent", ":streamGenerateContent")):
            return Format.GEMINI
        return None

    @property
    def streamed(self) -> bool:
        return self.headers.get("content-type", "").startswith("text/event-stream")


def read_recordings(folder: Path) -> tuple[tuple[Exchange, ...], tuple[str, ...]]:
    """Return all exchanges below the folder, and the sources that hold none over HTTP."""
    exchanges: list[Exchange] = []
    others: list[str] = []
    for path in sorted(folder.rglob("*.yaml")):
        content = yaml.load(path.read_bytes(), Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))  # noqa: S506 - safe ones
        found = content["interactions"] if isinstance(content, dict) else []
        exchanges += _exchanges(str(path.relative_to(folder)), found)
        others += [str(path.relative_to(folder)) for each in found if "request" not in each]
    return tuple(exchanges), tuple(others)


@asynccontextmanager
async def replaying(exchanges: Sequence[Exchange]) -> AsyncIterator[str]:
    """Serve each exchange's answer to the request whose header names its number; yields the address."""

    async def handle(request: web.Request) -> web.Response:
        exchange = exchanges[int(request.headers[NUMBER_HEADER])]
        assert await request.read() == exchange.request
        return web.Response(status=exchange.status, headers=exchange.headers, body=exchange.body)

    app = web.Application(client_max_size=64 * 1_048_576)
    app.router.add_post("/{path:.*}", handle)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    try:
        yield f"http://127.0.0.1:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()


def _exchanges(source: str, found: Sequence[Any]) -> Iterator[Exchange]:
    for number, interaction in enumerate(found):
        if "request" not in interaction:  # recorded from another protocol than HTTP
            continue
        request, response = interaction["request"], interaction["response"]
        address = urlsplit(request["uri"])
        headers = {name.lower(): values[0] for name, values in response["headers"].items()}
        yield Exchange(
            source=f"{source}#{number}",
            method=request["method"],
            host=address.netloc,
            path=address.path,
            request=_body(request),
            status=response["status"]["code"],
            headers={name: headers[name] for name in PASSED_ON if name in headers},
            body=_body(response),
        )


def _body(message: Mapping[str, Any]) -> bytes:
    if "parsed_body" in message:
        return orjson.dumps(message["parsed_body"])
    body = message.get("body") or ""
    text = body.get("string", "") if isinstance(body, dict) else body
    return text if isinstance(text, bytes) else (text or "").encode()
