"""What users of today's gateways complain about, a test each.

The table of complaints is in tests/README.md. Here are the tests that stand nowhere else, and the one that
holds the table against the suite.
"""

import ast
import asyncio
import gc
import re
import subprocess
import sys
import tracemalloc
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, cast

import pytest
from aiohttp import web
from hypothesis import given
from hypothesis import strategies as st

from builders import a_classified, a_plan, a_task
from fakes import provider_server, virtual_time
from fakes.catalogue import FakeCatalogue
from fakes.clock import FakeClock
from fakes.gateway_rig import GatewayRig, a_catalogue
from fakes.journal import FakeJournal
from fakes.model_request import a_request
from fakes.provider_server import ProviderServer, says, serving
from fakes.recipe_book import FakeRecipeBook
from fakes.transport import ScriptedTransport, a_completion, a_problem
from processors.errors import ProviderRejectedError, TransientError
from processors.gateway.budgets import Refused
from processors.gateway.journal import CallIntent, CallKey, JournaledAnswer, Opened
from processors.gateway.transport import open_transports
from processors.gateway.wanted import Unwanted, always_wanted
from processors.gateway.wire import WireAnswer, WireRequest
from processors.generate import generate
from processors.ports import Ports
from processors.recipe import CompiledRecipe, compile_recipe
from schemas.events import TaskGenerated

TESTS = Path(__file__).parents[1]
NAMED = re.compile(r"`([\w/]+\.py)::(\w+)`")
OUT_OF_SCOPE = "not there:"
COMPLAINTS_MIN = 14
"""As many rows has the list that they are taken from."""

IMPORT_S_MAX = 120.0

HEAVY = {
    *("litellm", "openai", "anthropic", "google", "tiktoken", "bpe_openai", "transformers", "torch", "numpy"),
    *("redis", "sqlalchemy", "pandas", "langchain", "opentelemetry", "genai_prices"),
}
"""SDKs, tokenizers, frameworks and stores that a gateway has no need of, or not before the first call."""

OFFLINE = """
import sys

def forbid(event, arguments):
    if event in {"socket.connect", "socket.getaddrinfo", "socket.gethostbyname", "socket.sendto"}:
        raise RuntimeError(f"{event}{arguments[1:]}")

sys.addaudithook(forbid)
import processors.gateway.gateway, streams.models
print(*sys.modules)

from datetime import UTC, datetime
from processors.gateway.catalogue import default
from processors.gateway.counts import of_text
from processors.gateway.prices import compile_prices

moment = datetime(2026, 11, 1, tzinfo=UTC)
print(f"{compile_prices(default(), moment).price('gpt-5-nano', of_text(1_000_000, 0), moment):.2f}")
"""
"""Imports and prices in a process that may open no connection: modules first, then the price."""

CALLS = 100
GROWTH_BYTES_MAX = 64
"""By call. A key that is kept takes more; what is made once, such as a cache, takes 22 of CALLS calls."""

STORE_S = 1.0
STORE_TURNS = 3
"""Times that a call waits for the store: what is known of it, its intent, its answer."""

RECIPE = {
    "recipe.yaml": b"""
name: note
key: "{{ topic }}"
inputs: inputs.json
steps: [{name: write, prompt: write.j2, output: page.json, output_tokens_max: 700}]
page: {slug: "{{ topic }}", title: "{{ steps.write.title }}", body: page.md.j2}
""",
    "inputs.json": b'{"type": "object", "properties": {"topic": {"type": "string"}}}',
    "page.json": b'{"type": "object", "required": ["title"]}',
    "write.j2": b"Write {{ topic }}",
    "page.md.j2": b"# {{ steps.write.title }}",
}


TABLE = (TESTS / "README.md").read_text("utf-8").partition("## Complaints")[2].partition("\n## ")[0]


def rows() -> list[tuple[str, str]]:
    found = [line.strip("| ").split(" | ") for line in TABLE.splitlines() if line.startswith("| ")]
    return [(complaint, answer) for complaint, answer in found[2:]]


def test_every_complaint_names_a_test_or_says_that_it_is_out_of_scope() -> None:
    assert len(rows()) >= COMPLAINTS_MIN
    assert [row for row in rows() if not NAMED.search(row[1]) and OUT_OF_SCOPE not in row[1]] == []


def test_every_named_test_exists() -> None:
    named = [found for _, answer in rows() for found in NAMED.findall(answer)]

    assert [(file, name) for file, name in named if name not in names_in(TESTS / file)] == []


def test_every_test_here_is_named_in_the_table() -> None:
    own = Path(__file__)
    named = {name for file, name in NAMED.findall(TABLE) if file == str(own.relative_to(TESTS))}

    assert {name for name in names_in(own) if not name.startswith("test_every_")} <= named


def names_in(file: Path) -> set[str]:
    functions = (ast.FunctionDef, ast.AsyncFunctionDef)
    tree = ast.walk(ast.parse(file.read_text("utf-8")))
    return {node.name for node in tree if isinstance(node, functions) and node.name.startswith("test_")}


async def test_every_re_ask_has_a_ledger_row_and_the_task_knows_what_all_of_them_cost() -> None:
    transport = ScriptedTransport(a_completion('{"no": "title"}'), a_completion('{"title": "All about tea"}'))
    rig = GatewayRig(a_catalogue(), transport)
    recipe = compile_recipe(RECIPE)
    task = a_task(recipe="note", inputs={"topic": "Tea"})
    revision = task.revision(recipe.version)
    plan = a_plan(recipe=recipe.ref, revision=revision, model=a_request().model)

    made = await generate(a_classified(task=task, plan=plan), ports(recipe, rig))

    rows = [row for attempts in rig.journal.calls.attempts.values() for row in attempts]
    assert isinstance(made, TaskGenerated)
    assert [row.intent.key.step for row in rows] == ["write", "write/repair-1"]
    assert made.spend.calls == 2
    assert made.spend.cost_usd == sum(row.cost_usd or 0 for row in rows) == 2 * (rows[0].cost_usd or 0) > 0


def ports(recipe: CompiledRecipe, rig: GatewayRig) -> Ports:
    unused = cast("Any", None)
    return Ports(
        clock=FakeClock(),
        recipes=FakeRecipeBook(recipe),
        catalogue=FakeCatalogue(),
        model=rig.gateway,
        pages=unused,
        publications=unused,
    )


class ForgetfulTransport(ScriptedTransport):
    """Keeps nothing; every tenth call is rejected."""

    calls = 0

    async def send(self, request: WireRequest) -> WireAnswer:
        del request
        self.calls += 1
        return a_problem(400) if self.calls % 10 == 0 else a_completion()


class ForgetfulJournal(FakeJournal):
    """Forgets a call that is closed."""

    async def answered(self, key: CallKey, answer: JournaledAnswer) -> None:
        await super().answered(key, answer)
        self.calls.attempts.clear()

    async def failed(self, key: CallKey, attempt: int, error: str, *, billed: bool) -> None:
        await super().failed(key, attempt, error, billed=billed)
        self.calls.attempts.clear()


async def growth_bytes(rig: GatewayRig) -> float:
    """What CALLS calls of as many tasks and tenants leave behind, in bytes by call."""

    async def ask(start: int) -> None:
        for number in range(start, start + CALLS):
            task = a_task(task_id=f"task-{number}", tenant=f"tenant-{number}", batch_id=f"batch-{number}")
            try:
                await rig.gateway.complete(a_request(task=task, revision=f"{number:020}"))
            except ProviderRejectedError:
                continue

    await ask(0)
    gc.collect()
    tracemalloc.start()
    try:
        await ask(CALLS)
        gc.collect()
        return tracemalloc.get_traced_memory()[0] / CALLS
    finally:
        tracemalloc.stop()


async def test_a_gateway_holds_nothing_of_the_calls_that_it_has_made() -> None:
    rig = GatewayRig(a_catalogue(), ForgetfulTransport(), ForgetfulJournal())

    assert await growth_bytes(rig) < GROWTH_BYTES_MAX


async def test_what_is_held_of_every_call_is_seen_by_that_measure() -> None:
    rig = GatewayRig(a_catalogue(), ForgetfulTransport(), FakeJournal())

    assert await growth_bytes(rig) > GROWTH_BYTES_MAX


@pytest.fixture(scope="module")
def offline() -> list[str]:
    run = subprocess.run(  # noqa: S603 - our own interpreter and text
        [sys.executable, "-c", OFFLINE],
        cwd=TESTS.parent,
        capture_output=True,
        text=True,
        timeout=IMPORT_S_MAX,
        check=False,
    )
    assert run.returncode == 0, run.stderr
    return run.stdout.splitlines()


def test_an_import_opens_no_connection_and_loads_no_sdk_tokenizer_or_framework(offline: list[str]) -> None:
    loaded = {name.partition(".")[0] for name in offline[0].split()}

    assert "processors" in loaded
    assert loaded & HEAVY == set()


def test_prices_are_bundled_and_need_no_network(offline: list[str]) -> None:
    assert offline[1] == "0.05"


@pytest.mark.parametrize(
    "behaviour",
    [
        says(a_problem(429, retry_after="0")),
        says(a_problem(500)),
        says(a_problem(503, x_should_retry="true")),
        provider_server.hangs_up,
        provider_server.cuts,
    ],
    ids=["429", "500", "should-retry", "hangs-up", "cut"],
)
async def test_nothing_beneath_the_engine_tries_again(behaviour: Any) -> None:
    server = ProviderServer()
    server.behaviour = behaviour
    async with serving(server) as base_url, connected(base_url) as rig:
        with pytest.raises(TransientError):
            await rig.gateway.complete(a_request())

    assert len(server.calls) == 1


@asynccontextmanager
async def connected(base_url: str) -> AsyncIterator[GatewayRig]:
    catalogue = a_catalogue(base_url=base_url)
    transport = open_transports(catalogue, {})["p"]
    try:
        yield GatewayRig(catalogue, transport)
    finally:
        await transport.aclose()


class SlowJournal(FakeJournal):
    """A store whose every answer takes STORE_S."""

    async def find(self, key: CallKey, unwanted: Unwanted = always_wanted) -> JournaledAnswer | None:
        await asyncio.sleep(STORE_S)
        return await super().find(key, unwanted)

    async def open(self, intent: CallIntent) -> Opened | JournaledAnswer | Refused:
        await asyncio.sleep(STORE_S)
        return await super().open(intent)

    async def answered(self, key: CallKey, answer: JournaledAnswer) -> None:
        await asyncio.sleep(STORE_S)
        await super().answered(key, answer)


def test_a_slow_store_delays_each_call_by_its_own_time_and_none_by_the_others() -> None:
    async def scenario() -> float:
        rig = GatewayRig(a_catalogue(), ForgetfulTransport(), SlowJournal())
        began_s = asyncio.get_running_loop().time()
        await asyncio.gather(
            *(rig.gateway.complete(a_request(revision=f"{number:020}")) for number in range(200)),
            return_exceptions=True,
        )
        return asyncio.get_running_loop().time() - began_s

    assert virtual_time.run(scenario()) == pytest.approx(STORE_TURNS * STORE_S, abs=0.5)


async def test_a_client_in_use_outlives_the_closing_of_another_to_the_same_provider() -> None:
    asked, go_on = asyncio.Event(), asyncio.Event()

    async def waits(request: web.Request) -> web.StreamResponse:
        asked.set()
        await go_on.wait()
        return await says(a_completion())(request)

    server = ProviderServer()
    server.behaviour = waits
    async with serving(server) as base_url, connected(base_url) as rig:
        async with connected(base_url):
            running = asyncio.ensure_future(rig.gateway.complete(a_request()))
            await asked.wait()
        go_on.set()

        assert (await running).text


@given(st.text(min_size=1, max_size=30), st.integers(0, 29), st.characters(codec="utf-8"))
def test_inputs_that_differ_in_one_character_never_share_an_answer(text: str, at: int, other: str) -> None:
    at %= len(text)
    changed = text[:at] + other + text[at + 1 :]

    one, two = (a_task(inputs={"city": each}).revision("1") for each in (text, changed))

    assert (one == two) == (text == changed)


async def test_a_prompt_with_one_other_character_is_asked_anew() -> None:
    transport = ScriptedTransport(a_completion("one"), a_completion("two"))
    rig = GatewayRig(a_catalogue(), transport)

    answers = [
        (await rig.gateway.complete(a_request(revision=a_task(inputs={"n": n}).revision("1")))).text
        for n in ("10", "1O", "10")
    ]

    assert answers == ["one", "two", "one"]
    assert len(transport.requests) == 2
