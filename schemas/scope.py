"""What can be closed apart from the rest: by a person, or by a breaker."""

from enum import StrEnum
from typing import NamedTuple


class ScopeKind(StrEnum):
    """The dimensions along which work can be held back."""

    STAGE = "stage"
    LANE = "lane"
    TENANT = "tenant"
    RECIPE = "recipe"
    PROVIDER = "provider"
    MODEL = "model"
    WORKER = "worker"


class Scope(NamedTuple):
    """One value of one dimension.

    Attributes:
        kind: the dimension.
        name: the value: a stage, a lane, a tenant, a recipe with its version, a provider, a model
            or a worker id.
    """

    kind: ScopeKind
    name: str

    def __str__(self) -> str:
        return f"{self.kind} {self.name}"
