"""Record headers: CloudEvents 1.0 binary mode, and W3C trace context.

Source: https://github.com/cloudevents/spec/blob/v1.0.2/cloudevents/bindings/kafka-protocol-binding.md,
https://www.w3.org/TR/trace-context/#traceparent-header
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime

from schemas.codec import InvalidMessageError
from schemas.failures import REPLAY_COUNT, RETRY_HEADERS

HEADERS_MAX = 64
HEADER_BYTES_MAX = 4096
CONTENT_TYPE = "application/json"
TENANT = "ce_tenant"
CLAIM_CHECK = "claim-check"
"""Says that the value is a reference to the event, not the event; see `schemas/claim_check.py`."""
CLAIM_CHECK_TYPE = "pressline.claim.v1"
BATCH_OFFSETS = "batch-offsets"
"""Says that the value is a whole record batch, and which offsets it has: `first-last`."""
BATCH_REFUSED = "batch-refused"
"""Why its records were not taken out of it."""
TRACEPARENT = re.compile(r"^00-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}$")

REPLAY_TEXT = re.compile(r"^[0-9]{1,4}$")

RawHeaders = Iterable[tuple[str, bytes | None]]


@dataclass(frozen=True, slots=True, kw_only=True)
class EventHeaders:
    """The context of one event.

    Attributes:
        id: identity of the event; a retransmission has the same one.
        type: reverse-dotted event type, such as `pressline.task.submitted.v1`.
        source: URI reference of who made it.
        time: when it was made (aware), or None when the sender left it out.
        subject: what it is about: the task id.
        tenant: whose task it is: an extension attribute, so that work is shared out without reading values.
        traceparent: W3C trace context, or None when there is none or it is malformed.
        replay: how many times the record came back from a dead-letter topic.
    """

    id: str
    type: str
    source: str
    time: datetime | None
    subject: str
    tenant: str | None = None
    traceparent: str | None = None
    replay: int = 0

    def to_record(self) -> list[tuple[str, bytes]]:
        """Return the headers as Kafka carries them: UTF-8 text."""
        pairs = [
            ("ce_specversion", b"1.0"),
            ("ce_id", self.id.encode()),
            ("ce_type", self.type.encode()),
            ("ce_source", self.source.encode()),
            ("ce_subject", self.subject.encode()),
            ("content-type", CONTENT_TYPE.encode()),
        ]
        if self.time is not None:
            pairs.append(("ce_time", self.time.isoformat().encode()))
        if self.tenant is not None:
            pairs.append((TENANT, self.tenant.encode()))
        if self.traceparent is not None:
            pairs.append(("traceparent", self.traceparent.encode()))
        if self.replay:
            pairs.append((REPLAY_COUNT, str(self.replay).encode()))
        return pairs


def text_headers(raw: RawHeaders) -> dict[str, str]:
    """Return the headers as text; of a repeated name the last wins, undecodable bytes are replaced."""
    return {name: (value or b"").decode("utf-8", "replace") for name, value in raw}


def parse(raw: RawHeaders, expected_type: str) -> EventHeaders:
    """Return the event's context.

    Args:
        raw: the record's headers.
        expected_type: the `ce_type` that the topic carries.

    Raises:
        InvalidMessageError: a required attribute is missing, too long or of another type or version.
    """
    # What is added to a record that waited must not make it one header too long.
    pairs = [pair for pair in raw if pair[0] not in RETRY_HEADERS]
    if len(pairs) > HEADERS_MAX or any(len(value or b"") > HEADER_BYTES_MAX for _, value in pairs):
        raise InvalidMessageError(f"more than {HEADERS_MAX} headers, or one over {HEADER_BYTES_MAX} bytes")
    headers = text_headers(pairs)
    missing = [n for n in ("ce_specversion", "ce_id", "ce_type", "ce_source") if not headers.get(n)]
    if missing:
        raise InvalidMessageError(f"CloudEvents header {', '.join(missing)} is missing")
    _expect(headers, "ce_specversion", "1.0")
    _expect(headers, "ce_type", expected_type)
    if not headers.get("content-type", CONTENT_TYPE).startswith(CONTENT_TYPE):
        _expect(headers, "content-type", CONTENT_TYPE)
    return EventHeaders(
        id=headers["ce_id"],
        type=headers["ce_type"],
        source=headers["ce_source"],
        time=_time(headers),
        subject=headers.get("ce_subject", ""),
        tenant=headers.get(TENANT),
        traceparent=trace_context(headers),
        replay=replay_count(headers),
    )


def replay_count(headers: Mapping[str, str]) -> int:
    """Return how many times the record came back from a dead-letter topic; what is no such count is 0."""
    text = headers.get(REPLAY_COUNT, "")
    return int(text) if REPLAY_TEXT.match(text) else 0


def trace_context(headers: Mapping[str, str]) -> str | None:
    """Return the `traceparent` if it is well-formed; a malformed one is dropped, as the standard asks."""
    value = headers.get("traceparent", "")
    return value if TRACEPARENT.match(value) else None


def _expect(headers: Mapping[str, str], name: str, value: str) -> None:
    if headers[name] != value:
        raise InvalidMessageError(f"header {name} is {headers[name][:100]!r}, expected {value!r}")


def _time(headers: Mapping[str, str]) -> datetime | None:
    text = headers.get("ce_time")
    if not text:
        return None
    try:
        time = datetime.fromisoformat(text)
    except ValueError:
        raise InvalidMessageError(f"header ce_time is {text[:50]!r}, expected an RFC 3339 time") from None
    if time.tzinfo is None:
        raise InvalidMessageError(f"header ce_time is {text[:50]!r}, expected a time with an offset")
    return time
