"""A process that starts while its database or its broker is away."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import pytest
from aiokafka.errors import KafkaConnectionError, KafkaError, TopicAuthorizationFailedError

from fakes import virtual_time
from processors.errors import StoreUnavailableError
from streams import preparation
from streams.preparation import START_S_MAX, prepare
from streams.settings import Settings

SETTINGS = Settings(brokers="nowhere:9092", database_url="postgresql://nowhere/x")
Prepare = Callable[[list[Exception], list[Exception]], None]


@pytest.fixture
def away(monkeypatch: pytest.MonkeyPatch) -> Prepare:
    def stand_in(database: list[Exception], broker: list[Exception]) -> None:
        @asynccontextmanager
        async def migrated(_url: str) -> AsyncIterator[None]:
            if database:
                raise database.pop(0)
            yield

        async def create_missing(_brokers: str, _partitions: int, _replication: int) -> tuple[str, ...]:
            if broker:
                raise broker.pop(0)
            return ("made",)

        monkeypatch.setattr(preparation, "migrated", migrated)
        monkeypatch.setattr(preparation, "create_missing", create_missing)

    return stand_in


async def took_s() -> float:
    """Prepare and return how long that took."""
    loop = asyncio.get_running_loop()
    began_s = loop.time()
    assert await prepare(SETTINGS) == ("made",)
    return loop.time() - began_s


def test_what_is_away_for_a_while_is_waited_for_and_named(
    away: Prepare, caplog: pytest.LogCaptureFixture
) -> None:
    away([StoreUnavailableError("no database")] * 2, [KafkaConnectionError("no broker")])

    assert virtual_time.run(took_s()) == pytest.approx(3 * preparation.PAUSE_S, abs=0.01)

    assert ["no broker" in text for text in caplog.messages] == [False, False, True]
    assert caplog.messages[0] == "not there yet, tried again for 60 s: no database"


@pytest.mark.parametrize("error", [StoreUnavailableError("no database"), KafkaConnectionError("no broker")])
def test_what_stays_away_is_waited_for_no_longer_than_the_bound(away: Prepare, error: Exception) -> None:
    away([], [error] * 1000)

    async def scenario() -> float:
        loop = asyncio.get_running_loop()
        began_s = loop.time()
        with pytest.raises(type(error)):
            await prepare(SETTINGS)
        return loop.time() - began_s

    assert virtual_time.run(scenario()) == pytest.approx(START_S_MAX, abs=1.5 * preparation.PAUSE_S)


def test_what_waiting_does_not_mend_is_raised_at_once(away: Prepare) -> None:
    error: KafkaError = TopicAuthorizationFailedError("no right")
    away([], [error])

    with pytest.raises(TopicAuthorizationFailedError):
        virtual_time.run(took_s())
