"""What is taken: bounded by lane, one of a key at a time, let go of exactly once."""

from hypothesis import given
from hypothesis import strategies as st

from streams.engine.intake import Arrival, Intake, IntakeSettings, Ordering
from streams.engine.partitions import HeldPartition
from streams.engine.records import InRecord
from streams.engine.window import Window

LIVE, BULK = "live.v1", "bulk.v1"


def an_intake(**bounds: object) -> Intake:
    settings = {"weights": {LIVE: 9, BULK: 1}, "records_max": 100, "bytes_max": 10_000} | bounds
    return Intake(IntakeSettings(**settings), lambda _topic, _tenant: False)  # type: ignore[arg-type]


def a_partition() -> HeldPartition:
    return HeldPartition(window=Window(0), committed=None)


def a_record(
    offset: int,
    topic: str = BULK,
    key: bytes | None = None,
    value: bytes = b"1234",
    timestamp_ms: int | None = None,
) -> InRecord:
    return InRecord(
        topic=topic,
        partition=0,
        offset=offset,
        key=key,
        value=value,
        headers=(),
        timestamp_ms=timestamp_ms,
    )


def all_next(intake: Intake) -> list[Arrival]:
    return list(iter(intake.next, None))


def test_a_full_lane_leaves_the_other_its_room() -> None:
    intake, held = an_intake(records_max=3), a_partition()
    for offset in range(3):
        intake.take(a_record(offset), held)

    assert intake.topics_with_room() == [LIVE]


def test_bytes_fill_a_lane_as_well() -> None:
    intake, held = an_intake(bytes_max=8), a_partition()
    intake.take(a_record(0), held)
    before = intake.topics_with_room()
    intake.take(a_record(1), held)

    assert (before, intake.topics_with_room()) == ([LIVE, BULK], [LIVE])


def test_in_key_order_the_next_of_a_key_waits_for_the_earlier_one() -> None:
    intake, held = an_intake(ordering=Ordering.KEY), a_partition()
    for offset, key in enumerate([b"a", b"a", b"b", None, None]):
        intake.take(a_record(offset, key=key), held)

    first = all_next(intake)
    intake.done(first[0].record, held)
    second = all_next(intake)

    assert [arrival.record.offset for arrival in first] == [0, 2, 3, 4]
    assert [arrival.record.offset for arrival in second] == [1]


def test_the_next_of_a_key_goes_before_what_is_younger_though_it_had_to_wait() -> None:
    intake, held = an_intake(ordering=Ordering.KEY), a_partition()
    for offset, key in enumerate([b"a", b"a", b"b", b"c"]):
        intake.take(a_record(offset, key=key, timestamp_ms=1000 + offset), held)
    first = intake.next()
    assert first is not None

    intake.done(first.record, held)

    assert [arrival.record.offset for arrival in all_next(intake)] == [1, 2, 3]


def test_what_an_earlier_owner_left_goes_before_what_is_younger() -> None:
    intake, held, came_back = an_intake(), a_partition(), a_partition()
    for offset in (7, 8):
        intake.take(a_record(offset, timestamp_ms=9000), held)

    intake.take(a_record(3, timestamp_ms=1000), came_back)

    assert [arrival.record.offset for arrival in all_next(intake)] == [3, 7, 8]


def test_what_waits_in_a_lost_partition_is_let_go_of_with_its_key() -> None:
    intake, held = an_intake(ordering=Ordering.KEY, records_max=2), a_partition()
    for offset in range(2):
        intake.take(a_record(offset, key=b"a"), held)

    held.lose()
    intake.sweep()

    assert (all_next(intake), held.parked) == ([], {})
    assert intake.topics_with_room() == [LIVE, BULK]


KEYS = st.lists(st.sampled_from([b"a", b"b", b"c", None]), max_size=40)


@given(keys=KEYS, lost_after=st.integers(0, 40), order=st.sampled_from(Ordering))
def test_everything_is_let_go_of_in_the_end(
    keys: list[bytes | None], lost_after: int, order: Ordering
) -> None:
    intake, held = an_intake(ordering=order, records_max=1, bytes_max=1), a_partition()
    for offset, key in enumerate(keys):
        intake.take(a_record(offset, key=key), held)
    worked: list[int] = []
    while (arrival := intake.next()) is not None:
        worked.append(arrival.record.offset)
        if len(worked) == lost_after:
            held.lose()
            intake.sweep()
        intake.done(arrival.record, held)

    assert held.lost or sorted(worked) == list(range(len(keys)))
    assert (len(intake), intake.topics_with_room(), held.parked) == (0, [LIVE, BULK], {})
