"""Whether a question to a model is still of use to the record that asks it."""

from collections.abc import Callable
from datetime import datetime

from processors.errors import AbandonedError, DeadlinePassedError, ProcessingError
from processors.model import ModelRequest

Unwanted = Callable[[], ProcessingError | None]
"""Asked again and again while an answer is waited for: why nobody wants it any more, or None."""


def always_wanted() -> None:
    """Say that somebody wants the answer."""


def unwanted(request: ModelRequest, now: datetime) -> ProcessingError | None:
    """Return why nobody wants the answer any more, or None.

    Args:
        request: the question.
        now: present time (aware).
    """
    if request.abandoned():
        return AbandonedError(
            f"step {request.step!r} is not asked: this worker has lost its record, or stops"
        )
    if request.task.expired(now):
        return DeadlinePassedError(
            f"the deadline {request.task.deadline} passed before the page was paid for"
        )
    return None
