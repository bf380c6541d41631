"""Bounds of the pool that must fit each other."""

from streams.store.database import ACQUIRE_S_MAX, COMMAND_S_MAX


def test_who_waits_for_a_connection_outlasts_the_longest_statement() -> None:
    assert ACQUIRE_S_MAX > COMMAND_S_MAX
