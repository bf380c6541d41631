"""What an exception of the HTTP client means, in our own tree.

`httpx-aiohttp` maps aiohttp's exceptions to httpx's, but coarsely: a server that hangs up after it has read
the request becomes `ConnectTimeout`. What may have been billed depends on the difference, so the exception
beneath is looked at first. Source: https://github.com/karpetrosyan/httpx-aiohttp/blob/main/httpx_aiohttp/transport.py
"""

from collections.abc import Callable

import aiohttp
import httpx

from processors.errors import (
    ProcessingError,
    ProviderMalformedError,
    ProviderRejectedError,
    ProviderTimeoutError,
    ProviderUnavailableError,
)

Failure = Callable[[str], ProcessingError]


def _not_sent(message: str) -> ProcessingError:
    return ProviderUnavailableError(f"{message}, expected a connection", billed=False)


def _broken(message: str) -> ProcessingError:
    return ProviderUnavailableError(f"{message}, expected an answer")


def _late(message: str) -> ProcessingError:
    return ProviderTimeoutError(f"{message}, expected an answer in time")


def _malformed(message: str) -> ProcessingError:
    return ProviderMalformedError(f"{message}, expected a whole HTTP answer")


def _wrong(message: str) -> ProcessingError:
    return ProviderRejectedError(f"{message}; check the provider's base_url in the catalogue")


AIOHTTP_FAILURES: tuple[tuple[type[Exception], Failure], ...] = (
    (aiohttp.ClientConnectorError, _not_sent),
    (aiohttp.ServerFingerprintMismatch, _not_sent),
    (aiohttp.ConnectionTimeoutError, _not_sent),
    (aiohttp.ServerTimeoutError, _late),
    (aiohttp.InvalidURL, _wrong),
    (aiohttp.TooManyRedirects, _wrong),
    (aiohttp.ClientHttpProxyError, _broken),
    (aiohttp.ClientPayloadError, _malformed),
    (aiohttp.ClientResponseError, _malformed),
    (aiohttp.ClientError, _broken),
)
"""Most specific first."""

HTTPX_FAILURES: tuple[tuple[type[Exception], Failure], ...] = (
    (httpx.ConnectTimeout, _not_sent),
    (httpx.PoolTimeout, _not_sent),
    (httpx.ConnectError, _not_sent),
    (httpx.TimeoutException, _late),
    (httpx.NetworkError, _broken),
    (httpx.ProxyError, _broken),
    (httpx.RemoteProtocolError, _malformed),
    (httpx.DecodingError, _malformed),
    (httpx.LocalProtocolError, _wrong),
    (httpx.UnsupportedProtocol, _wrong),
    (httpx.TooManyRedirects, _wrong),
    (httpx.InvalidURL, _wrong),
    (httpx.TransportError, _broken),
)
"""Most specific first. `StreamError`, `HTTPStatusError` and `CookieConflict` are not here: bugs of ours."""

CLIENT_ERRORS = (
    httpx.TransportError,
    httpx.DecodingError,
    httpx.TooManyRedirects,
    httpx.InvalidURL,
    aiohttp.ClientError,
)
"""All that a call can raise for a reason outside of this program."""


def failure(provider: str, error: Exception) -> ProcessingError:
    """Return what `error`, one of CLIENT_ERRORS, means for a call to `provider`."""
    beneath = error.__cause__
    told = beneath if isinstance(beneath, aiohttp.ClientError) else error
    make = next(make for kind, make in (*AIOHTTP_FAILURES, *HTTPX_FAILURES) if isinstance(told, kind))
    # Only the type is told: the text may hold an address with credentials.
    return make(f"the call to {provider} ended with {type(told).__name__}")
