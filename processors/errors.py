"""Everything that can go wrong while a task is processed.

    ProcessingError
    ├── TransientError                  try again
    │   ├── ProviderRateLimitedError    the provider asks to slow down (429)
    │   ├── ProviderTimeoutError        no whole answer within the call's deadline
    │   ├── ProviderUnavailableError    5xx, refused or broken connection
    │   ├── ProviderMalformedError      an answer that is not of the provider's own format
    │   ├── SinkUnavailableError        the destination does not answer
    │   └── UnavailableError            a part of Pressline is away; uses up no attempt
    │       ├── StoreUnavailableError   PostgreSQL, or Redis where one is set, does not answer
    │       ├── LimitWaitError          no turn yet on this worker's share of a provider's limit
    │       ├── ClaimedElsewhereError   another live worker is at this very call or page
    │       ├── ScopeClosedError        a breaker or a person holds the work back
    │       └── BudgetExhaustedError    a budget has nothing left until its window or a call under way ends
    ├── AbandonedError                  nothing more is begun for it here; dropped silently, never decided on
    └── PermanentError                  dead letter: the same input fails the same way
        ├── InvalidRecordError          the record is not the message that its topic carries
        ├── EventTooLargeError          the next event would be larger than a topic takes
        ├── ClaimLostError              what a claim check refers to is missing or damaged
        ├── WorkersDiedError            one worker after the other ended while it made this very call
        ├── UnknownRecipeError          no such recipe, or no such version
        ├── InvalidRecipeError          the recipe itself is wrong
        ├── InvalidInputsError          the inputs do not fit the recipe's schema
        ├── InvalidOutputError          the model's answer stayed invalid after its repair round
        ├── BudgetExceededError         a budget does not cover the next call, and waiting does not help
        ├── PromptTooLongError          prompt and answer do not fit the model's context window
        ├── UnpricedModelError          the model has no known price
        ├── ProviderRefusedError        a refusal or safety block: an outcome, not a failure to retry
        ├── ProviderRejectedError       4xx: the provider will not take this request
        │   ├── ProviderUnauthorizedError   401, 403: the key is wrong, or may not do this
        │   └── ProviderGaveUpError         429, 5xx: it failed, and asks not to be asked again
        ├── ProviderQuotaError          the account has no credit left
        ├── SinkRejectedError           the destination will never take this page
        └── DeadlinePassedError         too late to pay for it: its stage ends the task as expired

Anything else that is raised is a bug: it is dead-lettered as one, at once.
"""

from typing import ClassVar

from schemas.failures import FailureReason
from schemas.scope import Scope


class ProcessingError(Exception):
    """The root. Its text may be shown anywhere: it holds no prompt, no answer and no secret."""

    reason: ClassVar[FailureReason]
    billed: bool = True
    """Whether a model call that ended so may have been billed: always, once its answer had begun to come."""


class TransientError(ProcessingError):
    """Trying the same again can succeed.

    Args:
        message: what was seen, then what was expected.
        retry_after_s: earliest time to try again, in seconds from now, when the other side named one.
    """

    def __init__(self, message: str, *, retry_after_s: float | None = None) -> None:
        super().__init__(message)
        self.retry_after_s = retry_after_s


class ProviderRateLimitedError(TransientError):
    """The provider asks to slow down."""

    reason = FailureReason.PROVIDER_RATE_LIMITED
    billed = False


class ProviderTimeoutError(TransientError):
    """No whole answer came within the call's deadline; whether it was billed is unknown."""

    reason = FailureReason.PROVIDER_TIMEOUT


class ProviderUnavailableError(TransientError):
    """The provider failed (5xx) or the connection did.

    Args:
        message: what was seen, then what was expected.
        retry_after_s: earliest time to try again, in seconds from now, when the provider named one.
        billed: whether the call may have been billed; False when the request surely brought no answer about.
    """

    reason = FailureReason.PROVIDER_UNAVAILABLE

    def __init__(self, message: str, *, retry_after_s: float | None = None, billed: bool = True) -> None:
        super().__init__(message, retry_after_s=retry_after_s)
        self.billed = billed


class ProviderMalformedError(TransientError):
    """The answer is not of the provider's own format, was cut off, or is larger than the cap."""

    reason = FailureReason.PROVIDER_MALFORMED


class SinkUnavailableError(TransientError):
    """The destination does not answer."""

    reason = FailureReason.SINK_UNAVAILABLE


class UnavailableError(TransientError):
    """A part of Pressline itself is away. It is not the record's fault, so it uses up no attempt."""

    reason = FailureReason.STORE_UNAVAILABLE
    billed = False


class StoreUnavailableError(UnavailableError):
    """PostgreSQL, or Redis where one is set, does not answer."""


class LimitWaitError(UnavailableError):
    """No turn came yet on this worker's share of a provider's limit; nothing was asked."""

    reason = FailureReason.PROVIDER_RATE_LIMITED


class ClaimedElsewhereError(UnavailableError):
    """Another live worker is at this very call or page; its result will be found there."""


class ScopeClosedError(UnavailableError):
    """A breaker or a person holds back the scope that the record belongs to; nothing was asked.

    Args:
        scope: what is closed.
        why: who closed it and for what.
        retry_after_s: earliest time at which it can be open, in seconds from now, where that is known.
    """

    reason = FailureReason.SCOPE_CLOSED

    def __init__(self, scope: Scope, why: str, *, retry_after_s: float | None = None) -> None:
        super().__init__(f"{why}; expected it to be open", retry_after_s=retry_after_s)
        self.scope = scope


class BudgetExhaustedError(UnavailableError):
    """A budget has nothing left for the call now; nothing was asked.

    Calls that are under way may give money back, or the window ends: the text says which, and when.
    """

    reason = FailureReason.BUDGET_EXCEEDED


class AbandonedError(ProcessingError):
    """The record was given to another worker, or this one stops; nothing more is begun here.

    It has no reason: it is neither retried nor dead-lettered, as another worker goes on with the record.
    """


class PermanentError(ProcessingError):
    """The same input fails the same way."""


class InvalidRecordError(PermanentError):
    """The record is not the message that its topic carries."""

    reason = FailureReason.INVALID_MESSAGE


class EventTooLargeError(PermanentError):
    """The next event would be larger than a topic takes."""

    reason = FailureReason.EVENT_TOO_LARGE


class ClaimLostError(PermanentError):
    """What a claim check refers to is missing or damaged."""

    reason = FailureReason.CLAIM_LOST


class WorkersDiedError(PermanentError):
    """One worker after the other ended while it made this very call: it may be what ends them."""

    reason = FailureReason.WORKERS_DIED
    billed = False


class UnknownRecipeError(PermanentError):
    """No such recipe, or no such version."""

    reason = FailureReason.UNKNOWN_RECIPE


class InvalidRecipeError(PermanentError):
    """The recipe itself is wrong."""

    reason = FailureReason.INVALID_RECIPE


class InvalidInputsError(PermanentError):
    """The inputs do not fit the recipe's schema."""

    reason = FailureReason.INVALID_INPUTS


class InvalidOutputError(PermanentError):
    """The model's answer stayed invalid after its repair round."""

    reason = FailureReason.INVALID_OUTPUT


class BudgetExceededError(PermanentError):
    """A budget, the task's own or a configured one, does not cover the call, and no wait changes that."""

    reason = FailureReason.BUDGET_EXCEEDED
    billed = False


class PromptTooLongError(PermanentError):
    """Prompt and answer do not fit the model's context window."""

    reason = FailureReason.PROMPT_TOO_LONG
    billed = False


class UnpricedModelError(PermanentError):
    """The model has no known price; a call of unknown cost is never made."""

    reason = FailureReason.UNPRICED_MODEL
    billed = False


class ProviderRefusedError(PermanentError):
    """The model refused, or the provider's safety system blocked the answer."""

    reason = FailureReason.PROVIDER_REFUSED


class ProviderRejectedError(PermanentError):
    """The provider will not take this request: malformed, too long, unknown model."""

    reason = FailureReason.PROVIDER_REJECTED
    billed = False


class ProviderUnauthorizedError(ProviderRejectedError):
    """The provider will take no request of this key, or none of this kind."""


class ProviderGaveUpError(ProviderRejectedError):
    """The provider failed on its own side, and says that asking again will not help."""


class ProviderQuotaError(PermanentError):
    """The account has no credit left; asking again changes nothing."""

    reason = FailureReason.PROVIDER_QUOTA
    billed = False


class SinkRejectedError(PermanentError):
    """The destination will never take this page as it is."""

    reason = FailureReason.SINK_REJECTED


class DeadlinePassedError(PermanentError):
    """The task's deadline passed before its next call was paid for."""

    reason = FailureReason.DEADLINE_PASSED
    billed = False


PROVIDER_FAULTS = (
    ProviderRateLimitedError,
    ProviderTimeoutError,
    ProviderUnavailableError,
    ProviderMalformedError,
    ProviderUnauthorizedError,
    ProviderGaveUpError,
    ProviderQuotaError,
    ScopeClosedError,
    LimitWaitError,
)
"""What lies with a provider or a model, or with our share of its limits: another model may answer."""
