"""One worker's life: it runs a round's records side by side, to their end or to its own."""

import asyncio
import contextlib
import time
import uuid
from collections.abc import AsyncIterator, Mapping

from fakes.stage_ports import some_ports
from processors.breakers import Breakers
from processors.gates import Gates
from processors.gateway.budget_book import BudgetBook
from processors.gateway.call_breakers import CALL_RULES
from processors.gateway.gateway import Gateway
from processors.gateway.journal import CallJournal
from processors.gateway.limits import limits_for
from processors.gateway.wire import Transport
from processors.generate import generate
from streams.clock import SystemClock
from streams.store.database import Database
from streams.store.journal import PostgresCallJournal
from streams.store.workers import WorkerLease

from .bench import BUDGETS, Bench
from .killing import Aim, KillingJournal, KillingTransport
from .plan import Round
from .records import a_recipe

CONNECTIONS_MAX = 3
LEASE_S, HEARTBEAT_S = 0.5, 0.1
"""Shorter than the product's, so that a dead worker's calls are soon taken over."""

SWEEP_S = 0.1
"""How often who waits for a call looks whether its worker's lease has ended."""


def work(bench: Bench, planned: Round, *, dies: bool) -> None:
    """Run all records of the round, in a process of its own.

    Args:
        bench: what they run on.
        planned: which records.
        dies: whether this worker is the one that is killed.
    """
    aim = Aim(failpoint=planned.failpoint, victim=planned.victim, witness=bench.witness) if dies else None
    asyncio.run(_work(bench, planned, aim))


async def _work(bench: Bench, planned: Round, aim: Aim | None) -> None:
    async with a_journal(bench) as journal, a_gateway(bench, journal, aim) as gateway:
        recipe = a_recipe(planned.steps)
        ports = some_ports(recipe=recipe, model=gateway, catalogue=bench.catalogue, clock=SystemClock())
        await asyncio.gather(*(generate(event, ports) for event in planned.events))


@contextlib.asynccontextmanager
async def a_journal(bench: Bench) -> AsyncIterator[PostgresCallJournal]:
    """The paid-call journal of a worker that is alive until its lease ends."""
    worker_id = uuid.uuid4().hex
    database = await Database.open(bench.database_url, connections_max=CONNECTIONS_MAX)
    answers = await Database.open(bench.database_url, connections_max=1)
    lease = WorkerLease(database, worker_id, ["generate"], heartbeat_s=HEARTBEAT_S, lease_s=LEASE_S)
    await lease.register()
    beating = asyncio.ensure_future(lease.run())
    yield PostgresCallJournal(database, worker_id, answers=answers, sweep_s=SWEEP_S)
    beating.cancel()
    await lease.release()
    await answers.close()
    await database.close()


@contextlib.asynccontextmanager
async def a_gateway(bench: Bench, journal: CallJournal, aim: Aim | None = None) -> AsyncIterator[Gateway]:
    """The gateway as a worker has it; only journal and transport know of the aim."""
    clock, limits = SystemClock(), limits_for(bench.catalogue)
    for each in limits.values():
        each.set_share(1.0)
    transports: Mapping[str, Transport] = bench.transports
    if aim is not None:
        journal = KillingJournal(journal, aim)
        transports = {n: KillingTransport(t, aim, bench.provider.log) for n, t in bench.transports.items()}
    yield Gateway(
        catalogue=bench.catalogue,
        prices=bench.prices,
        journal=journal,
        limits=limits,
        transports=transports,
        clock=clock,
        gates=Gates(),
        budgets=BudgetBook(BUDGETS, clock),
        breakers=Breakers(CALL_RULES, time.monotonic),
    )
    for transport in bench.transports.values():
        await transport.aclose()
