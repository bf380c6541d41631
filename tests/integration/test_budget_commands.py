"""`pressline budgets`, on a real ledger."""

import json
from decimal import Decimal
from pathlib import Path

import pytest
from click.testing import CliRunner

from fakes.budget_callers import COST_MAX, an_intent
from fixtures.store import a_live_worker
from streams.cli import main
from streams.store.database import Database
from streams.store.journal import PostgresCallJournal

pytestmark = pytest.mark.integration

BUDGETS = """
budgets:
  - {scope: team, name: team-1, window: day, soft_usd: 0.05, hard_usd: 5}
  - {scope: task, window: total, hard_usd: 1}
"""


@pytest.fixture
def environment(tmp_path: Path, empty_database_url: str) -> dict[str, str]:
    file = tmp_path / "budgets.yaml"
    file.write_text(BUDGETS)
    return {"PRESSLINE_DATABASE_URL": empty_database_url, "PRESSLINE_BUDGETS": str(file)}


def pressline(environment: dict[str, str], *arguments: str) -> str:
    result = CliRunner().invoke(main, ["budgets", *arguments], env=environment, catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result.output


async def open_a_call(database: Database) -> None:
    await a_live_worker(database, "worker-a")
    await PostgresCallJournal(database, "worker-a").open(an_intent("1", "caller"))


@pytest.fixture
async def _a_call(database: Database) -> None:
    await open_a_call(database)


@pytest.mark.usefixtures("_a_call")
def test_budgets_are_listed_with_what_is_left(environment: dict[str, str]) -> None:
    team, task = map(json.loads, pressline(environment, "list", "--json").splitlines())

    assert (team["scope"], team["name"], team["window"]) == ("team", "team-1", "day")
    assert (team["soft_usd"], team["hard_usd"]) == ("0.05", "5")
    assert (Decimal(team["settled_usd"]), Decimal(team["reserved_usd"])) == (Decimal(0), COST_MAX)
    assert Decimal(team["left_usd"]) == 5 - COST_MAX
    assert team["ends_at"].endswith("T00:00:00+00:00")
    assert (task["name"], task["ends_at"], task["simulated"]) == ("acme#caller", None, False)
    assert "acme#caller" in pressline(environment, "list")


@pytest.mark.usefixtures("_a_call")
def test_counters_are_made_from_the_ledger(environment: dict[str, str]) -> None:
    before = pressline(environment, "list", "--json")

    assert "2 counters made from the ledger" in pressline(environment, "rebuild")
    assert pressline(environment, "list", "--json") == before


def test_without_budgets_that_is_said(environment: dict[str, str]) -> None:
    assert "no budgets" in pressline(environment | {"PRESSLINE_BUDGETS": ""}, "list")
