"""The end of a task whose record waited in a tier and cannot return."""

from processors.errors import PermanentError, ProcessingError
from schemas import headers
from schemas.base import Outcome, Stage
from schemas.codec import CLAIMED_BYTES_MAX, EVENT_BYTES_MAX, InvalidMessageError, decode
from schemas.events import Spend, StageInput, TaskFinished, TaskSubmitted
from streams.claim_checks import ClaimStore, claim_of, redeem
from streams.engine.records import InRecord, OutRecord
from streams.envelope import Lineage, event_record
from streams.pipeline import PIPELINE
from streams.topics import REDELIVERY, event_type

REASON_CHARS_MAX = 500
STAGES = {event_type(spec.takes): stage for stage, spec in PIPELINE.items()}
"""Whose event it is that waits, by its CloudEvents type."""


async def ending(record: InRecord, error: ProcessingError, claims: ClaimStore) -> tuple[OutRecord, ...]:
    """Return the terminal event of the task that the record is about; nothing where that cannot be told.

    Args:
        record: as it stands in the tier.
        error: why it cannot return.
        claims: where events are that were too large to travel.

    Raises:
        StoreUnavailableError: the event is stored, and the store is away.
    """
    text = headers.text_headers(record.headers)
    stage = STAGES.get(text.get("ce_type", ""))
    if stage is None:
        return ()
    try:
        context = headers.parse(record.headers, text["ce_type"])
        event = await _event(record, stage, claims)
    except (InvalidMessageError, PermanentError):
        return ()
    finished = TaskFinished(
        task=event.task,
        outcome=Outcome.DEAD_LETTERED,
        stage=stage,
        reason=f"{error.reason}: {error}"[:REASON_CHARS_MAX],
        spend=Spend() if isinstance(event, TaskSubmitted) else event.spend,
        replay=headers.replay_count(text),
    )
    source = f"urn:pressline:{REDELIVERY}"
    lineage = Lineage(source=source, traceparent=context.traceparent, replay=finished.replay)
    return (event_record(finished, lineage),)


async def _event(record: InRecord, stage: Stage, claims: ClaimStore) -> StageInput:
    check = claim_of(record.headers, record.value)
    if check is None:
        return decode(record.value, PIPELINE[stage].takes, EVENT_BYTES_MAX)
    return decode(await redeem(claims, check), PIPELINE[stage].takes, CLAIMED_BYTES_MAX)
