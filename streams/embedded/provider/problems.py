"""All reasons for not answering, in one place: status, type, code and words of each."""

from streams.embedded.provider.config import Fault
from streams.embedded.provider.wire import ModelRequest, Problem, RequestRejectedError

OVERLOADED = Problem(
    status=503,
    kind="server_error",
    code="service_unavailable",
    message="The engine is currently overloaded (simulated), please try again later.",
)
INJECTED = {
    Fault.HTTP_429: Problem(
        status=429,
        kind="requests",
        code="rate_limit_exceeded",
        message="Rate limit reached (simulated). Please try again after the time in retry-after.",
    ),
    Fault.HTTP_500: Problem(
        status=500,
        kind="server_error",
        message="The server had an error while processing your request (simulated). Sorry about that!",
    ),
    Fault.HTTP_503: OVERLOADED,
}


def invalid_request(
    message: str, *, param: str | None = None, code: str | None = None
) -> RequestRejectedError:
    """Return the refusal of a request that is at fault itself."""
    return rejected(400, message, param=param, code=code)


def rejected(
    status: int, message: str, *, param: str | None = None, code: str | None = None
) -> RequestRejectedError:
    """Return a refusal that no retry will change."""
    return RequestRejectedError(
        Problem(status=status, kind="invalid_request_error", message=message, param=param, code=code)
    )


def unavailable(message: str, code: str) -> Problem:
    """Return a refusal that is due to the server itself."""
    return Problem(status=503, kind="server_error", code=code, message=message)


def limit_reached(request: ModelRequest, limit: str, used: str, wait_s: float | None) -> RequestRejectedError:
    """Return the refusal by a limit.

    Args:
        request: What is refused.
        limit: `requests` or `tokens`.
        used: Limit, use and need, as words.
        wait_s: Seconds after which the request would fit; none if it never does.
    """
    if wait_s is None:
        advice = "The request is larger than the limit. Send less or ask for less output."
    else:
        advice = f"Please try again in {wait_s:.3f}s."
    message = f"Rate limit reached for {request.model} on {limit} per min: {used}. {advice}"
    return RequestRejectedError(Problem(status=429, kind=limit, code="rate_limit_exceeded", message=message))
