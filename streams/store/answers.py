"""Answers made durable in groups: while one group is being written, the next one gathers."""

from typing import Final

from processors.gateway.journal import CallKey, JournaledAnswer
from streams.store.database import Database
from streams.store.groups import Groups
from streams.store.text import storable

_Answer = tuple[CallKey, JournaledAnswer]


class AnswerWriter:
    """Group commit: one statement and one flush of the disk for all answers that came meanwhile.

    An answer that was received and is not yet durable is bought again after a crash; so it waits for one
    statement at most, however many calls are in flight.

    Args:
        database: where the rows are; best with a connection that nothing else uses.
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        self._groups = Groups(self._write_group)

    async def write(self, key: CallKey, answer: JournaledAnswer) -> bool:
        """Make the answer durable. Returns False when its attempt was never opened.

        Raises:
            StoreUnavailableError: the database is away; writing again is harmless.
        """
        return await self._groups.put((key, answer))

    async def _write_group(self, group: list[_Answer]) -> list[bool]:
        rows = await self._database.fetch(CLOSE_ANSWERED, *_columns(group))
        closed = {(row["revision"], row["step"], row["attempt"]) for row in rows}
        return [(key.revision, key.step, answer.attempt) in closed for key, answer in group]


def _columns(group: list[_Answer]) -> list[list[object]]:
    return [list(column) for column in zip(*(_values(key, answer) for key, answer in group), strict=True)]


def _values(key: CallKey, answer: JournaledAnswer) -> tuple[object, ...]:
    usage, instead_of = answer.usage, answer.instead_of
    return (
        *(key.revision, key.step, answer.attempt),
        *(storable(answer.text), answer.finish_reason, answer.cost_usd),
        *(usage.input_fresh, usage.input_cache_read, usage.input_cache_write, usage.input_other),
        *(usage.output, usage.reasoning, answer.usage_estimated, answer.latency_s, answer.answered_at),
        *(answer.provider, answer.model, answer.simulated, answer.submission_id),
        *(answer.first_token_s, answer.response_model and storable(answer.response_model)),
        *((instead_of.model, instead_of.reason) if instead_of else (None, None)),
        answer.cache,
        # Names have no commas; an array of arrays could not be unnested row by row.
        ",".join(answer.trimmed),
    )


# The order of the columns is that of _values. Two answers of one attempt are the same answer, written twice.
CLOSE_ANSWERED: Final = """
UPDATE model_calls AS c
SET state = 'answered', text = a.text, finish_reason = a.finish_reason, cost_usd = a.cost_usd, error = NULL,
    input_fresh = a.input_fresh, input_cache_read = a.input_cache_read,
    input_cache_write = a.input_cache_write, input_other = a.input_other,
    output = a.output, reasoning = a.reasoning, usage_estimated = a.usage_estimated,
    latency_s = a.latency_s, closed_at = a.closed_at,
    provider = a.provider, model = a.model, simulated = a.simulated, submission_id = a.submission_id,
    first_token_s = a.first_token_s, response_model = a.response_model,
    fallback_from = a.fallback_from, fallback_reason = a.fallback_reason, cache = a.cache,
    trimmed = string_to_array(a.trimmed, ',')
FROM unnest($1::text[], $2::text[], $3::integer[], $4::text[], $5::text[], $6::numeric[],
            $7::bigint[], $8::bigint[], $9::bigint[], $10::bigint[], $11::bigint[], $12::bigint[],
            $13::boolean[], $14::double precision[], $15::timestamptz[],
            $16::text[], $17::text[], $18::boolean[], $19::text[], $20::double precision[], $21::text[],
            $22::text[], $23::text[], $24::text[], $25::text[])
     AS a (revision, step, attempt, text, finish_reason, cost_usd,
           input_fresh, input_cache_read, input_cache_write, input_other, output, reasoning,
           usage_estimated, latency_s, closed_at, provider, model, simulated, submission_id,
           first_token_s, response_model, fallback_from, fallback_reason, cache, trimmed)
WHERE c.revision = a.revision AND c.step = a.step AND c.attempt = a.attempt
RETURNING c.revision, c.step, c.attempt
"""
