import inspect

import aiohttp
import httpx
import pytest

from processors.errors import ProcessingError, ProviderTimeoutError, ProviderUnavailableError
from processors.gateway.http_failures import AIOHTTP_FAILURES, CLIENT_ERRORS, HTTPX_FAILURES, failure

OURS = (httpx.StreamError, httpx.HTTPStatusError, httpx.CookieConflict)
"""Raised for a wrong use of httpx alone."""

ABSTRACT = (httpx.HTTPError, httpx.RequestError)


def exceptions_of(module: object) -> list[type[Exception]]:
    return [each for _, each in inspect.getmembers(module, inspect.isclass) if issubclass(each, Exception)]


@pytest.mark.parametrize(
    "kind", [k for k in exceptions_of(httpx) if not issubclass(k, OURS) and k not in ABSTRACT]
)
def test_every_exception_of_httpx_has_a_meaning(kind: type[Exception]) -> None:
    error = kind.__new__(kind)

    assert isinstance(error, CLIENT_ERRORS)
    assert isinstance(failure("p", error), ProcessingError)


@pytest.mark.parametrize("kind", [k for k in exceptions_of(aiohttp) if issubclass(k, aiohttp.ClientError)])
def test_every_exception_of_aiohttp_has_a_meaning(kind: type[Exception]) -> None:
    assert isinstance(failure("p", kind.__new__(kind)), ProcessingError)


@pytest.mark.parametrize("table", [HTTPX_FAILURES, AIOHTTP_FAILURES])
def test_no_entry_stands_behind_a_more_general_one(table: tuple[tuple[type[Exception], object], ...]) -> None:
    kinds = [kind for kind, _ in table]

    for position, kind in enumerate(kinds):
        assert not any(issubclass(kind, earlier) for earlier in kinds[:position])


def test_a_connection_that_was_never_made_is_not_billed() -> None:
    error = failure("p", httpx.ConnectError("refused"))

    assert isinstance(error, ProviderUnavailableError)
    assert not error.billed


def test_a_server_that_hung_up_may_have_billed_although_httpx_calls_it_a_connect_timeout() -> None:
    told = httpx.ConnectTimeout("Server disconnected")
    told.__cause__ = aiohttp.ServerDisconnectedError()

    error = failure("p", told)

    assert isinstance(error, ProviderUnavailableError)
    assert error.billed


def test_a_read_timeout_is_a_timeout() -> None:
    assert isinstance(failure("p", httpx.ReadTimeout("late")), ProviderTimeoutError)
