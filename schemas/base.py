"""The base of every message and the closed sets that several messages share."""

from enum import StrEnum
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

Identifier = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9._:@/-]{0,199}$")]
"""A name or id: 1 to 200 characters, letters, digits and ``. _ : @ / -``, starting with a letter or digit."""

Slug = Annotated[str, StringConstraints(pattern=r"^[a-z0-9]+(?:-[a-z0-9]+)*$", max_length=100)]
"""The last part of a page's address: lower-case words joined by hyphens, at most 100 characters."""

Ratio = Annotated[float, Field(ge=0, le=1)]
"""A share or score from 0 to 1."""


class Message(BaseModel):
    """Frozen, strict, closed: an unknown field or a value of another type is an error, never a guess.

    Of the strings that were read, the parser keeps the keys alone: no value comes again often enough.
    """

    model_config = ConfigDict(
        frozen=True, strict=True, extra="forbid", allow_inf_nan=False, cache_strings="keys"
    )


class Lane(StrEnum):
    """Which queue a task travels in; a load of a million rows never stands before an interactive task."""

    LIVE = "live"
    BULK = "bulk"


class Risk(StrEnum):
    """How much harm a wrong page does; `high` is always shown to a person before it is published."""

    LOW = "low"
    MEDIUM = "medium"
    HIGH = "high"


class Tier(StrEnum):
    """Size class of a model, cheapest first."""

    SMALL = "small"
    MID = "mid"
    FRONTIER = "frontier"


class Stage(StrEnum):
    """The four stages in pipeline order."""

    CLASSIFY = "classify"
    GENERATE = "generate"
    VALIDATE = "validate"
    PUBLISH = "publish"


class Outcome(StrEnum):
    """How a task ended. Each accepted task gets exactly one."""

    PUBLISHED = "published"
    UNCHANGED = "unchanged"
    REJECTED = "rejected"
    DEAD_LETTERED = "dead_lettered"
    CANCELLED = "cancelled"
    EXPIRED = "expired"


class Severity(StrEnum):
    """What a finding of a check does: `error` stops the page, `warn` lowers its score, `info` informs."""

    ERROR = "error"
    WARN = "warn"
    INFO = "info"
