"""What a person holds back or lets go on. Topic `pressline.control.v1`: the newest of each scope counts."""

from datetime import datetime
from enum import StrEnum

from pydantic import Field

from schemas.base import Identifier, Message
from schemas.scope import Scope, ScopeKind

WHY_CHARS_MAX = 500


class ControlAction(StrEnum):
    """What was done; only `resumed` leaves the scope open."""

    PAUSED = "paused"
    DRAINED = "drained"
    RESUMED = "resumed"


class ScopeChanged(Message):
    """A person closed or opened a scope. An opening is a message too, so that the topic tells who did it."""

    kind: ScopeKind
    name: Identifier
    action: ControlAction
    by: Identifier = Field(description="Who did it.")
    why: str = Field("", max_length=WHY_CHARS_MAX)
    at: datetime = Field(description="When, by the clock of who did it.")

    @property
    def scope(self) -> Scope:
        """What was closed or opened."""
        return Scope(self.kind, self.name)

    @property
    def closed(self) -> bool:
        """Whether the scope is closed from then on."""
        return self.action is not ControlAction.RESUMED
