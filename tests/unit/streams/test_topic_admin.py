"""Topics are described by any broker that is there."""

from collections.abc import Sequence
from typing import Any

import pytest
from aiokafka.errors import NodeNotReadyError

from fakes import virtual_time
from streams.topic_admin import ASKED_MAX, _counts
from streams.topics import all_topics

NAME = all_topics()[0].name


class OneOfThreeAway:
    """An admin client whose requests fall to a broker that is away, the first `away` times."""

    def __init__(self, away: int) -> None:
        self.away = away

    async def list_topics(self) -> list[str]:
        self.away -= 1
        if self.away >= 0:
            raise NodeNotReadyError("node 1")
        return [NAME, "another"]

    async def describe_topics(self, names: Sequence[str]) -> list[dict[str, object]]:
        return [{"topic": name, "partitions": [{}, {}]} for name in names]


def counts(away: int) -> dict[str, int]:
    admin: Any = OneOfThreeAway(away)
    return dict(virtual_time.run(_counts(admin)))


def test_one_broker_of_several_that_is_away_is_not_asked_for_ever() -> None:
    assert counts(away=3) == {NAME: 2}


def test_all_brokers_away_is_told_in_the_end() -> None:
    with pytest.raises(NodeNotReadyError):
        counts(away=ASKED_MAX)
