"""What is sent back to a request, and how that may end."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum


class Outcome(StrEnum):
    """How a request ended, in the words of the log; the first three can be planned."""

    SENT = "sent"
    CLOSED_WITHIN_BODY = "closed_within_body"
    CLOSED_UNANSWERED = "closed_unanswered"
    CLIENT_GONE = "client_gone"
    SERVER_STOPPED = "server_stopped"


ANSWERED = frozenset({Outcome.SENT, Outcome.CLOSED_WITHIN_BODY})


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """What is sent back, and how.

    Args:
        request_id: Of the request, also in the log.
        status: HTTP status code.
        headers: All headers but the length.
        body: The whole body, whose length is announced.
        delivery: How much of it is to be sent; unless all of it is, the connection is closed then.
        latency_s: Seconds to wait before sending.
        logged: The log has a line for the request.
        streamed: The body is sent in pieces, the first one early.
    """

    request_id: str
    status: int
    headers: Mapping[str, str]
    body: bytes
    delivery: Outcome = Outcome.SENT
    latency_s: float = 0.0
    logged: bool = True
    streamed: bool = False
