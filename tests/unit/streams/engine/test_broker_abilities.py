"""What is said of a broker that can do less than Apache's."""

from typing import Any

import pytest
from aiokafka.errors import KafkaConnectionError, UnsupportedVersionError

from streams.doctor.finding import Status
from streams.doctor.services import judge_abilities
from streams.engine import broker_abilities
from streams.engine.broker_abilities import BrokerAbilities


class RefusedProducer:
    """A producer whose start the broker answers with an error."""

    error: Exception

    def __init__(self, **_: Any) -> None:
        self.stopped = False

    async def start(self) -> None:
        raise self.error

    async def stop(self) -> None:
        self.stopped = True


async def test_a_broker_that_refuses_idempotent_producers_is_known(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(broker_abilities, "AIOKafkaProducer", RefusedProducer)
    monkeypatch.setattr(RefusedProducer, "error", UnsupportedVersionError(), raising=False)

    assert await broker_abilities._takes_idempotent("kafka.example:9092") is False


async def test_a_broker_that_is_away_is_not_taken_for_one_that_refuses(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(broker_abilities, "AIOKafkaProducer", RefusedProducer)
    monkeypatch.setattr(RefusedProducer, "error", KafkaConnectionError(), raising=False)

    with pytest.raises(KafkaConnectionError):
        await broker_abilities._takes_idempotent("kafka.example:9092")


@pytest.mark.parametrize(
    ("abilities", "lines", "status"),
    [
        (BrokerAbilities(), 0, Status.OK),
        (BrokerAbilities(metadata_bytes_max=0), 1, Status.WARN),
        (BrokerAbilities(idempotent=False), 1, Status.WARN),
        (BrokerAbilities(metadata_bytes_max=128, idempotent=False), 2, Status.WARN),
    ],
)
def test_each_weakness_is_told(abilities: BrokerAbilities, lines: int, status: Status) -> None:
    assert len(abilities.weaker) == lines
    assert judge_abilities(abilities).status is status
