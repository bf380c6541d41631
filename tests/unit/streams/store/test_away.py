"""Which errors mean that PostgreSQL is away: every class that asyncpg has is decided here."""

import inspect
import socket

import asyncpg
import pytest

from streams.store.away import is_away

NOT_AWAY_OF_ASYNCPG = {
    "ClientConfigurationError",
    "InterfaceError",  # decided by its text, below
    "InternalClientError",  # likewise
    "OutdatedSchemaCacheError",
    "ProtocolError",
    "UnsupportedClientFeatureError",
    "UnsupportedServerFeatureError",
}
AWAY_OF_ASYNCPG = {"TargetServerAttributeNotMatched"}
AWAY_STATES = {"25006", "25P03", "25P04", "55P03"}
AWAY_CLASSES = {"08", "40", "53", "57", "58"}

EXCEPTIONS = [
    found
    for _, found in inspect.getmembers(asyncpg.exceptions, inspect.isclass)
    if issubclass(found, Exception) and not issubclass(found, Warning)
]


@pytest.mark.parametrize("error", EXCEPTIONS, ids=lambda error: error.__name__)
def test_every_error_of_asyncpg_is_decided(error: type[Exception]) -> None:
    if issubclass(error, asyncpg.PostgresError):
        state = error.sqlstate or ""
        expected = state in AWAY_STATES or state[:2] in AWAY_CLASSES
    else:
        assert error.__name__ in NOT_AWAY_OF_ASYNCPG | AWAY_OF_ASYNCPG
        expected = error.__name__ in AWAY_OF_ASYNCPG

    assert is_away(error("text")) is expected


@pytest.mark.parametrize(
    "error",
    [
        ConnectionRefusedError(),
        ConnectionResetError(),
        socket.gaierror(),
        TimeoutError(),
        asyncpg.InterfaceError("cannot call Connection.fetch(): connection is closed"),
        asyncpg.InternalClientError("cannot switch to state 12; another operation (2) is in progress"),
        asyncpg.InterfaceError("pool is closing"),
        asyncpg.InterfaceError("pool is closed"),
    ],
    ids=repr,
)
def test_a_lost_connection_means_away(error: Exception) -> None:
    assert is_away(error)


@pytest.mark.parametrize(
    "error",
    [
        ValueError(),
        asyncpg.InterfaceError("cannot perform operation: another operation is in progress"),
        asyncpg.InternalClientError("cannot switch to state 12; another operation (12) is in progress"),
        asyncpg.UniqueViolationError("duplicate key"),
        asyncpg.InvalidPasswordError("no"),
        asyncpg.UndefinedTableError("no table"),
    ],
    ids=repr,
)
def test_a_bug_or_a_wrong_setting_is_not_away(error: Exception) -> None:
    assert not is_away(error)
