"""The model calls of one submission, without their texts: table `model_calls`."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Final

from schemas.usage import Usage
from streams.store.database import Database, Row

CALLS_MAX: Final = 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskCall:
    """One attempt of one model call.

    Attributes:
        step: path of the step in the run.
        attempt: number of the attempt, from 1.
        state: `open`, `answered`, `failed` or `unknown`.
        provider: who was asked.
        model: the model that was asked.
        response_model: the model that answered, as the provider names it, or None.
        simulated: whether the simulated provider answered.
        replayed: an earlier submission of the same work paid for it; this one paid nothing.
        usage: tokens.
        usage_estimated: whether they are our own count.
        cost_usd: what is booked: the price, or the worst case while that is not known.
        finish_reason: `stop` or `length`, or None without an answer.
        error: why there is no answer, or None.
        opened_at: when it was about to be made.
        latency_s: seconds from request to whole answer, or None.
        first_token_s: seconds from request to a stream's first word, or None.
        fallback_from: the model that was to answer and did not, or None.
        fallback_reason: why not, or None.
        cache: what the answer cache had (`hit`, `stale`, `miss`), or None where it was not asked.
        saved_usd: what the answer of the cache cost when it was bought.
        trimmed: parts of the prompt that were trimmed to fit the model's window.
    """

    step: str
    attempt: int
    state: str
    provider: str
    model: str
    response_model: str | None
    simulated: bool
    replayed: bool
    usage: Usage
    usage_estimated: bool
    cost_usd: Decimal
    finish_reason: str | None
    error: str | None
    opened_at: datetime
    latency_s: float | None
    first_token_s: float | None
    fallback_from: str | None
    fallback_reason: str | None
    cache: str | None
    saved_usd: Decimal
    trimmed: tuple[str, ...] = ()


class PostgresTaskCalls:
    """Calls by submission.

    Args:
        database: where the rows are.
    """

    def __init__(self, database: Database) -> None:
        self._database = database

    async def of(self, submission_id: str, revisions: Iterable[str], until: datetime) -> Sequence[TaskCall]:
        """Return the submission's calls and the answers that it found in the journal, in the order of time.

        Args:
            submission_id: which.
            revisions: of the work that it was planned to do.
            until: answers of other submissions that came later were not for this one (aware).

        Raises:
            StoreUnavailableError: the database is away.
        """
        rows = await self._database.fetch(SELECT, submission_id, sorted(revisions), until, CALLS_MAX)
        return [_call(row) for row in rows]


def _call(row: Row) -> TaskCall:
    usage = Usage.model_construct(**{name: row[name] for name in Usage.model_fields})
    rest = {name: value for name, value in row.items() if name not in Usage.model_fields}
    return TaskCall(usage=usage, **{**rest, "trimmed": tuple(row["trimmed"])})


SELECT: Final = """
SELECT step, attempt, state, provider, model, response_model, simulated, submission_id <> $1 AS replayed,
       input_fresh, input_cache_read, input_cache_write, input_other, output, reasoning, usage_estimated,
       coalesce(cost_usd, cost_max_usd) AS cost_usd, finish_reason, error, opened_at, latency_s,
       first_token_s, fallback_from, fallback_reason, cache, saved_usd, trimmed
FROM model_calls
WHERE revision = ANY($2::text[]) AND (submission_id = $1 OR (state = 'answered' AND closed_at <= $3))
ORDER BY opened_at, step, attempt
LIMIT $4
"""
