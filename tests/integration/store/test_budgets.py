"""Budgets on real PostgreSQL: exact over processes, no leak, made from the ledger after a loss."""

import asyncio
import json
import os
import sys
from dataclasses import replace
from decimal import Decimal
from functools import partial
from pathlib import Path

import pytest

from fakes.budget_callers import COST, COST_MAX, RULES, an_answer, an_intent
from fixtures.broker import until
from fixtures.store import a_live_worker
from processors.errors import ClaimedElsewhereError, StoreUnavailableError, WorkersDiedError
from processors.gateway.budgets import Refused, window_end, window_start
from processors.gateway.journal import DEATHS_MAX, CallIntent, JournaledAnswer, Opened
from schemas.budgets import BudgetWindow
from streams.store.budget_counters import DEAD_S, PostgresBudgetCounters
from streams.store.database import Database
from streams.store.journal import PostgresCallJournal

pytestmark = pytest.mark.integration

ROOT = Path(__file__).parents[3]
PROCESSES, CALLERS = 4, 50
STEP_S_MAX = 60.0
COUNTED = """
SELECT scope, period, started_at, name, simulated, settled_usd, reserved_usd FROM budget_counters
WHERE settled_usd <> 0 OR reserved_usd <> 0 ORDER BY 1, 2, 3, 4, 5
"""


async def a_process(url: str, number: int, turn: str, end: str) -> asyncio.subprocess.Process:
    return await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "fakes.budget_callers", url, f"{turn}-{number}", str(CALLERS), turn, end),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        cwd=ROOT,
        env=os.environ | {"PYTHONPATH": f"{ROOT}{os.pathsep}{ROOT / 'tests'}"},
    )


async def read_line(process: asyncio.subprocess.Process) -> str:
    assert process.stdout is not None
    return (await asyncio.wait_for(process.stdout.readline(), STEP_S_MAX)).decode().strip()


async def at_once(processes: list[asyncio.subprocess.Process], expected: str) -> None:
    """Wait until all are there, then let all go on."""
    assert [await read_line(process) for process in processes] == [expected] * len(processes)
    for process in processes:
        assert process.stdin is not None
        process.stdin.write(b"\n")


async def ask(url: str, turn: str, end: str) -> tuple[int, int]:
    """Let PROCESSES times CALLERS ask at once; return how many were admitted and how many refused."""
    processes = [await a_process(url, number, turn, end) for number in range(PROCESSES)]
    try:
        await at_once(processes, "ready")
        await at_once(processes, "asked")
        told = [json.loads(await read_line(process)) for process in processes]
    finally:
        for process in processes:
            if process.returncode is None:
                process.kill()
            await process.wait()
    return sum(t["admitted"] for t in told), sum(t["refused"] for t in told)


@pytest.mark.parametrize("end", ["answered", "failed", "unknown", "killed"])
async def test_200_callers_of_four_processes_on_a_budget_of_one_call_get_one(
    database: Database, empty_database_url: str, end: str
) -> None:
    booked = {"answered": COST, "failed": Decimal(0), "unknown": COST_MAX, "killed": COST_MAX}[end]
    for turn in ("1", "2"):
        assert await ask(empty_database_url, turn, end) == (1, PROCESSES * CALLERS - 1)

    if end == "killed":
        await database.fetch("UPDATE workers SET lease_until = now() - make_interval(secs => $1)", DEAD_S + 1)
        assert await PostgresBudgetCounters(database).expire() == 2

    rows = await database.fetch("SELECT * FROM budget_counters")
    assert {row["reserved_usd"] for row in rows} == {Decimal(0)}
    by_team = {row["name"]: row["settled_usd"] for row in rows if row["scope"] == "team"}
    assert by_team == {"team-1": booked, "team-2": booked}
    [tenant] = [row["settled_usd"] for row in rows if row["scope"] == "tenant"]
    assert tenant == 2 * booked


async def a_journal(database: Database, worker_id: str = "worker-a") -> PostgresCallJournal:
    await a_live_worker(database, worker_id)
    return PostgresCallJournal(database, worker_id)


async def bought(journal: PostgresCallJournal, caller: str, **changes: object) -> JournaledAnswer:
    intent = replace(an_intent("1", caller), budgets=(), **changes)  # type: ignore[arg-type]
    opened = await journal.open(intent)
    assert isinstance(opened, Opened)
    await journal.answered(intent.key, an_answer(opened.attempt))
    return an_answer(opened.attempt)


async def test_a_budget_that_comes_later_knows_what_was_spent_before(database: Database) -> None:
    journal = await a_journal(database)
    await bought(journal, "before")

    refused = await journal.open(an_intent("1", "after"))

    assert isinstance(refused, Refused)
    assert refused.standing.settled_usd == COST


@pytest.mark.parametrize(
    "loss",
    [
        "TRUNCATE budget_counters",
        "DELETE FROM budget_counters WHERE scope = 'team'",
        "TRUNCATE budget_windows",
    ],
)
async def test_lost_counters_are_made_from_the_ledger_before_the_next_call(
    database: Database, loss: str
) -> None:
    journal = await a_journal(database)
    await journal.open(an_intent("1", "a"))
    before = await database.fetch(COUNTED)
    await database.fetch(loss)

    assert isinstance(await journal.open(an_intent("1", "b")), Refused)
    assert await database.fetch(COUNTED) == before


async def test_a_rebuild_counts_what_the_ledger_has_and_changes_nothing_else(database: Database) -> None:
    journal = await a_journal(database)
    await journal.open(an_intent("1", "open"))
    await journal.open(an_intent("2", "answered"))
    await journal.answered(an_intent("2", "answered").key, an_answer(1))
    before = await database.fetch(COUNTED)
    await database.fetch("UPDATE budget_counters SET settled_usd = 77")

    counters = PostgresBudgetCounters(database)
    made = await counters.rebuild({(rule.scope, rule.window) for rule in RULES})

    assert await database.fetch(COUNTED) == before
    assert made == len(before)


async def test_calls_go_on_while_counters_are_rebuilt_and_none_is_missed(database: Database) -> None:
    journal, counters = await a_journal(database), PostgresBudgetCounters(database)
    windows = {(rule.scope, rule.window) for rule in RULES}

    async def buy(number: int) -> None:
        intent = an_intent(str(number), "x")
        assert isinstance(await journal.open(intent), Opened)
        await journal.answered(intent.key, an_answer(1))

    await asyncio.gather(
        *(buy(number) for number in range(60)), *(counters.rebuild(windows) for _ in range(3))
    )

    [row] = await database.fetch("SELECT * FROM budget_counters WHERE scope = 'tenant'")
    assert (row["settled_usd"], row["reserved_usd"]) == (60 * COST, Decimal(0))


async def test_a_reservation_of_a_live_worker_does_not_expire(database: Database) -> None:
    journal = await a_journal(database)
    await journal.open(an_intent("1", "a"))

    assert await PostgresBudgetCounters(database).expire() == 0


async def test_a_worker_whose_reservation_expired_counts_among_those_that_died_of_the_call(
    database: Database,
) -> None:
    intent = replace(an_intent("1", "a"), budgets=())
    for number in range(1, DEATHS_MAX + 1):
        assert await (await a_journal(database, f"worker-{number}")).open(intent) == Opened(number)
        await database.fetch("UPDATE workers SET lease_until = now() - make_interval(secs => $1)", DEAD_S + 1)
        if number == 1:
            assert await PostgresBudgetCounters(database).expire() == 1

    with pytest.raises(WorkersDiedError):
        await (await a_journal(database, "heir")).open(intent)


async def test_many_closed_in_one_statement_settle_every_budget(database: Database) -> None:
    journals = [await a_journal(database, f"worker-{number}") for number in range(3)]

    async def buy(number: int) -> None:
        intent = an_intent(str(number % 40), f"caller-{number}")
        opened = await journals[number % 3].open(intent)
        if isinstance(opened, Opened):
            await journals[number % 3].answered(intent.key, an_answer(opened.attempt))

    await asyncio.gather(*(buy(number) for number in range(300)))

    [total] = await database.fetch(
        "SELECT sum(coalesce(cost_usd, 0)) AS settled, count(*) FILTER (WHERE state = 'open') AS open"
        " FROM model_calls"
    )
    assert total["open"] == 0
    for scope in ("team", "tenant", "feature"):
        [row] = await database.fetch(
            "SELECT sum(settled_usd) AS settled, sum(reserved_usd) AS reserved"
            " FROM budget_counters WHERE scope = $1",
            scope,
        )
        assert (row["settled"], row["reserved"]) == (total["settled"], Decimal(0))


async def test_windows_of_the_database_begin_where_the_rules_say(database: Database) -> None:
    moments = await database.fetch(
        "SELECT moment, period, budget_started_at(period, moment) AS start"
        " FROM generate_series(timestamptz '2024-01-31 23:59:59.9+00', '2026-12-31', '53 hours 7 minutes')"
        " AS moment, unnest(ARRAY['hour', 'day', 'week', 'month', 'total']) AS period"
    )

    for row in moments:
        window = BudgetWindow(row["period"])
        assert window_start(window, row["moment"]) == row["start"]
        end = window_end(window, row["start"])
        assert end is None or row["start"] <= row["moment"] < end


async def test_a_store_that_is_away_opens_no_call(empty_database_url: str, database: Database) -> None:
    await a_live_worker(database, "worker-a")
    away = await Database.open(empty_database_url, connections_max=1)
    journal = PostgresCallJournal(away, "worker-a")
    await away.close()

    with pytest.raises(StoreUnavailableError):
        await journal.open(an_intent("1", "a"))

    assert await database.fetch("SELECT FROM model_calls") == []


async def test_callers_that_leave_while_their_group_is_opened_leave_no_reservation(
    database: Database,
) -> None:
    journal = await a_journal(database)
    intents = [an_intent(str(number), "x") for number in range(30)]
    opening = [asyncio.create_task(journal.open(intent)) for intent in intents]
    await asyncio.sleep(0.005)  # the first is under way, the others wait behind it
    for task in opening:
        task.cancel()
    await asyncio.wait(opening)

    async def disowned(intent: CallIntent) -> bool:
        try:
            await journal.disown(intent.key)
        except ClaimedElsewhereError:
            return False
        return True

    for task, intent in zip(opening, intents, strict=True):
        if task.cancelled():
            await until(partial(disowned, intent))
        else:
            await journal.failed(intent.key, 1, "left", billed=False)

    assert await database.fetch("SELECT FROM model_calls WHERE state = 'open'") == []
    assert await database.fetch(COUNTED) == []
