"""A record moves from tier to tier, is never early, and is late by less than the shortest tier."""

import heapq
import itertools
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from processors.disposition import Postpone
from processors.errors import EventTooLargeError, InvalidRecordError
from schemas import failures as names
from schemas.failures import FailureReason
from schemas.headers import text_headers
from streams.engine.records import Attempts, InRecord, OutRecord, Postponement
from streams.engine.tiers import not_before, tier_record
from streams.redelivery_routes import Routes
from streams.topics import RETRY_TIERS

NOW = datetime(2026, 1, 1, tzinfo=UTC)
ORIGIN = "pressline.task.classified.bulk.v1"
ROUTES = Routes(tiers=RETRY_TIERS, origins=frozenset({ORIGIN}), dead_topic="dead", group="g")
SHORTEST = timedelta(seconds=RETRY_TIERS[0].length_s)
LENGTHS = {tier.topic: timedelta(seconds=tier.length_s) for tier in RETRY_TIERS}
HOPS_MAX = 24 + 5 + 10 + 1
"""For a day: hours, tens of minutes, minutes, and what is left."""


def as_read(out: OutRecord) -> InRecord:
    return InRecord(
        topic=out.topic,
        partition=0,
        offset=0,
        key=out.key,
        value=out.value,
        headers=tuple(out.headers),
    )


def waiting(delay_s: float, at: datetime = NOW) -> OutRecord:
    record = InRecord(topic=ORIGIN, partition=0, offset=7, key=b"k", value=b"\xff", headers=(("x", b"\xfe"),))
    postponement = Postponement(
        disposition=Postpone(delay_s, FailureReason.PROVIDER_RATE_LIMITED), attempts=Attempts(), at=at
    )
    return tier_record(record, postponement, RETRY_TIERS)


@given(st.floats(30, 86_420))
def test_a_record_returns_when_it_is_due_after_stays_within_each_tiers_length(delay_s: float) -> None:
    out, now = waiting(delay_s), NOW
    first = out
    for _ in range(HOPS_MAX):
        if out.topic == ORIGIN:
            break
        leaves = ROUTES.leaves_at(as_read(out), now, now)
        assert now < leaves <= now + LENGTHS[out.topic]
        out, now = ROUTES.next_of(as_read(out), leaves), leaves

    assert (out.topic, out.key, out.value, out.headers) == (ORIGIN, b"k", b"\xff", first.headers)
    assert now == not_before(text_headers(out.headers), now)


Arrivals = list[tuple[float, float]]
"""After how many seconds a record came, and for how many it is to wait."""


@given(st.lists(st.tuples(st.floats(0, 600), st.floats(30, 8_000)), min_size=1, max_size=12))
def test_behind_others_a_record_is_late_by_less_than_the_shortest_tier(arrivals: Arrivals) -> None:
    """All in one partition of each tier: what stands behind a head leaves after it."""
    number = itertools.count()
    events = [
        (NOW + timedelta(seconds=came_s), next(number), waiting(wait_s, NOW + timedelta(seconds=came_s)))
        for came_s, wait_s in arrivals
    ]
    heapq.heapify(events)
    last_left = dict.fromkeys(LENGTHS, NOW)
    returned = 0
    while events:
        now, _, out = heapq.heappop(events)
        if out.topic == ORIGIN:
            late = now - not_before(text_headers(out.headers), now)
            assert timedelta() <= late < SHORTEST
            returned += 1
            continue
        record = as_read(out)
        left = max(ROUTES.leaves_at(record, now, now), last_left[out.topic])
        last_left[out.topic] = left
        heapq.heappush(events, (left, next(number), ROUTES.next_of(record, left)))
    assert returned == len(arrivals)


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {names.RETRY_OF: f"{ORIGIN}/0/0"},
        {names.RETRY_NOT_BEFORE: "0"},
        {names.RETRY_OF: f"{ORIGIN}/0/0", names.RETRY_NOT_BEFORE: "9" * 14},
        {names.RETRY_OF: "pressline.task.finished.v1/0/0", names.RETRY_NOT_BEFORE: "0"},
        {names.RETRY_OF: f"{RETRY_TIERS[0].topic}/0/0", names.RETRY_NOT_BEFORE: "0"},
    ],
)
def test_a_broken_record_becomes_a_dead_letter_at_once(headers: dict[str, str]) -> None:
    raw = tuple((name, value.encode()) for name, value in headers.items())
    record = InRecord(topic=RETRY_TIERS[0].topic, partition=5, offset=1, key=b"k", value=b"\xff", headers=raw)

    with pytest.raises(InvalidRecordError) as raised:
        ROUTES.next_of(record, NOW)
    out = ROUTES.dead(record, raised.value, NOW)

    assert ROUTES.leaves_at(record, NOW, NOW) <= NOW
    assert (out.topic, out.partition, out.key, out.value) == ("dead", 5, b"k", b"\xff")
    assert tuple(out.headers)[: len(raw)] == raw
    said = text_headers(out.headers)
    assert (said[names.DLQ_STAGE], said[names.DLQ_OFFSET]) == ("redelivery", "1")


def test_a_record_that_is_too_large_to_return_becomes_a_dead_letter() -> None:
    record = as_read(waiting(31.0))

    letter = ROUTES.dead(record, EventTooLargeError("large"), NOW)

    assert (letter.topic, letter.key, letter.value) == ("dead", record.key, record.value)
    assert text_headers(letter.headers)[names.DLQ_REASON] == "event_too_large"
