"""What happens in each round: which record is killed where, and what runs beside it."""

import random
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

from processors.gateway.journal import CallKey
from schemas.events import TaskClassified

from .records import a_record, step_name

RECORDS_MAX = 3
STEPS_MAX = 3


class Failpoint(StrEnum):
    """Where in a call its worker is killed."""

    AFTER_RESERVE = "after_reserve"
    """The intent is durable, the request has not gone out."""

    MID_CALL = "mid_call"
    """The provider has logged the request and not yet answered it."""

    AFTER_ANSWER = "after_answer"
    """The answer came and is not durable."""

    BEFORE_COMMIT = "before_commit"
    """The answer is durable, and nobody has heard of it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Round:
    """Records that one worker runs side by side until it is killed, and a second one to their end.

    Attributes:
        name: unlike any other round's.
        failpoint: where the first worker is killed.
        records: how many.
        steps: model calls of each, one after the other.
        victim_record: the record whose call is killed, from 0.
        victim_step: its step that is killed, from 1.
    """

    name: str
    failpoint: Failpoint
    records: int = 1
    steps: int = 1
    victim_record: int = 0
    victim_step: int = 1

    @property
    def events(self) -> tuple[TaskClassified, ...]:
        """Return its records."""
        return tuple(a_record(f"{self.name}/{number}", self.steps) for number in range(self.records))

    @property
    def calls(self) -> tuple[CallKey, ...]:
        """Return every call that it takes to finish."""
        return tuple(
            CallKey(revision=event.plan.revision, step=step_name(number))
            for event in self.events
            for number in range(1, self.steps + 1)
        )

    @property
    def victim(self) -> CallKey:
        """Return the call that is killed."""
        return self.calls[self.victim_record * self.steps + self.victim_step - 1]


def plan(seed: int, kills: int, failpoints: Iterable[Failpoint] = Failpoint) -> tuple[Round, ...]:
    """Return `kills` rounds for each failpoint."""
    return tuple(_round(seed, number, failpoint) for number in range(kills) for failpoint in failpoints)


def _round(seed: int, number: int, failpoint: Failpoint) -> Round:
    name = f"{seed}-{failpoint}-{number}"
    chance = random.Random(name)
    records, steps = chance.randint(1, RECORDS_MAX), chance.randint(1, STEPS_MAX)
    return Round(
        name=name,
        failpoint=failpoint,
        records=records,
        steps=steps,
        victim_record=chance.randrange(records),
        victim_step=chance.randint(1, steps),
    )
