"""A process of callers of one journal: `python -m fakes.budget_callers URL WORKER CALLERS ROUND END`.

All callers open a call of their own on the same budget at once; those that were admitted end as END says:
`answered`, `failed`, `unknown`, or `killed` (the process leaves them open). Prints one JSON line: how many
were admitted and how many refused.
"""

import asyncio
import json
import sys
from decimal import Decimal

from builders import a_task
from fakes.journaled_answer import a_journaled_answer
from processors.gateway.budgets import Refused, applying
from processors.gateway.journal import CallIntent, CallKey, JournaledAnswer, Opened
from schemas.budgets import BudgetRule, BudgetScope, BudgetWindow
from streams.store.database import Database
from streams.store.journal import PostgresCallJournal
from streams.store.workers import WorkerLease

COST_MAX = Decimal("0.10")
COST = Decimal("0.02")
CONNECTIONS_MAX = 10
RULES = (
    BudgetRule(scope=BudgetScope.TEAM, window=BudgetWindow.TOTAL, hard_usd=COST_MAX),
    BudgetRule(scope=BudgetScope.TENANT, window=BudgetWindow.MONTH, hard_usd=Decimal(1000)),
    BudgetRule(scope=BudgetScope.FEATURE, window=BudgetWindow.DAY, soft_usd=Decimal(1000)),
)


def an_intent(turn: str, caller: str) -> CallIntent:
    """A call whose team belongs to this turn alone."""
    task = a_task(task_id=caller, team=f"team-{turn}")
    return CallIntent(
        key=CallKey(revision=f"{turn}-{caller}", step="write"),
        task=task,
        recipe="flight-route@0123456789ab",
        provider="simulated",
        model="small-1",
        simulated=False,
        cost_max_usd=COST_MAX,
        budgets=applying(RULES, task),
    )


def an_answer(attempt: int) -> JournaledAnswer:
    return a_journaled_answer(attempt, simulated=False, cost_usd=COST)


async def close(journal: PostgresCallJournal, intent: CallIntent, attempt: int, end: str) -> None:
    if end == "answered":
        await journal.answered(intent.key, an_answer(attempt))
    elif end != "killed":
        await journal.failed(intent.key, attempt, end, billed=end == "unknown")


async def main(url: str, worker: str, callers: int, turn: str, end: str) -> dict[str, int]:
    database = await Database.open(url, connections_max=CONNECTIONS_MAX)
    await WorkerLease(database, worker, ["generate"], lease_s=0.1 if end == "killed" else 60.0).register()
    journal = PostgresCallJournal(database, worker)
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    await asyncio.to_thread(sys.stdin.readline)
    intents = [an_intent(turn, f"{worker}-{number}") for number in range(callers)]
    answers = await asyncio.gather(*(journal.open(intent) for intent in intents))
    # Those that are admitted end only when nobody asks any more: else there is room for the next one.
    sys.stdout.write("asked\n")
    sys.stdout.flush()
    await asyncio.to_thread(sys.stdin.readline)
    for intent, answer in zip(intents, answers, strict=True):
        if isinstance(answer, Opened):
            await close(journal, intent, answer.attempt, end)
    await database.close()
    return {
        "admitted": sum(isinstance(answer, Opened) for answer in answers),
        "refused": sum(isinstance(answer, Refused) for answer in answers),
    }


if __name__ == "__main__":
    url, worker, callers, turn, end = sys.argv[1:]
    sys.stdout.write(json.dumps(asyncio.run(main(url, worker, int(callers), turn, end))) + "\n")
