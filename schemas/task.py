"""The task: what an upstream system asks for."""

import hashlib
from datetime import datetime
from decimal import Decimal
from functools import cached_property
from typing import Annotated

from pydantic import AwareDatetime, Field, JsonValue, StringConstraints

from schemas.base import Identifier, Lane, Message, Risk, Slug
from schemas.codec import canonical

INPUTS_MAX = 200
ORDER_KEY_CHARS_MAX = 200

InputName = Annotated[str, StringConstraints(pattern=r"^[A-Za-z_][A-Za-z0-9_]{0,99}$")]
"""Name of an input: a letter or underscore, then at most 99 letters, digits or underscores."""


class PublishTarget(Message):
    """Where the page goes."""

    site: Identifier = Field("default", description="Name of the site; slugs are unique inside it.")
    slug: Slug | None = Field(None, description="Address of the page; without it the recipe makes one.")


class Task(Message):
    """One piece of content to make: a recipe and its inputs, and the rules that it runs under."""

    task_id: Identifier = Field(
        description="Identity of the task, stable over submissions: the same page next month has the same id."
    )
    recipe: Identifier = Field(description="Name of the recipe, or `name@version` to pin one.")
    inputs: dict[InputName, JsonValue] = Field(
        max_length=INPUTS_MAX, description="The recipe's inputs: one JSON value for each name."
    )
    tenant: Identifier = Field("default", description="Whose task it is; tenants share no answers.")
    team: Identifier = Field("default", description="The team that pays.")
    feature: Identifier = Field("default", description="The feature that the cost is booked on.")
    batch_id: Identifier | None = Field(None, description="The load that the task belongs to.")
    row: int | None = Field(
        None, ge=1, le=2_000_000_000, description="Number of the row in its load, from 1; orders the results."
    )
    lane: Lane = Field(Lane.LIVE, description="`live` for interactive tasks, `bulk` for loads.")
    priority: int = Field(5, ge=0, le=9, description="0 (last) to 9 (first) inside its lane.")
    deadline: AwareDatetime | None = Field(
        None, description="After this moment (RFC 3339) the task ends as `expired`, unpaid."
    )
    budget_usd: Decimal | None = Field(None, gt=0, description="Most that the task may cost, in US dollars.")
    risk: Risk = Field(Risk.LOW, description="Least risk that the task is handled under.")
    order_key: Annotated[str, StringConstraints(min_length=1, max_length=ORDER_KEY_CHARS_MAX)] | None = Field(
        None, description="Tasks of one order key keep their order; it becomes the record's key."
    )
    target: PublishTarget = Field(PublishTarget(site="default", slug=None), description="Where to publish.")

    @cached_property
    def submission_id(self) -> str:
        """Identity of this submission: 20 hex digits over the task's whole content.

        A retransmission has the same one, another batch or other inputs have another.
        """
        return _digest(self.model_dump(mode="json"))

    @property
    def key(self) -> bytes:
        """Kafka record key: the order key where order matters, else the task id."""
        return (self.order_key or self.task_id).encode()

    def revision(self, recipe_version: str) -> str:
        """Identity of the work itself: 20 hex digits over tenant, task, recipe version and inputs.

        Journal and publication are keyed by it: the same revision is paid for once and published once.
        """
        return _digest([self.tenant, self.task_id, recipe_version, self.inputs, self.target.site])

    def expired(self, now: datetime) -> bool:
        """Whether the deadline has passed at `now` (aware)."""
        return self.deadline is not None and now >= self.deadline


def _digest(value: object) -> str:
    return hashlib.sha256(canonical(value)).hexdigest()[:20]
