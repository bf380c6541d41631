"""Tiers: topics for records whose wait must not hold a window open, and what their headers say.

A record stays in a tier for the tier's length at most, then moves on: to its own topic or to the next tier.
So records leave in the order in which they came, and whoever empties a tier looks at its head only. Only in
the shortest tier a record may be due before one in front of it: it is late by less than that tier's length.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from processors.disposition import RETRY_AFTER_S_MAX
from processors.errors import InvalidRecordError
from schemas import failures as names
from schemas.headers import RawHeaders, text_headers
from streams.engine.records import Attempts, InRecord, OutRecord, Postponement

NOT_BEFORE_AHEAD_S_MAX = RETRY_AFTER_S_MAX + 3600.0
"""The longest wait that is obeyed, and an hour for backoff and clocks that differ. What lies further ahead is
none of ours, and would stand in front of others for ever."""
COUNT = re.compile(r"[0-9]{1,6}")
EPOCH_MS = re.compile(r"[0-9]{1,14}")
PLACE = re.compile(r"([A-Za-z0-9._-]{1,249})/[0-9]{1,10}/[0-9]{1,19}")
"""Topic, partition and offset. Source: https://kafka.apache.org/documentation/#basic_ops_add_topic"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Tier:
    """One retry topic.

    Attributes:
        topic: its name.
        length_s: longest stay in it, in seconds.
    """

    topic: str
    length_s: float


def tier_for(delay_s: float, tiers: Sequence[Tier]) -> Tier:
    """Return the longest tier that is not longer than the delay; the shortest one when all are longer.

    Args:
        delay_s: how long to wait, in seconds.
        tiers: at least one, the shortest first.
    """
    return [tiers[0], *(tier for tier in tiers if tier.length_s <= delay_s)][-1]


def tier_record(record: InRecord, postponement: Postponement, tiers: Sequence[Tier]) -> OutRecord:
    """Return the record as it waits: key, value and foreign headers unchanged, and headers of ours."""
    delay_s = postponement.disposition.delay_s
    kept = [(name, value) for name, value in record.headers if name not in names.RETRY_HEADERS]
    added = [(name, value.encode()) for name, value in _headers(record, postponement).items()]
    return OutRecord(
        topic=tier_for(delay_s, tiers).topic, key=record.key, value=record.value, headers=(*kept, *added)
    )


def earlier_attempts(headers: RawHeaders, now: datetime, now_s: float) -> Attempts:
    """Return what a record went through before this delivery; nothing when its headers do not say so.

    Args:
        headers: the record's headers.
        now: present time (aware).
        now_s: the same in monotonic seconds.
    """
    text = text_headers(headers)
    first, outage = _time(text, names.RETRY_FIRST_FAILURE), _time(text, names.RETRY_OUTAGE)
    return Attempts(
        counted=_count(text, names.RETRY_ATTEMPTS),
        unavailable=_count(text, names.RETRY_UNAVAILABLE),
        first_failure=first,
        first_failure_s=now_s - _since_s(first, now),
        outage=outage,
        outage_s=now_s - _since_s(outage, now),
    )


def origin_topic(headers: Mapping[str, str]) -> str:
    """Return the topic that a tier record returns to.

    Raises:
        InvalidRecordError: the header is missing or no place.
    """
    place = PLACE.fullmatch(headers.get(names.RETRY_OF, ""))
    if place is None:
        raise _invalid(headers, names.RETRY_OF, "topic/partition/offset")
    return place[1]


def not_before(headers: Mapping[str, str], now: datetime) -> datetime:
    """Return the time (aware) before which a tier record does not return.

    Raises:
        InvalidRecordError: the header is missing, no time, or more than NOT_BEFORE_AHEAD_S_MAX after `now`.
    """
    moment = _time(headers, names.RETRY_NOT_BEFORE)
    if moment is None or moment - now > timedelta(seconds=NOT_BEFORE_AHEAD_S_MAX):
        expected = f"epoch milliseconds, at most {NOT_BEFORE_AHEAD_S_MAX:.0f} s ahead"
        raise _invalid(headers, names.RETRY_NOT_BEFORE, expected)
    return moment


def _headers(record: InRecord, postponement: Postponement) -> dict[str, str]:
    attempts, disposition = postponement.attempts, postponement.disposition
    due = postponement.at + timedelta(seconds=disposition.delay_s)
    return {
        names.RETRY_OF: f"{record.topic}/{record.partition}/{record.offset}",
        # One more than what was cut off: never before it is due.
        names.RETRY_NOT_BEFORE: str(_epoch_ms(due) + 1),
        names.RETRY_REASON: disposition.reason,
        names.RETRY_ATTEMPTS: str(attempts.counted),
        names.RETRY_UNAVAILABLE: str(attempts.unavailable),
        names.RETRY_FIRST_FAILURE: str(_epoch_ms(attempts.first_failure or postponement.at)),
        **({names.RETRY_OUTAGE: str(_epoch_ms(attempts.outage))} if attempts.outage else {}),
    }


def _since_s(moment: datetime | None, now: datetime) -> float:
    return max(0.0, (now - moment).total_seconds()) if moment else 0.0


def _epoch_ms(moment: datetime) -> int:
    return (moment - datetime.fromtimestamp(0, UTC)) // timedelta(milliseconds=1)


def _count(headers: Mapping[str, str], name: str) -> int:
    text = headers.get(name, "")
    return int(text) if COUNT.fullmatch(text) else 0


def _time(headers: Mapping[str, str], name: str) -> datetime | None:
    text = headers.get(name, "")
    if not EPOCH_MS.fullmatch(text):
        return None
    return datetime.fromtimestamp(0, UTC) + timedelta(milliseconds=int(text))


def _invalid(headers: Mapping[str, str], name: str, expected: str) -> InvalidRecordError:
    return InvalidRecordError(f"header {name} is {headers.get(name, 'missing')[:50]!r}, expected {expected}")
