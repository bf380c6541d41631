import pytest

from fakes.loads import FakeLoads, a_batch, a_status
from processors.errors import StoreUnavailableError
from streams.progress import LoadProgress
from streams.watch import REST_S_MAX, STORE_AWAY_S_MAX, UnknownBatchError, Waiting, watch


class FakeTime:
    """Monotonic time that passes by sleeping only."""

    def __init__(self) -> None:
        self.now = 0.0

    def waiting(self) -> Waiting:
        return Waiting(now_s=lambda: self.now, sleep=self._sleep)

    async def _sleep(self, seconds: float) -> None:
        assert 0 < seconds <= REST_S_MAX
        self.now += seconds


AWAY = StoreUnavailableError("away")


async def watched(loads: FakeLoads, time: FakeTime, wait_s_max: float = 1000.0) -> list[LoadProgress]:
    looks: list[LoadProgress] = []
    last = await watch(loads, "b1-1", looks.append, wait_s_max=wait_s_max, waiting=time.waiting())
    assert looks[-1] is last
    return looks


async def test_the_watch_ends_when_all_rows_are_settled() -> None:
    loads = FakeLoads(
        a_status(accepted=10), a_status(published=9, accepted=1), a_status(published=9, in_review=1)
    )

    looks = await watched(loads, FakeTime())

    assert len(looks) == 3
    assert loads.finished == ["b1-1"]


async def test_calls_are_named_simulated_once_there_are_any() -> None:
    looks = await watched(FakeLoads(a_status(accepted=10), a_status(published=10, calls=10)), FakeTime())

    assert [look.simulated for look in looks] == [False, True]


async def test_the_watch_ends_at_its_bound_when_nothing_moves() -> None:
    time = FakeTime()

    looks = await watched(FakeLoads(a_status(accepted=10)), time, wait_s_max=90.0)

    assert time.now == 90.0
    assert looks[-1].stalled_s == 90.0


async def test_a_database_that_comes_back_is_waited_for() -> None:
    looks = await watched(FakeLoads(AWAY, AWAY, a_status(published=10)), FakeTime())

    assert len(looks) == 1


async def test_a_database_that_stays_away_ends_the_watch() -> None:
    time = FakeTime()

    with pytest.raises(StoreUnavailableError):
        await watched(FakeLoads(AWAY), time)
    assert time.now == STORE_AWAY_S_MAX


async def test_an_unknown_load_names_the_newest() -> None:
    loads = FakeLoads()
    await loads.create(a_batch(batch_id="b7-1"))

    with pytest.raises(UnknownBatchError, match=r"no load is named 'b1-1'; the newest are b7-1"):
        await watched(loads, FakeTime())
