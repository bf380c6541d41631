"""A replay sends what was there to where it failed, a bounded number of times."""

from collections.abc import AsyncIterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime

from hypothesis import given
from hypothesis import strategies as st

from schemas.base import Stage
from schemas.failures import RETRY_HEADERS
from schemas.headers import BATCH_OFFSETS
from streams.dead_letters import DeadLetter, Position, parse
from streams.replay import REPLAYS_MAX, plan_replay, refusal, replay_record

AT = datetime(2026, 1, 2, tzinfo=UTC)
ORIGIN = "pressline.task.classified.bulk.v1"
DEAD = "pressline.generate.dead.v1"


def a_letter(
    offset: int = 0,
    *,
    origin: str = ORIGIN,
    value: bytes | None = b"v",
    headers: Sequence[tuple[str, bytes | None]] = (),
    replayed: int = 0,
) -> DeadLetter:
    dlq = [("__dlq.errors.topic", origin.encode()), ("__dlq.errors.partition", b"3")]
    dlq += [("__dlq.errors.offset", b"42"), ("__dlq.errors.reason", b"provider_timeout")]
    count = [("replay-count", str(replayed).encode())] if replayed else []
    return parse(Position(DEAD, 0, offset), b"k", value, [*headers, *count, *dlq], AT)


async def batches(*letters: DeadLetter) -> AsyncIterator[list[DeadLetter]]:
    for letter in letters:
        yield [letter]


@given(
    st.none() | st.binary(max_size=50),
    st.lists(st.tuples(st.sampled_from(["ce_id", "traceparent", "x"]), st.none() | st.binary(max_size=9))),
)
def test_key_value_and_headers_go_back_as_they_were(
    value: bytes | None, headers: list[tuple[str, bytes | None]]
) -> None:
    letter = a_letter(value=value, headers=headers)

    record = replay_record(letter, Position(ORIGIN, 3, 42), "run-1")

    assert (record.topic, record.key, record.value) == (ORIGIN, b"k", value)
    assert list(record.headers)[: len(headers)] == headers


def test_three_headers_say_that_it_is_a_replay() -> None:
    letter = a_letter(7)

    headers = dict(replay_record(letter, Position(ORIGIN, 3, 42), "run-1").headers)

    assert headers == {"replay-of": f"{DEAD}/0/7".encode(), "replay-id": b"run-1", "replay-count": b"1"}


def test_the_headers_of_an_earlier_replay_are_replaced() -> None:
    earlier = [("replay-of", b"x"), ("replay-id", b"run-0")]
    letter = a_letter(headers=earlier, replayed=1)

    headers = list(replay_record(letter, Position(ORIGIN, 3, 42), "run-1").headers)

    assert [value for name, value in headers if name == "replay-count"] == [b"2"]
    assert [value for name, value in headers if name == "replay-id"] == [b"run-1"]


def test_a_replay_starts_anew_after_waits_in_retry_topics() -> None:
    letter = a_letter(headers=[(name, b"1") for name in sorted(RETRY_HEADERS)])

    headers = dict(replay_record(letter, Position(ORIGIN, 3, 42), "run-1").headers)

    assert headers.keys() & RETRY_HEADERS == set()


def test_a_record_that_came_back_too_often_stays_unless_forced() -> None:
    letter = a_letter(replayed=REPLAYS_MAX)

    assert refusal(a_letter(replayed=REPLAYS_MAX - 1)) is None
    assert "--force" in (refusal(letter) or "")
    assert refusal(letter, force=True) is None


def test_nothing_is_sent_to_a_topic_that_no_stage_takes() -> None:
    assert refusal(a_letter(origin="payments"), force=True) is not None
    assert refusal(parse(Position(DEAD, 0, 0), None, b"x", (), AT)) is not None


async def test_a_plan_counts_what_it_sends_and_what_it_leaves() -> None:
    letters = [
        a_letter(0),
        replace(a_letter(1), replayed_at=AT),
        a_letter(2, replayed=REPLAYS_MAX),
        a_letter(3),
        a_letter(4),
    ]

    plan = await plan_replay(batches(*letters), limit=2)

    assert plan.positions == {Position(DEAD, 0, 0), Position(DEAD, 0, 3)}
    assert plan.kinds == {(Stage.GENERATE, "provider_timeout"): 2}
    assert (plan.replayed, plan.beyond, list(plan.refused.values())) == (1, 1, [1])
    assert plan.wanted == 5


def test_a_whole_batch_is_never_sent_back_as_one_record() -> None:
    assert "whole record batch" in (refusal(a_letter(headers=[(BATCH_OFFSETS, b"5-9")]), force=True) or "")
