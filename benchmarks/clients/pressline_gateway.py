"""Pressline's gateway as a worker opens it: journal, budgets, limits, breakers, prices, metrics."""

import secrets
import time
from pathlib import Path

import caller
from prometheus_client import CollectorRegistry

from processors.breakers import Breakers
from processors.gates import Gates
from processors.gateway.call_breakers import CALL_RULES
from processors.gateway.journal import CallJournal
from processors.gateway.metered import MeteredGateway
from processors.gateway.spared_store import NOTHING_KEPT
from processors.model import ChatMessage, ModelRequest
from schemas.task import Task
from schemas.usage import UsageRecorded
from streams.clock import SystemClock
from streams.collector import spare_collector
from streams.models import Models, open_models
from streams.settings import Settings
from streams.store.database import Database
from streams.store.journal import PostgresCallJournal
from streams.store.limit_leases import PostgresLeaseTable
from streams.store.workers import WorkerLease
from streams.telemetry import Telemetry
from streams.worker import DATABASE_CONNECTIONS_MAX

WORKER = f"bench-{secrets.token_hex(6)}"
CATALOGUE = """
providers:
  - name: local
    base_url: {url}
    limits: {{requests_per_minute: 10000000, tokens_per_minute: 10000000000, concurrency: 10000}}
models:
  - name: gpt-5-nano
    provider: local
    tier: small
    price: {{provider: openai, model: gpt-5-nano}}
    context_tokens: 400000
"""
BUDGETS = """
budgets:
  - {scope: tenant, window: month, hard_usd: 1000000}
  - {scope: team, name: seo, window: day, soft_usd: 100000, hard_usd: 200000}
"""


async def open_client(job: caller.Job) -> caller.Ask:
    """Return the call."""
    database = await Database.open(job.journal_url, connections_max=DATABASE_CONNECTIONS_MAX)
    answers = await Database.open(job.journal_url, connections_max=1)
    await WorkerLease(database, WORKER, ["generate"], lease_s=3600.0).register()
    journal = PostgresCallJournal(database, WORKER, answers=answers)
    return metered(open_gateway(job, journal, database), Telemetry(CollectorRegistry()))


def open_gateway(job: caller.Job, journal: CallJournal, database: Database) -> Models:
    """Return what a worker's stages reach models through, with this worker's whole share of the limits."""
    folder = Path(job.folder)
    (folder / "catalogue.yaml").write_text(CATALOGUE.format(url=job.url), encoding="utf-8")
    (folder / "budgets.yaml").write_text(BUDGETS, encoding="utf-8")
    settings = Settings(providers=folder / "catalogue.yaml", budgets=folder / "budgets.yaml")
    table = PostgresLeaseTable(database, WORKER)
    breakers = Breakers(CALL_RULES, time.monotonic)
    models = open_models(settings, journal, table, SystemClock(), Gates(), breakers, answers=NOTHING_KEPT)
    models.set_share(1.0)
    return models


def metered(models: Models, telemetry: Telemetry) -> caller.Ask:
    """Return the call as a stage makes it: its usage is noted and counted."""
    spare_collector()
    prompt = tuple(ChatMessage(**message) for message in caller.messages())

    async def ask(number: int) -> str:
        calls: list[UsageRecorded] = []
        gateway = MeteredGateway(models.gateway, calls, lambda: False, lambda _: None)
        answer = await gateway.complete(_request(number, prompt))
        telemetry.model_call(calls[0])
        return answer.text

    return ask


def _request(number: int, prompt: tuple[ChatMessage, ...]) -> ModelRequest:
    return ModelRequest(
        task=Task(task_id=f"route/{number}", recipe="bench", inputs={"number": number}, team="seo"),
        recipe="bench@1",
        revision=f"{WORKER}-{number}",
        step="write",
        model=caller.MODEL,
        messages=prompt,
        schema_name="page",
        schema=None,
        output_tokens_max=caller.OUTPUT_TOKENS_MAX,
    )


if __name__ == "__main__":
    caller.main(open_client)
