"""A gateway to the simulated provider over real HTTP, and what that provider's log says of the calls."""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import orjson

from fakes.gateway_rig import a_catalogue, a_gateway
from fakes.journal import FakeCall, FakeJournal
from fakes.model_request import a_request
from processors.gateway.catalogue import Catalogue
from processors.gateway.journal import CallKey
from processors.gateway.transport import open_transports
from schemas.catalogue import Format
from streams.embedded.provider.config import load_config
from streams.embedded.provider.server import ProviderServer

AT_ONCE = {"kind": "fixed", "seconds": 0.0}


@dataclass
class SimulatedGateway:
    """A gateway whose provider is the simulated one."""

    catalogue: Catalogue
    log_path: Path
    journal: FakeJournal = field(default_factory=FakeJournal)

    def __post_init__(self) -> None:
        self.transports = open_transports(self.catalogue, {})
        self.gateway, self.prices = a_gateway(self.catalogue, self.transports, self.journal)

    def beside(self, worker_id: str) -> "SimulatedGateway":
        """Another worker's gateway over the same journal and provider."""
        return SimulatedGateway(self.catalogue, self.log_path, self.journal.beside(worker_id))

    def attempts(self, step: str = "write") -> list[FakeCall]:
        return self.journal.attempts(CallKey(revision=a_request().revision, step=step))

    def requests(self) -> list[dict[str, Any]]:
        """What the provider received, in its own words."""
        lines = map(orjson.loads, self.log_path.read_bytes().splitlines())
        return [line for line in lines if line["event"] == "request"]

    async def aclose(self) -> None:
        for transport in self.transports.values():
            await transport.aclose()


@asynccontextmanager
async def simulated(
    folder: Path,
    spoken: Format,
    *,
    stream: bool = False,
    model: str | None = None,
    rules: Mapping[str, bool] | None = None,
    **faults: float,
) -> AsyncIterator[SimulatedGateway]:
    """Serve and connect; `faults` are the provider's shares of them, the rest as of `a_catalogue`."""
    log_path = folder / "provider.jsonl"
    defaults = {"latency": AT_ONCE, "faults": faults}
    server = ProviderServer(load_config(None, log_path=log_path, port=0, defaults=defaults))
    base_url = await server.start()
    catalogue = a_catalogue(spoken, f"{base_url}/v1", stream=stream, model=model, rules=rules)
    rig = SimulatedGateway(catalogue, log_path)
    try:
        yield rig
    finally:
        await rig.aclose()
        await server.stop()
