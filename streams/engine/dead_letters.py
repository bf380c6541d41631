"""Dead Letter Channel: the record as it was, and why it is here, in headers.

Header names are those of KIP-1191 and our own in the same family; see `schemas/failures.py`. Values are text
and written once. No prompt, no answer and no secret stands in them: errors carry none.
"""

import hashlib
import re

from processors.errors import TransientError
from schemas import failures as names
from streams.engine.records import Failure, InRecord, OutRecord

MESSAGE_CHARS_MAX = 500
VARYING = re.compile(r"'[^']*'|\"[^\"]*\"|[0-9a-f]{12,}|\d+(?:\.\d+)?")
"""What differs between two failures of one kind: quoted values, hashes, numbers."""


def dead_letter(record: InRecord, failure: Failure, *, stage: str, group: str, topic: str) -> OutRecord:
    """Return the dead letter: key, value bytes and partition number unchanged, origin and reason as headers.

    Args:
        record: the record that is given up.
        failure: why.
        stage: who gave it up: a stage, or the redelivery.
        group: its consumer group.
        topic: its dead-letter topic, with as many partitions as the record's own.
    """
    kept = [(name, value) for name, value in record.headers if not name.startswith(names.DLQ_PREFIX)]
    added = [(name, value.encode()) for name, value in _headers(record, failure, stage, group).items()]
    return OutRecord(
        topic=topic,
        key=record.key,
        value=record.value,
        headers=(*kept, *added),
        partition=record.partition,
    )


def fingerprint(stage: str, error: Exception) -> str:
    """Return 12 hex digits that failures of one kind share: stage, class, message without its values."""
    kind = VARYING.sub("*", str(error))
    return hashlib.sha256(f"{stage}|{type(error).__name__}|{kind}".encode()).hexdigest()[:12]


def _headers(record: InRecord, failure: Failure, stage: str, group: str) -> dict[str, str]:
    attempts = failure.attempts
    tried = max(1, attempts.counted + attempts.unavailable)
    return {
        names.DLQ_TOPIC: record.topic,
        names.DLQ_PARTITION: str(record.partition),
        names.DLQ_OFFSET: str(record.offset),
        names.DLQ_GROUP: group,
        names.DLQ_DELIVERY_COUNT: str(tried),
        names.DLQ_MESSAGE: str(failure.error)[:MESSAGE_CHARS_MAX],
        names.DLQ_EXCEPTION: type(failure.error).__name__,
        names.DLQ_STAGE: stage,
        names.DLQ_TIMESTAMP: str(int(failure.at.timestamp() * 1000)),
        names.DLQ_FINGERPRINT: fingerprint(stage, failure.error),
        names.DLQ_REASON: failure.disposition.reason,
        names.DLQ_RETRIABLE: str(isinstance(failure.error, TransientError)).lower(),
        names.DLQ_ATTEMPTS: str(tried),
        names.DLQ_FIRST_FAILURE: str(int((attempts.first_failure or failure.at).timestamp() * 1000)),
    }
