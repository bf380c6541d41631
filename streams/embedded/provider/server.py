"""The simulated model provider as an HTTP server: its own process, labelled in every response."""

import asyncio
import signal
from collections.abc import Callable
from functools import partial

import orjson
from aiohttp import web
from pydantic import ValidationError

from streams.collector import spare_collector
from streams.embedded.provider.anthropic_messages import AnthropicMessages
from streams.embedded.provider.config import ModelBehaviour, ProviderConfig
from streams.embedded.provider.embeddings import GeminiEmbeddings, OpenAIEmbeddings
from streams.embedded.provider.exchange import BODY_BYTES_MAX, Desk
from streams.embedded.provider.gemini import Gemini
from streams.embedded.provider.log import GroundTruthLog
from streams.embedded.provider.openai_chat import OpenAIChat
from streams.embedded.provider.openai_responses import OpenAIResponses
from streams.embedded.provider.reply import Outcome, Reply
from streams.embedded.provider.wire import SIMULATED_HEADER, WireFormat

# Further formats are added here, one sibling file each.
FORMATS: tuple[WireFormat, ...] = (
    OpenAIChat(),
    OpenAIResponses(),
    AnthropicMessages(),
    Gemini(stream=False),
    Gemini(stream=True),
    OpenAIEmbeddings(),
    GeminiEmbeddings(),
)

BACKLOG = 4_096  # a worker opens hundreds of connections at once
SHUTDOWN_S = 0.25  # what requests in flight are given at SIGTERM
HEADERS_BYTES_MAX = 16_384
FIRST_PIECE_SHARE = 0.3
"""Part of an answer's time after which a stream begins."""


class ProviderServer:
    """A running simulated provider.

    Args:
        config: What it shall do.
    """

    def __init__(self, config: ProviderConfig) -> None:
        self._config = config
        self._log = GroundTruthLog(config.log_path, config.log_bytes_max)
        self._desk = Desk(config, self._log)
        self._runner = web.AppRunner(
            self._app(),
            access_log=None,
            shutdown_timeout=SHUTDOWN_S,
            max_field_size=HEADERS_BYTES_MAX,
        )

    async def start(self) -> str:
        """Bind and serve.

        Returns:
            The base URL, without the format's path, for example `http://127.0.0.1:8700`.

        Raises:
            OSError: The address is in use or not allowed.
        """
        await self._runner.setup()
        await web.TCPSite(self._runner, self._config.host, self._config.port, backlog=BACKLOG).start()
        host, port = self._runner.addresses[0][:2]
        self._desk.note_start()
        return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"

    async def stop(self) -> None:
        """Close all connections; requests in flight get `SHUTDOWN_S` to end."""
        await self._runner.cleanup()
        self._log.close()

    def _app(self) -> web.Application:
        app = web.Application(client_max_size=BODY_BYTES_MAX)
        app.router.add_get("/healthz", self._health)
        app.router.add_put("/simulated/defaults", self._behave)
        app.router.add_get("/v1/models", self._models)
        for wire_format in FORMATS:
            app.router.add_post(wire_format.path, partial(self._serve, wire_format))
        app.router.add_route("*", "/{path:.*}", self._unknown)
        return app

    async def _serve(self, wire_format: WireFormat, request: web.Request) -> web.StreamResponse:
        try:
            body = await request.read()
        except web.HTTPRequestEntityTooLarge:
            body = None
        reply = self._desk.receive(wire_format, request.headers, body, request.match_info.get("model"))
        outcome = Outcome.SERVER_STOPPED
        try:
            await asyncio.sleep(reply.latency_s * (FIRST_PIECE_SHARE if reply.streamed else 1.0))
            outcome = Outcome.CLIENT_GONE
            if request.transport is None or request.transport.is_closing():
                return web.Response()
            response = await _send(request, reply)
            outcome = reply.delivery
        except ConnectionError:
            return web.Response()  # nobody is left to read it
        finally:
            # Also when the server stops or the sending fails: each logged request is accounted for.
            self._desk.note_end(reply, outcome)
        return response

    async def _health(self, _: web.Request) -> web.Response:
        return _json({"status": "ok", "simulated": True})

    async def _behave(self, request: web.Request) -> web.Response:
        """Exchange the configuration's `defaults` while requests are served: faults can come and go."""
        try:
            defaults = ModelBehaviour.model_validate_json(await request.read())
        except ValidationError as error:
            return _json({"error": str(error)}, status=400)
        self._desk.behave(defaults)
        return _json({"status": "ok", "simulated": True})

    async def _unknown(self, request: web.Request) -> web.Response:
        known = ", ".join(f"POST {wire_format.path}" for wire_format in FORMATS)
        seen = f"Invalid URL ({request.method} {request.path}), expected {known}, GET /v1/models or /healthz."
        error = {"message": seen, "type": "invalid_request_error", "param": None, "code": None}
        return _json({"error": error}, status=404)

    async def _models(self, _: web.Request) -> web.Response:
        models = [
            {"id": name, "object": "model", "created": 0, "owned_by": "pressline-simulated"}
            for name in self._config.listed_models
        ]
        return _json({"object": "list", "data": models})


async def serve(config: ProviderConfig, ready: Callable[[str], None] = lambda _: None) -> None:
    """Serve until SIGTERM or SIGINT.

    Args:
        config: What the server shall do.
        ready: Called with the base URL once requests are accepted.
    """
    stopped = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stopped.set)
    server = ProviderServer(config)
    try:
        ready(await server.start())
        await stopped.wait()
    finally:
        await server.stop()


def run_provider(config: ProviderConfig, ready: Callable[[str], None] = lambda _: None) -> None:
    """Run a simulated provider in this process until SIGTERM or SIGINT; see `serve`."""
    spare_collector()
    asyncio.run(serve(config, ready))


async def _send(request: web.Request, reply: Reply) -> web.StreamResponse:
    if reply.delivery is Outcome.CLOSED_UNANSWERED:
        _hang_up(request)
        return web.Response()
    response = web.StreamResponse(status=reply.status, headers=reply.headers)
    if reply.streamed:
        return await _send_pieces(request, response, reply)
    response.content_length = len(reply.body)
    await response.prepare(request)
    if reply.delivery is Outcome.CLOSED_WITHIN_BODY:
        await response.write(reply.body[: len(reply.body) // 2])
        _hang_up(request)
    else:
        await response.write_eof(reply.body)
    return response


async def _send_pieces(
    request: web.Request, response: web.StreamResponse, reply: Reply
) -> web.StreamResponse:
    # Two pieces: the first events, and after the rest of the time all others.
    middle = reply.body.find(b"\n\n", len(reply.body) // 2)
    await response.prepare(request)
    await response.write(reply.body[:middle])
    await asyncio.sleep(reply.latency_s * (1.0 - FIRST_PIECE_SHARE))
    if reply.delivery is Outcome.CLOSED_WITHIN_BODY:
        _hang_up(request)
    else:
        await response.write_eof(reply.body[middle:])
    return response


def _hang_up(request: web.Request) -> None:
    if request.transport is not None:
        request.transport.close()


def _json(content: object, status: int = 200) -> web.Response:
    headers = {SIMULATED_HEADER: "true"}
    return web.Response(
        body=orjson.dumps(content), status=status, content_type="application/json", headers=headers
    )
