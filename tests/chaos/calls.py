"""Paid calls: provider log against ledger and usage topic."""

from collections import Counter

from schemas.usage import UsageRecorded
from streams.topics import topic_name

from .artefacts import Artefacts, CallId

USAGE_TOPIC = topic_name(UsageRecorded)
OK = 200


def repeated_calls(run: Artefacts) -> tuple[str, ...]:
    """A call is made again only if it was in flight at a kill, and once for each such kill.

    In flight is a call from its intent to its durable answer. That is wider than the time that the provider
    takes: `in_flight_at_provider` and `answers_unwritten` tell the two parts apart.
    """
    requests = Counter(request.call.key for request in run.requests)
    in_flight = Counter(call.key for kill in run.kills for call in kill.open_calls)
    found = [
        f"{'/'.join(key)}: {count} requests, in flight at {in_flight[key]} kills"
        for key, count in requests.items()
        if count > 1 + in_flight[key]
    ]
    repeated, allowed = repeats(run), sum(in_flight.values())
    if repeated > allowed:
        found.append(f"{repeated} requests beyond one per step, {allowed} calls in flight at the kills")
    return tuple(found)


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
    """Ledger and provider agree on every call that was not in flight at a kill; no intent is left open."""
    sent = {request.call for request in run.requests if request.status == OK}
    answered = {row.call for row in run.calls if row.state == "answered"}
    in_flight = {call for kill in run.kills for call in kill.open_calls}
    return (
        *(f"{_text(call)}: answered in the ledger, not by the provider" for call in answered - sent),
        *(f"{_text(call)}: paid, not in the ledger" for call in sent - answered - in_flight),
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
    """Return how many answers the killed workers had been sent, and not yet made durable."""
    ended = {request.call: request.ended_s for request in run.requests if request.status == OK}
    return sum((ended.get(call) or kill.at_s) < kill.at_s for kill in run.kills for call in kill.open_calls)


def in_flight_at_provider(run: Artefacts) -> int:
    """Return how many requests of the killed workers the provider had not answered at the kills."""
    worker_of = {row.call: row.worker_id for row in run.calls}
    return sum(
        worker_of.get(request.call) == kill.worker_id
        and request.at_s <= kill.at_s
        and (request.ended_s is None or request.ended_s > kill.at_s)
        for kill in run.kills
        for request in run.requests
    )


def _text(call: CallId) -> str:
    return "/".join(map(str, call))
