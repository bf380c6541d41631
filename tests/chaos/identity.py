"""What an event's id says, and which ids it may lead to."""

import re
from typing import NamedTuple

from schemas.base import Stage
from streams.pipeline import PIPELINE

EVENT_ID = re.compile(
    r"(?P<submission>[0-9a-f]{20})\.(?P<noun>[a-z]+\.[a-z]+)\.(?P<round>\d+)\.(?P<replay>\d+)"
)
STAGE_OF_GROUP = {spec.group: stage for stage, spec in PIPELINE.items()}


class EventId(NamedTuple):
    """The parts of an event's id."""

    submission_id: str
    noun: str
    round: int
    replay: int

    def __str__(self) -> str:
        return f"{self.submission_id}.{self.noun}.{self.round}.{self.replay}"


def parse_event_id(text: str) -> EventId | None:
    """Return its parts, or None when it is no event of a task."""
    match = EVENT_ID.fullmatch(text)
    if match is None:
        return None
    return EventId(match["submission"], match["noun"], int(match["round"]), int(match["replay"]))


def leads_to(stage: Stage, taken: EventId) -> tuple[str, ...]:
    """Return the ids that a stage may make of an event: any of them, acknowledged, finishes its record."""
    nouns: dict[Stage, tuple[tuple[str, int], ...]] = {
        Stage.CLASSIFY: (("task.classified", 0),),
        Stage.GENERATE: (("task.generated", taken.round),),
        Stage.VALIDATE: (
            ("task.validated", 0),
            ("task.classified", taken.round + 1),
            ("review.requested", 0),
        ),
        Stage.PUBLISH: (),
    }
    made = (*nouns[stage], ("task.finished", 0))
    return tuple(str(taken._replace(noun=noun, round=number)) for noun, number in made)
