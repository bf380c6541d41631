"""A record of a tier that cannot return ends its task, where it can be told."""

import pytest

from builders import a_classified, a_spend, a_task
from fakes.claim_store import FakeClaimStore
from processors.errors import InvalidRecordError, StoreUnavailableError
from schemas.base import Outcome, Stage
from schemas.codec import decode, encode
from schemas.events import TaskFinished
from schemas.headers import CLAIM_CHECK, CLAIM_CHECK_TYPE
from streams.engine.records import InRecord, OutRecord
from streams.envelope import Lineage, event_record
from streams.redelivery_endings import ending
from streams.topics import RETRY_TIERS

EVENT = event_record(a_classified(spend=a_spend()), Lineage(source="urn:test", replay=2))
ERROR = InvalidRecordError("header retry-of is missing")


def waiting(value: bytes | None = EVENT.value, **headers: str) -> InRecord:
    changed = {name: value.encode() for name, value in headers.items()}
    kept = tuple({**dict(EVENT.headers), **changed}.items())
    return InRecord(
        topic=RETRY_TIERS[0].topic, partition=0, offset=1, key=EVENT.key, value=value, headers=kept
    )


def finished(records: tuple[OutRecord, ...]) -> TaskFinished:
    [record] = records
    assert record.topic == "pressline.task.finished.v1"
    return decode(record.value, TaskFinished)


async def test_the_task_of_an_event_ends_as_dead_lettered() -> None:
    end = finished(await ending(waiting(), ERROR, FakeClaimStore()))

    assert (end.task, end.outcome, end.stage) == (a_task(), Outcome.DEAD_LETTERED, Stage.GENERATE)
    assert (end.reason, end.spend, end.replay) == (f"invalid_message: {ERROR}", a_spend(), 2)


async def test_an_event_behind_a_claim_check_ends_too() -> None:
    claims = FakeClaimStore()
    record = waiting(encode(await claims.put(EVENT.value or b"")), **{CLAIM_CHECK: CLAIM_CHECK_TYPE})

    assert finished(await ending(record, ERROR, claims)).task == a_task()
    claims.error = StoreUnavailableError("away")
    with pytest.raises(StoreUnavailableError):
        await ending(record, ERROR, claims)


@pytest.mark.parametrize(
    "record",
    [
        waiting(ce_type="foreign.v1"),
        waiting(ce_type="pressline.task.finished.v1"),
        waiting(ce_specversion="0.3"),
        waiting(b"\xff"),
        waiting(None),
        waiting(b"{}", **{CLAIM_CHECK: CLAIM_CHECK_TYPE}),
    ],
)
async def test_a_record_that_is_no_event_ends_nothing(record: InRecord) -> None:
    assert await ending(record, ERROR, FakeClaimStore()) == ()
