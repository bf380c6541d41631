"""What a run's workers share: a database of their own, the simulated provider's process, and its log."""

import secrets
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from types import MappingProxyType
from urllib.parse import urlsplit

import asyncpg
import httpx
import orjson

from processors.gateway import catalogue as catalogues
from processors.gateway.catalogue import Catalogue
from processors.gateway.prices import Prices, compile_prices
from processors.gateway.transport import HttpTransport, open_transports
from schemas.budgets import BudgetRule, BudgetScope, BudgetWindow
from streams.embedded import ports
from streams.embedded.processes import ChildProcess
from streams.store.database import Database
from streams.store.migrations import migrate

from .records import MODEL

ROOT = Path(__file__).parents[2]
PROVIDER_START_S_MAX = 60.0
BEHAVIOUR = {"latency": {"kind": "log_normal", "median_s": 0.05, "p99_s": 0.2}, "hang_s": 4.0}
"""A held answer is held for long enough to die meanwhile, whatever else the machine does."""

INPUT_USD_PER_MILLION, OUTPUT_USD_PER_MILLION = 1, 2
BUDGETS = (
    BudgetRule(scope=BudgetScope.TENANT, window=BudgetWindow.TOTAL, hard_usd=Decimal(1000)),
    BudgetRule(scope=BudgetScope.TASK, window=BudgetWindow.TOTAL, hard_usd=Decimal(1)),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Provider:
    """The simulated provider's process.

    Attributes:
        url: where it answers.
        log: its ground truth.
    """

    url: str
    log: Path


@dataclass(frozen=True, slots=True, kw_only=True)
class Bench:
    """One run's surroundings.

    Attributes:
        database_url: of an empty database with our schema.
        provider: who answers.
        log_start_bytes: where the run begins in the provider's log.
        witness: what the journals of killed workers have promised; see `Aim`.
        catalogue: of one model of the simulated provider.
        prices: of that model.
        transports: not connected yet, so that each fork makes connections of its own.
    """

    database_url: str
    provider: Provider
    log_start_bytes: int
    witness: Path
    catalogue: Catalogue
    prices: Prices
    transports: Mapping[str, HttpTransport]


async def open_bench(server_url: str, provider: Provider, folder: Path) -> Bench:
    """Return a bench with a new database on that server."""
    name = f"failpoints_{secrets.token_hex(6)}"
    server = await asyncpg.connect(server_url)
    await server.execute(f"CREATE DATABASE {name}")
    await server.close()
    database_url = urlsplit(server_url)._replace(path=f"/{name}").geturl()
    database = await Database.open(database_url, connections_max=1)
    await migrate(database)
    await database.close()
    witness = folder / f"{name}.witness"
    witness.touch()
    catalogue = a_catalogue(provider.url)
    return Bench(
        database_url=database_url,
        provider=provider,
        log_start_bytes=provider.log.stat().st_size,
        witness=witness,
        catalogue=catalogue,
        prices=compile_prices(catalogue, datetime.now(UTC)),
        transports=open_transports(catalogue, {}),
    )


async def cleared(bench: Bench) -> Bench:
    """Return the bench for a further run: without what the runs before have left."""
    database = await Database.open(bench.database_url, connections_max=1)
    try:
        await database.fetch("TRUNCATE model_calls, budget_counters")
    finally:
        await database.close()
    bench.witness.write_bytes(b"")
    return replace(bench, log_start_bytes=bench.provider.log.stat().st_size)


def with_catalogue(bench: Bench, catalogue: Catalogue) -> Bench:
    """Return the same bench with other models."""
    return replace(
        bench,
        catalogue=catalogue,
        prices=compile_prices(catalogue, datetime.now(UTC)),
        transports=open_transports(catalogue, {}),
    )


@contextmanager
def a_provider(
    folder: Path, overrides: Mapping[str, Mapping[str, object]] = MappingProxyType({})
) -> Iterator[Provider]:
    """Run the simulated provider for a while; its log is in `folder`.

    Args:
        folder: an empty one.
        overrides: by model, how it behaves otherwise: fields of the provider's `ModelOverride`.
    """
    port = ports.choose()
    provider = Provider(url=f"http://{ports.LOOPBACK}:{port}", log=folder / "provider.jsonl")
    config = folder / "provider.json"
    config.write_bytes(orjson.dumps({"defaults": BEHAVIOUR, "overrides": dict(overrides)}))
    command = ["-m", "streams.embedded.provider", "--port", str(port), "--config", str(config)]
    child = ChildProcess(
        name="simulated provider",
        command=[sys.executable, *command, "--log", str(provider.log)],
        folder=ROOT,
        log=folder / "provider.log",
    )
    try:
        _wait_for(child, provider)
        yield provider
    finally:
        child.kill()


def a_catalogue(url: str) -> Catalogue:
    """Return the catalogue of MODEL at that provider."""
    rules = {"name": "simulated", "simulated": True, "base_url": f"{url}/v1"}
    return catalogues.load(orjson.dumps({"providers": [rules], "models": [a_model(MODEL, "simulated")]}))


def a_model(name: str, provider: str) -> dict[str, object]:
    """Return a model as a catalogue has it, at the price that the evidence is held against."""
    price = {"input": INPUT_USD_PER_MILLION, "output": OUTPUT_USD_PER_MILLION}
    return {"name": name, "provider": provider, "tier": "small", "price": price, "context_tokens": 8000}


def _wait_for(child: ChildProcess, provider: Provider) -> None:
    give_up_s = time.monotonic() + PROVIDER_START_S_MAX
    with httpx.Client(trust_env=False) as client:
        while True:  # ends with an answer, or at give_up_s
            try:
                client.get(f"{provider.url}/healthz").raise_for_status()
            except httpx.HTTPError:
                if time.monotonic() > give_up_s or not child.running:
                    raise
                time.sleep(0.05)
            else:
                return
