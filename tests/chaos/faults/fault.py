"""What every fault is: something that is done to a running cluster, and undone."""

from abc import ABC, abstractmethod
from typing import ClassVar

from ..scene import Scene


class Fault(ABC):
    """One fault, applied once.

    Attributes:
        row: its row of the fault matrix in the reference on reliability.
        name: what the report calls it.
        brokers_min: brokers without which it makes no sense.
        lasts_s: bounds of the time from the end of `apply` to `heal`, in seconds.

    Args:
        scene: what it is applied to.
    """

    row: ClassVar[str]
    name: ClassVar[str]
    brokers_min: ClassVar[int] = 1
    lasts_s: ClassVar[tuple[float, float]] = (0.0, 0.0)

    def __init__(self, scene: Scene) -> None:
        self.scene = scene
        self.cluster = scene.cluster

    @abstractmethod
    async def apply(self) -> None:
        """Do the harm."""

    async def heal(self) -> None:  # noqa: B027 - a default, not a gap: some faults leave nothing to undo
        """Undo it; what `apply` leaves whole needs nothing."""
