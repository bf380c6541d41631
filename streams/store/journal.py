"""The paid-call journal and ledger: table `model_calls`."""

from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Final, TypeVar

from processors.errors import ClaimedElsewhereError, WorkersDiedError
from processors.gateway.budgets import Refused
from processors.gateway.journal import (
    DEATHS_MAX,
    CallIntent,
    CallJournal,
    CallKey,
    InsteadOf,
    JournaledAnswer,
    Opened,
)
from processors.gateway.wanted import Unwanted, always_wanted
from schemas.failures import FailureReason
from schemas.usage import CacheResult, Usage
from streams.store.adoptions import adopt
from streams.store.answers import AnswerWriter
from streams.store.budget_counters import EXPIRED
from streams.store.closing_notices import ClosingNotices
from streams.store.closings import SWEEP_S, Closings
from streams.store.database import Database, Row
from streams.store.groups import Groups
from streams.store.reservations import Reservations
from streams.store.text import storable
from streams.store.waiting import WAIT_S_MAX

DEAD_WORKER: Final = "the worker's lease ended while the call was open"
UNHEARD: Final = "the answer to its opening was lost: the call was never made"

T = TypeVar("T")


class PostgresCallJournal(CallJournal):
    """Each call is a row for each attempt: opened before the request, closed with what came of it.

    An intent that is open under this worker's own id counts as live: another task of this process is at it.

    Args:
        database: where the rows are.
        worker_id: this process; it holds a `WorkerLease`.
        answers: a connection that only answers are written through, so that they wait behind nothing.
        wait_s_max: seconds to wait for a live worker before giving up.
        sweep_s: seconds after which a wait whose notice was lost looks again; see `Closings`.
    """

    def __init__(
        self,
        database: Database,
        worker_id: str,
        *,
        answers: Database | None = None,
        wait_s_max: float = WAIT_S_MAX,
        sweep_s: float = SWEEP_S,
    ) -> None:
        self._database = database
        self._worker_id = worker_id
        self._wait_s_max = wait_s_max
        self._looks: Groups[CallKey, Row | None] = Groups(self._look_up)
        self._answers = AnswerWriter(answers or database)
        self._reservations = Reservations(database, worker_id)
        self._closings = Closings(database, worker_id, sweep_s=sweep_s)
        self._notices = ClosingNotices(database)
        self._opening: Counter[CallKey] = Counter()
        self._opened: dict[CallKey, int] = {}

    async def find(self, key: CallKey, unwanted: Unwanted = always_wanted) -> JournaledAnswer | None:
        """Return the answer of that call if there is one; see the port."""
        async for _ in self._closings.turns(key, self._wait_s_max, unwanted):
            row = await self._looks.put(key)
            if row is None or (row["state"] == "open" and not row["live"]):
                return None
            if row["state"] == "answered":
                return _answer(row)
        raise self._claimed_elsewhere(key)

    async def open(self, intent: CallIntent) -> Opened | JournaledAnswer | Refused:
        """Make the intent durable, unless the answer is there already; see the port."""
        return await self._unless_answered(intent.key, lambda: self._open(intent))

    async def adopt(self, intent: CallIntent, answer: JournaledAnswer) -> JournaledAnswer:
        """Make an answer durable that was bought for another call; see the port."""

        async def adopted() -> JournaledAnswer | None:
            attempt = await adopt(self._database, self._worker_id, intent, answer)
            return None if attempt is None else replace(answer, attempt=attempt)

        # Nobody has to be told: who waits for this call waits for an open attempt, and this one never was.
        return await self._unless_answered(intent.key, adopted)

    async def _unless_answered(
        self, key: CallKey, make: Callable[[], Awaitable[T | None]]
    ) -> T | JournaledAnswer:
        """Make the next attempt, unless there is an answer; `make` returns None while there is one open."""
        async for _ in self._closings.turns(key, self._wait_s_max):
            made = await make()
            if made is not None:
                return made
            row = await self._looks.put(key)
            if row is None:
                continue  # closed between the two statements: the next turn opens the next attempt
            if row["state"] == "answered":
                return _answer(row)
            if not row["live"]:
                await self._book_unknown(key, row["attempt"])
                made = await make()
                if made is not None:
                    return made
        raise self._claimed_elsewhere(key)

    async def answered(self, key: CallKey, answer: JournaledAnswer) -> None:
        """Make the answer durable, even where another worker has booked the attempt as unknown meanwhile.

        Raises:
            StoreUnavailableError: the database is away; answering again is harmless.
            LookupError: the attempt was never opened: a bug of the caller.
        """
        if not await self._answers.write(key, answer):
            raise LookupError(
                f"attempt {answer.attempt} of {key.step!r} of revision {key.revision} was answered, "
                "expected it to be opened first"
            )
        self._closed(key, answer.attempt)

    async def failed(self, key: CallKey, attempt: int, error: str, *, billed: bool) -> None:
        """Close the intent without an answer; an answer that is there stays. See the port."""
        await self._database.fetch(CLOSE_FAILED, key.revision, key.step, attempt, storable(error), billed)
        self._closed(key, attempt)

    async def disown(self, key: CallKey) -> None:
        """Close an intent that was opened here and not heard of; see the port."""
        if key in self._opening or key in self._opened or self._reservations.under_way(key):
            raise ClaimedElsewhereError(
                f"step {key.step!r} of revision {key.revision} is open under another task of this worker, "
                "expected none to be at it"
            )
        await self._database.fetch(DISOWN, key.revision, key.step, self._worker_id, UNHEARD)
        self._notices.closed(key)

    async def _book_unknown(self, key: CallKey, attempt: int) -> None:
        """Close what a dead worker left open, and see how many have died of it."""
        [row] = await self._database.fetch(
            BOOK_UNKNOWN, key.revision, key.step, attempt, DEAD_WORKER, [DEAD_WORKER, EXPIRED]
        )
        self._notices.closed(key)
        if row["deaths"] >= DEATHS_MAX:
            raise WorkersDiedError(
                f"{row['deaths']} workers ended while they made the call of step {key.step!r} of revision "
                f"{key.revision}, expected at most {DEATHS_MAX - 1}; see why they ended before a replay"
            )

    async def _look_up(self, keys: list[CallKey]) -> list[Row | None]:
        """Return what counts of each call: one statement for all that are asked for at once."""
        revisions, steps = [key.revision for key in keys], [key.step for key in keys]
        rows = await self._database.fetch(SELECT_CURRENT, revisions, steps, self._worker_id)
        found = {row["place"]: row for row in rows}
        return [found.get(place) for place in range(1, len(keys) + 1)]

    async def _open(self, intent: CallIntent) -> Opened | Refused | None:
        """Return the attempt that was made now, or the refusal; None when one is open or answered."""
        key = intent.key
        self._opening[key] += 1
        try:
            opened = await self._reservations.open(intent)
            if isinstance(opened, int):
                self._opened[key] = opened
        finally:
            self._opening[key] -= 1
            if not self._opening[key]:
                del self._opening[key]
        return Opened(opened) if isinstance(opened, int) else opened

    def _closed(self, key: CallKey, attempt: int) -> None:
        if self._opened.get(key) == attempt:
            del self._opened[key]
        self._notices.closed(key)

    def _claimed_elsewhere(self, key: CallKey) -> ClaimedElsewhereError:
        return ClaimedElsewhereError(
            f"step {key.step!r} of revision {key.revision} is still open under a live worker after "
            f"{self._wait_s_max} s, expected its answer by then"
        )


def _answer(row: Row) -> JournaledAnswer:
    usage = Usage.model_construct(**{name: row[name] for name in Usage.model_fields})
    return JournaledAnswer(
        attempt=row["attempt"],
        text=row["text"],
        finish_reason=row["finish_reason"],
        provider=row["provider"],
        model=row["model"],
        simulated=row["simulated"],
        usage=usage,
        usage_estimated=row["usage_estimated"],
        cost_usd=row["cost_usd"],
        submission_id=row["submission_id"],
        latency_s=row["latency_s"],
        answered_at=row["closed_at"],
        degraded_by=row["degraded_by"],
        first_token_s=row["first_token_s"],
        response_model=row["response_model"],
        instead_of=row["fallback_from"]
        and InsteadOf(row["fallback_from"], FailureReason(row["fallback_reason"])),
        cache=row["cache"] and CacheResult(row["cache"]),
        saved_usd=row["saved_usd"],
        trimmed=tuple(row["trimmed"]),
    )


# What counts of a call: its first answer, or else the intent that is open.
SELECT_CURRENT: Final = """
SELECT w.place, c.*
FROM unnest($1::text[], $2::text[]) WITH ORDINALITY AS w (revision, step, place)
CROSS JOIN LATERAL (
    SELECT attempt, state, text, finish_reason, provider, model, simulated, usage_estimated, cost_usd,
           input_fresh, input_cache_read, input_cache_write, input_other, output, reasoning,
           submission_id, latency_s, closed_at, degraded_by, first_token_s, response_model,
           fallback_from, fallback_reason, cache, saved_usd, trimmed,
           state = 'open' AND (worker_id = $3 OR worker_is_live(worker_id)) AS live
    FROM model_calls AS m
    WHERE m.revision = w.revision AND m.step = w.step AND m.state IN ('answered', 'open')
    ORDER BY m.state, m.attempt
    LIMIT 1
) AS c
"""

# The lease is looked at again: it may have been extended since it was read.
BOOK_UNKNOWN: Final = """
WITH booked AS (
    UPDATE model_calls SET state = 'unknown', cost_usd = cost_max_usd, error = $4, closed_at = now()
    WHERE revision = $1 AND step = $2 AND attempt = $3 AND state = 'open' AND NOT worker_is_live(worker_id)
    RETURNING attempt
)
SELECT (SELECT count(*) FROM booked) + count(*) AS deaths
FROM model_calls
WHERE revision = $1 AND step = $2 AND state = 'unknown' AND error = ANY ($5::text[])
"""

# What may have been billed is unknown at its worst case; what was not is free.
CLOSE_FAILED: Final = """
UPDATE model_calls
SET state = CASE WHEN $5 THEN 'unknown' ELSE 'failed' END,
    cost_usd = CASE WHEN $5 THEN cost_max_usd ELSE 0 END, error = $4, closed_at = now()
WHERE revision = $1 AND step = $2 AND attempt = $3 AND state <> 'answered'
"""

DISOWN: Final = """
UPDATE model_calls SET state = 'failed', cost_usd = 0, error = $4, closed_at = now()
WHERE revision = $1 AND step = $2 AND worker_id = $3 AND state = 'open'
"""
