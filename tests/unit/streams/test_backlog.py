import asyncio
from types import SimpleNamespace
from typing import Any

import pytest
from aiokafka.errors import (
    GroupAuthorizationFailedError,
    GroupCoordinatorNotAvailableError,
    GroupLoadInProgressError,
    KafkaError,
    NotCoordinatorForGroupError,
)

from fakes import virtual_time
from streams.backlog import COORDINATOR_PAUSE_S, COORDINATOR_TRIES_MAX, describe_group


class FakeAdmin:
    """Describes a group without members after so many refusals."""

    def __init__(self, *errors: type[KafkaError]) -> None:
        self.errors = list(errors)
        self.coordinators = 0

    async def find_coordinator(self, _group: str) -> int:
        self.coordinators += 1
        return self.coordinators

    async def describe_consumer_groups(self, groups: list[str], _coordinator: int) -> list[Any]:
        error = self.errors.pop(0).errno if self.errors else 0
        return [SimpleNamespace(groups=[(error, groups[0], "Empty", "consumer", "", [])])]


@pytest.mark.parametrize(
    "error", [GroupLoadInProgressError, GroupCoordinatorNotAvailableError, NotCoordinatorForGroupError]
)
def test_a_broker_that_still_loads_the_group_is_asked_again(error: type[KafkaError]) -> None:
    async def scene() -> None:
        admin, loop = FakeAdmin(error, error), asyncio.get_running_loop()
        began_s = loop.time()

        assert await describe_group(admin, "g") == (3, {})
        assert loop.time() - began_s == pytest.approx(2 * COORDINATOR_PAUSE_S, abs=0.01)

    virtual_time.run(scene())


def test_it_is_not_asked_for_ever() -> None:
    admin = FakeAdmin(*[GroupLoadInProgressError] * 2 * COORDINATOR_TRIES_MAX)

    with pytest.raises(GroupLoadInProgressError, match="group g cannot be described"):
        virtual_time.run(describe_group(admin, "g"))

    assert admin.coordinators == COORDINATOR_TRIES_MAX


def test_a_refusal_is_told_at_once() -> None:
    admin = FakeAdmin(GroupAuthorizationFailedError)

    with pytest.raises(GroupAuthorizationFailedError):
        virtual_time.run(describe_group(admin, "g"))

    assert admin.coordinators == 1
