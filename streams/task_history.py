"""What a record says of the path of its task, put down for `pressline task show`; no page, no prompt."""

import hashlib
from collections.abc import Callable, Mapping
from typing import Any

from pydantic import JsonValue

from schemas import failures as names
from schemas.base import Stage
from schemas.events import (
    Event,
    Finding,
    ReviewRequested,
    StepResult,
    TaskClassified,
    TaskFinished,
    TaskGenerated,
    TaskSubmitted,
    TaskValidated,
)
from schemas.headers import replay_count
from schemas.timing import TIMING, parse_timing
from streams.engine.records import InRecord
from streams.engine.timestamps import moment
from streams.envelope import task_of
from streams.pipeline import PIPELINE
from streams.store.task_events import EventKind, TaskEvent
from streams.topics import REDELIVERY, RETRY_TIERS, dead_letter_topic

WAITING = frozenset(tier.topic for tier in RETRY_TIERS)
DEAD = frozenset(dead_letter_topic(stage) for stage in (*Stage, REDELIVERY))
TAKERS = {topic: spec.stage for spec in PIPELINE.values() for topic in spec.topics}

MOVED = {EventKind.POSTPONED, EventKind.RETURNED, EventKind.DEAD_LETTERED, EventKind.REPLAYED}

Detail = dict[str, JsonValue]
Said = tuple[EventKind, str, Detail]
"""What kind of event it is, who made it, and what it says."""


def task_event(record: InRecord, event: Event, headers: Mapping[str, str]) -> TaskEvent:
    """Return what a record of a task topic, a retry topic or a dead-letter topic says.

    Args:
        record: as it was consumed.
        event: its value.
        headers: its headers.
    """
    kind, stage, detail = _said(record, event, headers)
    replay = replay_count(headers)
    # A record that came back from a retry topic is another event than before, whatever is the same about it.
    place = (headers.get(names.RETRY_OF), headers.get(names.RETRY_NOT_BEFORE), headers.get(names.DLQ_OFFSET))
    identity = f"{kind}|{headers.get('ce_id')}|{replay}|{place}"
    return TaskEvent(
        submission_id=task_of(event).submission_id,
        event_id=hashlib.sha256(identity.encode()).hexdigest()[:20],
        kind=kind,
        stage=stage,
        at=moment(record.timestamp_ms),
        topic=record.topic,
        partition=record.partition,
        offset=record.offset,
        replay=replay,
        # What is sent on unchanged still has the header of whoever made it.
        timing_s={} if kind in MOVED else parse_timing(headers.get(TIMING, "")),
        detail=detail,
    )


def _said(record: InRecord, event: Event, headers: Mapping[str, str]) -> Said:
    if record.topic in WAITING:
        stage = TAKERS.get(headers.get(names.RETRY_OF, "").split("/")[0], "")
        return EventKind.POSTPONED, stage, _postponed(headers)
    if record.topic in DEAD:
        return EventKind.DEAD_LETTERED, headers.get(names.DLQ_STAGE, ""), _dead(record, headers)
    if record.topic in TAKERS and names.RETRY_OF in headers:
        return EventKind.RETURNED, "", {}
    if record.topic in TAKERS and names.REPLAY_OF in headers:
        return EventKind.REPLAYED, "", {"letter": headers[names.REPLAY_OF]}
    return MADE[type(event)](event)


def _submitted(event: TaskSubmitted) -> Said:
    return EventKind.SUBMITTED, "", {"lane": event.task.lane.value}


def _classified(event: TaskClassified) -> Said:
    repair: Detail | None = None
    if event.repair:
        repair = {"round": event.repair.round, "findings": _findings(event.repair.findings)}
    maker = Stage.VALIDATE if event.repair else Stage.CLASSIFY
    return EventKind.CLASSIFIED, maker, {"plan": event.plan.model_dump(mode="json"), "repair": repair}


def _generated(event: TaskGenerated) -> Said:
    detail: Detail = {
        "title": event.document.title,
        "slug": event.document.slug,
        "repair_round": event.repair_round,
        "steps": [_step(step) for step in event.steps],
    }
    return EventKind.GENERATED, Stage.GENERATE, detail


def _validated(event: TaskValidated) -> Said:
    maker = "review" if event.reviewer else Stage.VALIDATE
    return EventKind.VALIDATED, maker, {"reviewer": event.reviewer, **_checked(event)}


def _review_requested(event: ReviewRequested) -> Said:
    detail: Detail = {"reason": event.reason, **_checked(event.held)}
    return EventKind.REVIEW_REQUESTED, Stage.VALIDATE, detail


def _finished(event: TaskFinished) -> Said:
    # Those of a page that passed stand in its own event.
    findings = _findings(event.findings) if event.stage is Stage.VALIDATE else []
    detail: Detail = {
        "outcome": event.outcome.value,
        "reason": event.reason,
        "url": event.url,
        "score": event.score,
        "findings": findings,
    }
    return EventKind.FINISHED, event.stage, detail


MADE: dict[type[Event], Callable[[Any], Said]] = {
    TaskSubmitted: _submitted,
    TaskClassified: _classified,
    TaskGenerated: _generated,
    TaskValidated: _validated,
    ReviewRequested: _review_requested,
    TaskFinished: _finished,
}


def _postponed(headers: Mapping[str, str]) -> Detail:
    return {
        "reason": headers.get(names.RETRY_REASON, ""),
        "not_before_ms": headers.get(names.RETRY_NOT_BEFORE, ""),
        "attempts": headers.get(names.RETRY_ATTEMPTS, ""),
    }


def _dead(record: InRecord, headers: Mapping[str, str]) -> Detail:
    return {
        "position": f"{record.topic}/{record.partition}/{record.offset}",
        "reason": headers.get(names.DLQ_REASON, ""),
        "exception": headers.get(names.DLQ_EXCEPTION, ""),
        "message": headers.get(names.DLQ_MESSAGE, ""),
        "attempts": headers.get(names.DLQ_ATTEMPTS, ""),
    }


def _step(step: StepResult) -> Detail:
    names = {"step", "provider", "model", "replayed", "fallback_from", "template", "degraded_by", "cache"}
    return {name: value for name, value in step.model_dump(include=names).items() if value is not None}


def _checked(event: TaskValidated) -> Detail:
    return {"score": event.score, "findings": _findings(event.findings)}


def _findings(findings: tuple[Finding, ...]) -> list[Any]:
    return [finding.model_dump(mode="json") for finding in findings]
