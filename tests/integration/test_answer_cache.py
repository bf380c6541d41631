"""The answer cache whole: real gateway, real PostgreSQL, the simulated provider over HTTP and its own log."""

import asyncio
import time
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any, cast

import httpx
import orjson
import pytest

from builders import a_classified, a_plan, a_task
from fakes.catalogue import FakeCatalogue
from fakes.clock import FakeClock
from fakes.recipe_book import FakeRecipeBook
from fixtures.store import a_live_worker
from processors.breakers import BreakerRules, Breakers
from processors.gates import Gates
from processors.gateway.budget_book import BudgetBook
from processors.gateway.catalogue import load
from processors.gateway.gateway import Gateway
from processors.gateway.limits import limits_for
from processors.gateway.prices import compile_prices
from processors.gateway.spared_store import SparedStore
from processors.gateway.transport import HttpTransport, open_transports
from processors.generate import generate
from processors.ports import Ports
from processors.recipe import CompiledRecipe, compile_recipe
from schemas.base import Tier
from schemas.events import TaskGenerated
from schemas.usage import CacheResult, Usage
from streams.embedded.provider import config
from streams.embedded.provider.server import ProviderServer
from streams.store.cached_answers import PostgresAnswerStore
from streams.store.database import Database
from streams.store.journal import PostgresCallJournal

pytestmark = pytest.mark.integration

UNUSED = cast("Any", None)
TTL_S, STALE_S = 60, 600
CONFIGURATION = f"""
name: note
key: "{{{{ topic }}}}"
inputs: inputs.json
steps: [{{name: write, prompt: write.j2, output: page.json, cache: {{ttl_s: {TTL_S}, stale_s: {STALE_S}}}}}]
page: {{slug: "{{{{ topic }}}}", title: "{{{{ steps.write.title }}}}", body: page.md.j2}}
"""
PAGE = {
    "type": "object",
    "properties": {"title": {"type": "string", "minLength": 3}},
    "required": ["title"],
    "additionalProperties": False,
}
CATALOGUE = """
providers: [{name: p, base_url: "%s/v1"}]
models: [{name: gpt-5-nano, provider: p, tier: small, price: {input: 1, output: 2}, context_tokens: 8000}]
"""


def a_recipe() -> CompiledRecipe:
    return compile_recipe(
        {
            "recipe.yaml": CONFIGURATION.encode(),
            "inputs.json": b'{"type": "object", "properties": {"topic": {"type": "string"}}}',
            "page.json": orjson.dumps(PAGE),
            "write.j2": b"Write about {{ topic }}.",
            "page.md.j2": b"# {{ steps.write.title }}",
        }
    )


class Rig:
    """The stage generate of one worker."""

    def __init__(self, database: Database, url: str, log: Path, worker_id: str = "worker-1") -> None:
        catalogue = load((CATALOGUE % url).encode())
        self.url = url
        self.log = log
        self.recipe = a_recipe()
        self.clock = FakeClock(datetime.now(UTC))  # rows that are over are deleted by the server's clock
        self.transports: dict[str, HttpTransport] = open_transports(catalogue, {})
        limits = limits_for(catalogue)
        limits["p"].set_share(1.0)
        gateway = Gateway(
            catalogue=catalogue,
            prices=compile_prices(catalogue, self.clock.now()),
            journal=PostgresCallJournal(database, worker_id),
            limits=limits,
            transports=self.transports,
            clock=self.clock,
            gates=Gates(),
            budgets=BudgetBook((), self.clock),
            breakers=Breakers(BreakerRules(), time.monotonic),
            answers=SparedStore(PostgresAnswerStore(database, worker_id), pytest.fail),
        )
        self.ports = Ports(
            clock=self.clock,
            recipes=FakeRecipeBook(self.recipe),
            catalogue=FakeCatalogue({Tier.SMALL: "gpt-5-nano"}),
            model=gateway,
            pages=UNUSED,
            publications=UNUSED,
        )

    async def make(self, task_id: str, *, topic: str = "tea", tenant: str = "acme") -> TaskGenerated:
        task = a_task(task_id=task_id, tenant=tenant, recipe="note", inputs={"topic": topic})
        plan = a_plan(recipe=self.recipe.ref, revision=task.revision(self.recipe.version), model="gpt-5-nano")
        made = await generate(a_classified(task=task, plan=plan), self.ports)
        assert isinstance(made, TaskGenerated)
        return made

    async def behave(self, **faults: float) -> None:
        """Let the provider fail by these shares from now on."""
        defaults = {"latency": {"kind": "fixed", "seconds": 0.05}, "faults": faults}
        async with httpx.AsyncClient(trust_env=False) as client:
            (await client.put(f"{self.url}/simulated/defaults", json=defaults)).raise_for_status()

    @property
    def requests(self) -> int:
        lines = [orjson.loads(line) for line in self.log.read_bytes().splitlines()]
        return sum(line["event"] == "request" for line in lines)


@pytest.fixture
async def rig(database: Database, tmp_path: Path) -> AsyncIterator[Rig]:
    log = tmp_path / "log.jsonl"
    server = ProviderServer(
        config.load_config(
            None, log_path=log, port=0, defaults={"latency": {"kind": "fixed", "seconds": 0.05}}
        )
    )
    await a_live_worker(database, "worker-1")
    rig = Rig(database, await server.start(), log)
    yield rig
    for transport in rig.transports.values():
        await transport.aclose()
    await server.stop()


def cache_of(made: TaskGenerated) -> CacheResult | None:
    return made.steps[-1].cache


async def test_the_same_question_is_bought_once_for_each_tenant_and_again_after_its_time(rig: Rig) -> None:
    first, second = [await rig.make(task_id) for task_id in ("one", "two")]

    assert rig.requests == 1
    assert second.document == first.document
    assert (cache_of(first), cache_of(second)) == (CacheResult.MISS, CacheResult.HIT)
    assert (second.spend.calls, second.spend.cost_usd, second.spend.usage) == (0, Decimal(0), Usage())
    assert (second.spend.cache_hits, second.spend.saved_usd) == (1, first.spend.cost_usd)

    await rig.make("three", tenant="other")
    assert rig.requests == 2
    await rig.make("four", topic="milk")
    assert rig.requests == 3

    rig.clock.move(timedelta(seconds=TTL_S))
    assert cache_of(await rig.make("five")) is CacheResult.MISS
    assert rig.requests == 4
    assert await rig.make("two") == second  # a record that comes again
    assert rig.requests == 4


async def test_twenty_at_once_are_one_request(rig: Rig) -> None:
    made = await asyncio.gather(*(rig.make(f"task-{number}") for number in range(20)))

    assert rig.requests == 1
    assert sorted(str(cache_of(each)) for each in made) == ["hit"] * 19 + ["miss"]
    assert len({each.document.title for each in made}) == 1


async def test_two_workers_that_ask_at_the_same_time_ask_once(rig: Rig, database: Database) -> None:
    await a_live_worker(database, "worker-2")
    other = Rig(database, rig.url, rig.log, "worker-2")

    made = await asyncio.gather(
        *(each.make(f"{place}-{number}") for number in range(5) for place, each in enumerate((rig, other)))
    )

    assert rig.requests == 1
    assert len({each.document.title for each in made}) == 1
    assert await database.fetch("SELECT flight FROM answer_flights") == []
    for transport in other.transports.values():
        await transport.aclose()


async def test_a_provider_that_is_down_leads_to_a_marked_stale_answer(rig: Rig) -> None:
    first = await rig.make("one")
    bought_at = rig.clock.now()
    await rig.behave(http_503=1.0)
    rig.clock.move(timedelta(seconds=TTL_S))

    stale = await rig.make("two")

    assert stale.document == first.document
    assert cache_of(stale) is CacheResult.STALE
    assert stale.steps[-1].degraded_by == f"stale answer of {bought_at.isoformat(timespec='seconds')}"
    assert (stale.spend.calls, rig.requests) == (0, 2)
    assert await rig.make("two") == stale


async def test_an_invalid_answer_is_never_given_to_another_task(rig: Rig) -> None:
    await rig.behave(wrong_schema=1.0)
    with pytest.raises(Exception, match="still invalid after its repair"):
        await rig.make("one")
    bad = rig.requests
    await rig.behave()

    assert cache_of(await rig.make("two")) is CacheResult.MISS
    assert cache_of(await rig.make("three")) is CacheResult.HIT
    assert (bad, rig.requests) == (2, 3)
