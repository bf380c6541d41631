"""Paid calls: provider log against ledger and usage topic."""

from collections import Counter, defaultdict, deque
from itertools import pairwise

from schemas.usage import UsageRecorded
from streams.topics import topic_name

from .artefacts import Artefacts, CallId, Request
from .services import REQUESTS_PER_MINUTE

USAGE_TOPIC = topic_name(UsageRecorded)
OK = 200
MINUTE_S = 60.0
BILLED_UNANSWERED = frozenset({"timeout", "late", "malformed", "truncated_body"})
"""The provider did its work, and the caller got no answer of use: whether that is billed is not known."""
SLOW = "slow"
"""It was answered so close to the deadline that a busy caller may have given up before it read the answer."""
FAILED = BILLED_UNANSWERED | {SLOW, "http_429", "http_500", "http_503"}
"""What the same call is made again for."""
RETRY_SLACK_S = 0.05
"""The provider counts from the arrival of what it refuses, the caller from the arrival of the refusal."""


def repeated_calls(run: Artefacts) -> tuple[str, ...]:
    """A call is made again only if it was in flight at an interruption or the provider failed, once for each.

    In flight is a call from its intent to its durable answer. That is wider than the time that the provider
    takes: `in_flight_at_provider` and `answers_unwritten` tell the two parts apart.
    """
    requests = Counter(request.call.key for request in run.requests)
    in_flight = Counter(call.key for each in run.interruptions for call in each.open_calls)
    failed = Counter(request.call.key for request in run.requests if request.fault in FAILED)
    found = [
        f"{'/'.join(key)}: {count} requests, {in_flight[key]} times in flight, {failed[key]} times failed"
        for key, count in requests.items()
        if count > 1 + in_flight[key] + failed[key]
    ]
    repeated, allowed = repeats(run), in_flight.total() + failed.total()
    if repeated > allowed:
        found.append(f"{repeated} requests beyond one per step, {allowed} calls in flight or failed")
    return tuple(found)


def retried_too_early(run: Artefacts) -> tuple[str, ...]:
    """A worker does not ask again before the time that the provider named; another worker cannot know it."""
    worker_of = {row.call: row.worker_id for row in run.calls}
    requests: dict[tuple[str, str], list[Request]] = defaultdict(list)
    for request in sorted(run.requests, key=lambda request: request.at_s):
        requests[request.call.key].append(request)
    return tuple(
        f"{_text(after.call)}: asked again after {after.at_s - before.at_s:.2f} s, not {before.retry_after_s}"
        for tries in requests.values()
        for before, after in pairwise(tries)
        if before.retry_after_s is not None
        and worker_of.get(before.call) == worker_of.get(after.call)
        and after.at_s < before.at_s + before.retry_after_s - RETRY_SLACK_S
    )


def rate_exceeded(run: Artefacts) -> tuple[str, ...]:
    """No window of a minute holds more requests than the provider's limit."""
    over = most_in_a_minute(run) - REQUESTS_PER_MINUTE
    return (f"{over} requests above {REQUESTS_PER_MINUTE} in one minute",) if over > 0 else ()


def most_in_a_minute(run: Artefacts) -> int:
    """Return the number of requests in the fullest window of MINUTE_S."""
    window: deque[float] = deque()
    most = 0
    for at_s in sorted(request.at_s for request in run.requests):
        window.append(at_s)
        while window[0] <= at_s - MINUTE_S:
            window.popleft()
        most = max(most, len(window))
    return most


def repeats(run: Artefacts) -> int:
    """Return the number of requests beyond one per step."""
    return len(run.requests) - len({request.call.key for request in run.requests})


def calls_without_intent(run: Artefacts) -> tuple[str, ...]:
    """Every request was in the ledger first, under its own attempt, and was sent once."""
    known = {row.call for row in run.calls}
    sent = Counter(request.call for request in run.requests)
    return (
        *(f"{_text(call)}: requested, not in the ledger" for call in sent if call not in known),
        *(f"{_text(call)}: one attempt, {count} requests" for call, count in sent.items() if count > 1),
    )


def ledger_differs(run: Artefacts) -> tuple[str, ...]:
    """Ledger and provider agree on every call that was not in flight at an interruption; no intent is open.

    What may have been billed without an answer is booked as unknown, at its worst case.
    """
    paid = {request.call for request in run.requests if request.status == OK and request.fault not in FAILED}
    sent = paid | {request.call for request in run.requests if request.fault == SLOW}
    ambiguous = {request.call for request in run.requests if request.fault in BILLED_UNANSWERED}
    answered = {row.call for row in run.calls if row.state == "answered"}
    free = {row.call for row in run.calls if row.state == "failed"}
    in_flight = {call for each in run.interruptions for call in each.open_calls}
    return (
        *(f"{_text(call)}: perhaps billed, free in the ledger" for call in ambiguous & free),
        *(f"{_text(call)}: answered in the ledger, not by the provider" for call in answered - sent),
        *(f"{_text(call)}: paid, not in the ledger" for call in paid - answered - in_flight),
        *(f"{_text(row.call)}: still open" for row in run.calls if row.state == "open"),
    )


def usage_differs(run: Artefacts) -> tuple[str, ...]:
    """Every answered call is told of in the usage topic, and no other."""
    told = {record.ce_id for record in run.records if record.place.topic == USAGE_TOPIC}
    answered = {_text(row.call) for row in run.calls if row.state == "answered"}
    return (
        *(f"{call}: paid, without a usage event" for call in sorted(answered - told)),
        *(f"{call}: usage event without a paid call" for call in sorted(told - answered)),
    )


def answers_unwritten(run: Artefacts) -> int:
    """Return how many answers the interrupted workers had been sent, and not yet made durable."""
    ended = {request.call: request.ended_s for request in run.requests if request.status == OK}
    return sum(
        (ended.get(call) or kill.at_s) < kill.at_s for kill in run.interruptions for call in kill.open_calls
    )


def in_flight_at_provider(run: Artefacts) -> int:
    """Return how many requests of the interrupted workers the provider had not answered then."""
    worker_of = {row.call: row.worker_id for row in run.calls}
    return sum(
        worker_of.get(request.call) == kill.worker_id
        and request.at_s <= kill.at_s
        and (request.ended_s is None or request.ended_s > kill.at_s)
        for kill in run.interruptions
        for request in run.requests
    )


def _text(call: CallId) -> str:
    return "/".join(map(str, call))
