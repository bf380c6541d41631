"""What passes between the gateway, a wire format and a transport."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, Protocol

from schemas.usage import Usage


@dataclass(frozen=True, slots=True, kw_only=True)
class WireRequest:
    """A request as it goes out.

    Attributes:
        path: appended to the provider's address; starts with `/`.
        headers: without the key, which the transport adds.
        body: JSON in UTF-8.
    """

    path: str
    headers: Mapping[str, str]
    body: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class WireAnswer:
    """An answer as it came in, whatever its status.

    Attributes:
        status: HTTP status.
        headers: names in lower case.
        body: decoded, at most RESPONSE_BYTES_MAX bytes.
    """

    status: int
    headers: Mapping[str, str]
    body: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class ParsedAnswer:
    """What a model said.

    Attributes:
        text: as yet unchecked.
        finish_reason: `stop` or `length`.
        usage: tokens in normal form, or None when the provider gave none that can be true.
        response_model: model that answered, as the provider names it, or None.
        response_id: the provider's id of the answer, or None.
    """

    text: str
    finish_reason: Literal["stop", "length"]
    usage: Usage | None
    response_model: str | None
    response_id: str | None


class Transport(Protocol):
    """The way to one provider."""

    async def send(self, request: WireRequest) -> WireAnswer:
        """Return the provider's answer, of whatever status, within the call's deadline.

        Raises:
            ProviderTimeoutError, ProviderUnavailableError, ProviderMalformedError, ProviderRejectedError.
        """
