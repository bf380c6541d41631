import asyncio

import pytest

from fakes import virtual_time
from fakes.answer_store import FakeAnswerStore
from fakes.cached_answer import a_cache_key, a_cached_answer
from processors.errors import StoreUnavailableError
from processors.gateway.spared_store import STORE_S_MAX, TEXT_BYTES_MAX, SparedStore

KEY = a_cache_key()


class Rig:
    def __init__(self) -> None:
        self.inner = FakeAnswerStore()
        self.failed: list[str] = []
        self.store = SparedStore(self.inner, self.failed.append)


async def test_what_is_put_is_found() -> None:
    rig = Rig()

    await rig.store.put(KEY, a_cached_answer())

    assert await rig.store.find(KEY) == a_cached_answer()
    assert rig.failed == []


async def test_a_store_that_is_away_has_nothing_and_is_counted() -> None:
    rig = Rig()
    rig.inner.error = StoreUnavailableError("away")

    await rig.store.put(KEY, a_cached_answer())

    assert await rig.store.find(KEY) is None
    assert rig.failed == ["put", "find"]


async def test_a_bug_of_the_store_is_not_hidden() -> None:
    rig = Rig()
    rig.inner.error = LookupError("a bug")

    with pytest.raises(LookupError):
        await rig.store.find(KEY)


def test_a_slow_store_is_not_waited_for() -> None:
    async def scene() -> None:
        rig, loop = Rig(), asyncio.get_running_loop()
        rig.inner.gate = asyncio.Event()
        began_s = loop.time()

        assert await rig.store.find(KEY) is None
        await rig.store.put(KEY, a_cached_answer())

        assert loop.time() - began_s == pytest.approx(2 * STORE_S_MAX, abs=0.01)
        assert rig.failed == ["find", "put"]

    virtual_time.run(scene())


def test_a_store_that_does_not_even_let_go_is_not_waited_for() -> None:
    class Stubborn(FakeAnswerStore):
        async def _reached(self) -> None:
            try:
                await asyncio.sleep(10)
            finally:
                await asyncio.sleep(100)

    async def scene() -> None:
        rig, loop = Rig(), asyncio.get_running_loop()
        store = SparedStore(Stubborn(), rig.failed.append)
        began_s = loop.time()

        assert await store.find(KEY) is None

        assert loop.time() - began_s == pytest.approx(STORE_S_MAX, abs=0.01)
        assert rig.failed == ["find"]

    virtual_time.run(scene())


def test_who_is_cancelled_leaves_nothing_behind() -> None:
    async def scene() -> None:
        rig = Rig()
        rig.inner.gate = asyncio.Event()
        finding = asyncio.create_task(rig.store.find(KEY))
        await asyncio.sleep(0.1)

        finding.cancel()
        await asyncio.sleep(0.1)

        assert finding.cancelled()
        assert len(asyncio.all_tasks()) == 1
        assert rig.failed == []

    virtual_time.run(scene())


@pytest.mark.parametrize(("size", "kept"), [(TEXT_BYTES_MAX, True), (TEXT_BYTES_MAX + 1, False)])
async def test_oversized_answers_are_not_kept(size: int, *, kept: bool) -> None:
    rig = Rig()

    await rig.store.put(KEY, a_cached_answer("x" * size))

    assert bool(rig.inner.answers) is kept
    assert rig.failed == []
