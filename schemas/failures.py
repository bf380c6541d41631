"""Why a record failed, and the headers that a dead letter, a replay and a waiting record carry."""

from enum import StrEnum


class FailureReason(StrEnum):
    """The closed set of reasons; `error.type` in telemetry and the grouping key of dead letters."""

    INVALID_MESSAGE = "invalid_message"
    UNKNOWN_RECIPE = "unknown_recipe"
    INVALID_RECIPE = "invalid_recipe"
    INVALID_INPUTS = "invalid_inputs"
    INVALID_OUTPUT = "invalid_output"
    BUDGET_EXCEEDED = "budget_exceeded"
    PROMPT_TOO_LONG = "prompt_too_long"
    UNPRICED_MODEL = "unpriced_model"
    PROVIDER_REFUSED = "provider_refused"
    PROVIDER_REJECTED = "provider_rejected"
    PROVIDER_QUOTA = "provider_quota"
    PROVIDER_RATE_LIMITED = "provider_rate_limited"
    PROVIDER_TIMEOUT = "provider_timeout"
    PROVIDER_UNAVAILABLE = "provider_unavailable"
    PROVIDER_MALFORMED = "provider_malformed"
    STORE_UNAVAILABLE = "store_unavailable"
    SINK_UNAVAILABLE = "sink_unavailable"
    SINK_REJECTED = "sink_rejected"
    SCOPE_CLOSED = "scope_closed"
    DEADLINE_PASSED = "deadline_passed"
    EVENT_TOO_LARGE = "event_too_large"
    CLAIM_LOST = "claim_lost"
    WORKERS_DIED = "workers_died"
    BUG = "bug"


DLQ_TOPIC = "__dlq.errors.topic"
DLQ_PARTITION = "__dlq.errors.partition"
DLQ_OFFSET = "__dlq.errors.offset"
DLQ_GROUP = "__dlq.errors.group"
DLQ_DELIVERY_COUNT = "__dlq.errors.delivery.count"
DLQ_MESSAGE = "__dlq.errors.message"
# The names above are those of KIP-1191, so that tools for share groups read ours; those below are our own.
DLQ_EXCEPTION = "__dlq.errors.exception.class.name"
DLQ_STAGE = "__dlq.errors.stage"
DLQ_TIMESTAMP = "__dlq.errors.timestamp"
DLQ_FINGERPRINT = "__dlq.errors.fingerprint"
DLQ_RETRIABLE = "__dlq.errors.retriable"
DLQ_ATTEMPTS = "__dlq.errors.attempts"
DLQ_FIRST_FAILURE = "__dlq.errors.first.failure"
DLQ_REASON = "__dlq.errors.reason"
DLQ_CLAIM = "__dlq.errors.claim"
"""Says that the value is a reference: key, value and headers of the record were too large to stand here."""
DLQ_PREFIX = "__dlq.errors."

REPLAY_OF = "replay-of"
REPLAY_ID = "replay-id"
REPLAY_COUNT = "replay-count"

RETRY_OF = "retry-of"
"""The record that waits: `topic/partition/offset`. It returns to that topic."""
RETRY_NOT_BEFORE = "retry-not-before"
"""Epoch milliseconds before which the record does not return."""
RETRY_REASON = "retry-reason"
RETRY_ATTEMPTS = "retry-attempts"
RETRY_UNAVAILABLE = "retry-unavailable"
RETRY_FIRST_FAILURE = "retry-first-failure"
RETRY_OUTAGE = "retry-outage"
"""Since when, in epoch milliseconds, one of Pressline's own parts has been away for the record, if it was."""
RETRY_HEADERS = frozenset(
    (
        *(RETRY_OF, RETRY_NOT_BEFORE, RETRY_REASON, RETRY_ATTEMPTS, RETRY_UNAVAILABLE),
        *(RETRY_FIRST_FAILURE, RETRY_OUTAGE),
    )
)
