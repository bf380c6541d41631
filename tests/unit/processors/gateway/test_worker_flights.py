"""Of workers that ask the same at the same time one asks; nobody waits for one that has ended or for ever."""

import asyncio

import pytest

from fakes import virtual_time
from fakes.answer_store import FakeAnswerStore
from processors.errors import AbandonedError, LimitWaitError, ProcessingError, StoreUnavailableError
from processors.gateway.flights import LOOK_S, WAIT_S_MAX
from processors.gateway.spared_store import SparedStore
from processors.gateway.worker_flights import WorkerFlights

CALL_S = 5.0
ANSWER = "an answer"


class Workers:
    """Two workers that ask one question of a provider that takes CALL_S seconds."""

    def __init__(self) -> None:
        first = FakeAnswerStore("worker-1")
        self.stores = (first, FakeAnswerStore("worker-2", beside=first))
        self.failed: list[str] = []
        self.flights = [WorkerFlights(SparedStore(store, self.failed.append)) for store in self.stores]
        self.asked: list[int] = []
        self.brought: str | None = None
        self.unwanted: ProcessingError | None = None

    async def find(self) -> str | None:
        return self.brought

    async def ask(self, worker: int, *, call_s: float = CALL_S, fails: bool = False) -> str | None:
        async with self.flights[worker].board("q", lambda: self.unwanted, self.find) as found:
            if found is not None:
                return found
            self.asked.append(worker)
            await asyncio.sleep(call_s)
            self.brought = None if fails else ANSWER
            return self.brought

    def start(self, worker: int, *, call_s: float = CALL_S, fails: bool = False) -> asyncio.Task[str | None]:
        return asyncio.create_task(self.ask(worker, call_s=call_s, fails=fails))


def now_s() -> float:
    return asyncio.get_running_loop().time()


def test_two_that_ask_at_the_same_time_ask_once() -> None:
    async def scene() -> None:
        workers, began_s = Workers(), now_s()

        answers = await asyncio.gather(workers.ask(0), workers.ask(1))

        assert (set(answers), workers.asked) == ({ANSWER}, [0])
        assert now_s() - began_s <= CALL_S + LOOK_S + 0.01
        assert workers.stores[0].leaders == {}

    virtual_time.run(scene())


def test_what_came_between_the_last_look_and_the_lead_is_not_asked_again() -> None:
    async def scene() -> None:
        workers = Workers()
        workers.brought = ANSWER

        assert (await workers.ask(0), workers.asked) == (ANSWER, [])
        assert workers.stores[0].leaders == {}

    virtual_time.run(scene())


@pytest.mark.parametrize("cancelled", [False, True])
def test_a_leader_that_brings_nothing_hands_on(*, cancelled: bool) -> None:
    async def scene() -> None:
        workers = Workers()
        leader = workers.start(0, fails=True)
        await asyncio.sleep(1)
        waiter = workers.start(1)
        await asyncio.sleep(1)
        if cancelled:
            leader.cancel()

        assert await waiter == ANSWER
        assert workers.asked == [0, 1]

    virtual_time.run(scene())


def test_a_leader_that_has_ended_is_not_waited_for() -> None:
    async def scene() -> None:
        workers, began_s = Workers(), now_s()
        leader = workers.start(0, call_s=100.0)
        await asyncio.sleep(1)
        workers.stores[0].ended.add("worker-1")

        assert await workers.ask(1) == ANSWER
        assert now_s() - began_s <= 1 + CALL_S + 0.01
        leader.cancel()

    virtual_time.run(scene())


def test_a_wait_is_bounded() -> None:
    async def scene() -> None:
        workers = Workers()
        leader = workers.start(0, call_s=2 * WAIT_S_MAX)
        await asyncio.sleep(1)
        began_s = now_s()

        with pytest.raises(LimitWaitError, match="another worker has asked the same"):
            await workers.ask(1)

        assert now_s() - began_s == pytest.approx(WAIT_S_MAX, abs=LOOK_S)
        leader.cancel()

    virtual_time.run(scene())


def test_who_is_not_wanted_any_more_leaves_at_the_next_look() -> None:
    async def scene() -> None:
        workers = Workers()
        leader = workers.start(0)
        await asyncio.sleep(1)
        waiter = workers.start(1)
        await asyncio.sleep(0.1)
        began_s = now_s()
        workers.unwanted = AbandonedError("gone")

        with pytest.raises(AbandonedError):
            await waiter

        assert now_s() - began_s <= LOOK_S
        assert await leader == ANSWER

    virtual_time.run(scene())


def test_without_the_store_everybody_asks() -> None:
    async def scene() -> None:
        workers = Workers()
        for store in workers.stores:
            store.error = StoreUnavailableError("away")

        assert set(await asyncio.gather(workers.ask(0), workers.ask(1))) == {ANSWER}
        assert sorted(workers.asked) == [0, 1]
        assert sorted(workers.failed) == ["lead", "lead"]

    virtual_time.run(scene())
