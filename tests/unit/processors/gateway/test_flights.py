import asyncio
from collections import Counter
from dataclasses import dataclass

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fakes import virtual_time
from processors.errors import AbandonedError, DeadlinePassedError, LimitWaitError, ProcessingError
from processors.gateway.flights import LOOK_S, WAIT_S_MAX, Flights
from processors.gateway.wanted import Unwanted

TIMES_S = (0.0, 0.5, 1.0, 2.5, 7.0, 30.0)


@dataclass(frozen=True, kw_only=True)
class Caller:
    """When it comes, what it asks, how its own asking would go, and what happens to it meanwhile."""

    name: str
    comes_s: float
    takes_s: float
    lands: bool
    cancelled_s: float | None
    unwanted_s: float | None
    unwanted_by: type[ProcessingError]


CALLERS = st.builds(
    Caller,
    name=st.sampled_from("ab"),
    comes_s=st.sampled_from(TIMES_S),
    takes_s=st.sampled_from((*TIMES_S, WAIT_S_MAX, 2 * WAIT_S_MAX)),
    lands=st.booleans(),
    cancelled_s=st.none() | st.sampled_from(TIMES_S),
    unwanted_s=st.none() | st.sampled_from(TIMES_S),
    unwanted_by=st.sampled_from((AbandonedError, DeadlinePassedError)),
)


class OwnFailureError(Exception):
    """The asking of this very caller failed."""


class Scene:
    """Callers on one `Flights`, and who asked when."""

    def __init__(self) -> None:
        self.flights: Flights[int] = Flights()
        self.asked: Counter[str] = Counter()
        self.began_s = asyncio.get_running_loop().time()
        self.landed: dict[int, float] = {}

    @property
    def now_s(self) -> float:
        return asyncio.get_running_loop().time() - self.began_s

    async def call(self, number: int, caller: Caller) -> int:
        await asyncio.sleep(caller.comes_s)
        came_s = self.now_s

        def unwanted() -> ProcessingError | None:
            over = caller.unwanted_s is not None and self.now_s >= caller.comes_s + caller.unwanted_s
            return caller.unwanted_by("nobody wants it") if over else None

        try:
            return await self.board(number, caller, unwanted)
        except LimitWaitError:
            assert self.now_s - came_s >= WAIT_S_MAX - 0.01
            raise

    async def board(self, number: int, caller: Caller, unwanted: Unwanted) -> int:
        async with self.flights.board(caller.name, unwanted) as seat:
            if seat.landed is not None:
                return seat.landed
            assert not self.asked[caller.name]
            self.asked[caller.name] += 1
            try:
                await asyncio.sleep(caller.takes_s)
            finally:
                self.asked[caller.name] -= 1
            if not caller.lands:
                raise OwnFailureError(number)
            self.landed.setdefault(number, self.now_s)
            seat.land(number)
            return number

    async def run(self, callers: list[Caller]) -> list[int | BaseException]:
        tasks = [asyncio.create_task(self.call(n, caller)) for n, caller in enumerate(callers)]
        for task, caller in zip(tasks, callers, strict=True):
            if caller.cancelled_s is not None:
                asyncio.get_running_loop().call_later(caller.comes_s + caller.cancelled_s, task.cancel)
        return await asyncio.gather(*tasks, return_exceptions=True)


def check(scene: Scene, number: int, callers: list[Caller], ended: int | BaseException) -> None:
    """Nobody ends by what befell another one."""
    caller = callers[number]
    if isinstance(ended, int):
        assert callers[ended].name == caller.name
        assert ended in scene.landed
    elif isinstance(ended, asyncio.CancelledError):
        assert caller.cancelled_s is not None
    elif isinstance(ended, OwnFailureError):
        assert ended.args == (number,)
    elif not isinstance(ended, LimitWaitError):
        assert type(ended) is caller.unwanted_by
        assert caller.unwanted_s is not None


@settings(max_examples=100, deadline=None)
@given(st.lists(CALLERS, min_size=1, max_size=6))
def test_everyone_ends_by_an_answer_or_by_what_befell_itself(callers: list[Caller]) -> None:
    async def run() -> None:
        scene = Scene()
        ended = await scene.run(callers)
        for number, each in enumerate(ended):
            check(scene, number, callers, each)
        assert not scene.flights._flights
        assert not +scene.asked

    virtual_time.run(run())


def a_caller(**changes: object) -> Caller:
    fields: dict[str, object] = {
        "name": "a",
        "comes_s": 0.0,
        "takes_s": 1.0,
        "lands": True,
        "cancelled_s": None,
        "unwanted_s": None,
        "unwanted_by": AbandonedError,
    }
    return Caller(**{**fields, **changes})  # type: ignore[arg-type] # the test names the fields


def run(*callers: Caller) -> tuple[list[int | BaseException], float]:
    """How each ended, and after how many seconds the last one did."""

    async def scene() -> tuple[list[int | BaseException], float]:
        scene = Scene()
        return await scene.run(list(callers)), scene.now_s

    return virtual_time.run(scene())


def test_one_asks_and_all_are_answered() -> None:
    ended, took_s = run(*[a_caller()] * 20)

    assert ended == [0] * 20
    assert took_s == pytest.approx(1.0, abs=0.01)


def test_other_questions_do_not_wait() -> None:
    ended, took_s = run(a_caller(), a_caller(name="b"))

    assert ended == [0, 1]
    assert took_s == pytest.approx(1.0, abs=0.01)


@pytest.mark.parametrize("change", [{"lands": False}, {"cancelled_s": 0.5}])
def test_a_leader_that_ends_without_an_answer_hands_the_lead_on_to_one(change: dict[str, object]) -> None:
    ended, _ = run(a_caller(**change), *[a_caller()] * 3)

    assert isinstance(ended[0], OwnFailureError | asyncio.CancelledError)
    assert ended[1:] in ([1] * 3, [2] * 3, [3] * 3)


@pytest.mark.parametrize("error", [AbandonedError, DeadlinePassedError])
def test_a_waiter_that_nobody_wants_leaves_soon_and_alone(error: type[ProcessingError]) -> None:
    ended, _ = run(a_caller(takes_s=10.0), a_caller(unwanted_s=2.5, unwanted_by=error), a_caller())

    assert ended[0] == ended[2] == 0
    assert isinstance(ended[1], error)
    _, took_s = run(a_caller(takes_s=10.0, cancelled_s=9.0), a_caller(unwanted_s=2.5, unwanted_by=error))
    assert took_s == pytest.approx(9.0, abs=LOOK_S)


def test_who_has_waited_too_long_comes_again() -> None:
    ended, _ = run(a_caller(takes_s=2 * WAIT_S_MAX), a_caller(), a_caller(comes_s=1.5 * WAIT_S_MAX))

    assert isinstance(ended[1], LimitWaitError)
    assert (ended[0], ended[2]) == (0, 0)
