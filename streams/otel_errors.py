"""How a span that failed says so."""

from opentelemetry.trace import Span, Status, StatusCode

from processors.errors import PermanentError, TransientError


def mark(span: Span, error: BaseException) -> None:
    """Set status and `error.type`: the failure's reason where it has one, else the exception's class.

    The exception's text is left out: it may quote inputs.
    """
    kind = error.reason.value if isinstance(error, (PermanentError, TransientError)) else type(error).__name__
    span.set_status(Status(StatusCode.ERROR, kind))
    span.set_attribute("error.type", kind)
