"""The whole pipeline on one screen: which stage takes what, and what it may lead to."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from processors.classify import classify
from processors.generate import generate
from processors.ports import Ports
from processors.publish import publish
from processors.validate import validate
from schemas.base import Lane, Stage
from schemas.events import (
    Event,
    ReviewRequested,
    StageInput,
    TaskClassified,
    TaskFinished,
    TaskGenerated,
    TaskSubmitted,
    TaskValidated,
)
from streams.topics import topic_name


@dataclass(frozen=True, slots=True, kw_only=True)
class StageSpec:
    """One stage.

    Attributes:
        stage: its name; the consumer group is `pressline-<stage>`.
        takes: the event that it consumes.
        leads_to: the events that it may make.
        run: the function: one event in, one event out.
    """

    stage: Stage
    takes: type[StageInput]
    leads_to: tuple[type[Event], ...]
    run: Callable[[Any, Ports], Awaitable[Event]]

    @property
    def group(self) -> str:
        """Its consumer group."""
        return f"pressline-{self.stage}"

    @property
    def lanes(self) -> dict[str, Lane]:
        """The topics that it consumes, each with its lane."""
        return {topic_name(self.takes, lane): lane for lane in Lane}

    @property
    def topics(self) -> tuple[str, ...]:
        """The topics that it consumes."""
        return tuple(self.lanes)


PIPELINE: dict[Stage, StageSpec] = {
    spec.stage: spec
    for spec in (
        StageSpec(
            stage=Stage.CLASSIFY,
            takes=TaskSubmitted,
            leads_to=(TaskClassified, TaskFinished),
            run=classify,
        ),
        StageSpec(
            stage=Stage.GENERATE,
            takes=TaskClassified,
            leads_to=(TaskGenerated, TaskFinished),
            run=generate,
        ),
        StageSpec(
            stage=Stage.VALIDATE,
            takes=TaskGenerated,
            leads_to=(TaskValidated, TaskClassified, ReviewRequested, TaskFinished),
            run=validate,
        ),
        StageSpec(
            stage=Stage.PUBLISH,
            takes=TaskValidated,
            leads_to=(TaskFinished,),
            run=publish,
        ),
    )
}
