"""A member's share rests from the end of its session on, until the group is heard again."""

import asyncio
from collections.abc import Callable, Coroutine

import pytest

from fakes import virtual_time
from streams.engine.session import Session

SESSION_S = 10.0


def played(scene: Callable[[Session], Coroutine[object, object, None]]) -> list[tuple[float, float]]:
    """Return what was told of the share, and when."""
    told: list[tuple[float, float]] = []

    async def run() -> None:
        loop = asyncio.get_running_loop()
        begun_s = loop.time()
        session = Session("g", SESSION_S, lambda share: told.append((round(loop.time() - begun_s, 3), share)))
        await scene(session)

    virtual_time.run(run())
    return told


def now_s() -> float:
    return asyncio.get_running_loop().time()


def test_a_share_rests_when_no_heartbeat_was_answered_for_a_session() -> None:
    async def scene(session: Session) -> None:
        session.give_up()
        session.hold(0.5)
        await asyncio.sleep(3 * SESSION_S)

    assert played(scene) == [(0.0, 0.0), (0.0, 0.5), (10.0, 0.0)]


def test_a_session_counts_from_when_the_heartbeat_went_out() -> None:
    async def scene(session: Session) -> None:
        session.give_up()
        session.hold(0.5)
        await asyncio.sleep(4.0)
        session.answered(now_s() - 1.0)
        await asyncio.sleep(3 * SESSION_S)

    assert played(scene) == [(0.0, 0.0), (0.0, 0.5), (13.0, 0.0)]


def test_a_share_that_rests_is_used_again_with_the_next_answer() -> None:
    async def scene(session: Session) -> None:
        session.give_up()
        session.hold(0.5)
        await asyncio.sleep(12.0)
        session.answered(now_s() - SESSION_S)  # an answer that comes a session late proves nothing
        await asyncio.sleep(1.0)
        session.answered(now_s())
        await asyncio.sleep(3 * SESSION_S)

    assert played(scene) == [(0.0, 0.0), (0.0, 0.5), (10.0, 0.0), (13.0, 0.5), (23.0, 0.0)]


def test_nothing_comes_back_of_a_share_that_was_given_up() -> None:
    async def scene(session: Session) -> None:
        session.give_up()
        session.hold(0.5)
        session.give_up()
        session.answered(now_s())
        await asyncio.sleep(3 * SESSION_S)

    assert played(scene) == [(0.0, 0.0), (0.0, 0.5), (0.0, 0.0)]


@pytest.mark.parametrize(
    ("join_s", "told"), [(4.0, [(4.0, 0.5), (10.0, 0.0)]), (12.0, [(12.0, 0.0), (13.0, 0.5), (23.0, 0.0)])]
)
def test_a_session_counts_from_when_the_member_asked_to_join(
    join_s: float, told: list[tuple[float, float]]
) -> None:
    async def scene(session: Session) -> None:
        session.give_up()
        await asyncio.sleep(join_s)
        session.hold(0.5)
        if join_s > SESSION_S:
            await asyncio.sleep(1.0)
            session.answered(now_s())
        await asyncio.sleep(3 * SESSION_S)

    assert played(scene) == [(0.0, 0.0), *told]
