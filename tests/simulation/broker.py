"""Topics, their logs, and the groups: what all brokers together know."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from .group import Group
from .history import History
from .loop import Process
from .network import Network
from .plan import LANES, TIERS

STAGE = "stage"
REDELIVERY = "redelivery"
"""The two consumer groups."""

OUT = "out"
DEAD = "dead"
TOPICS = (*LANES, *(tier.topic for tier in TIERS), OUT, DEAD)
Headers = tuple[tuple[str, bytes], ...]
Cause = tuple[str, int, int]
"""Topic, partition and offset of the record in whose processing a record was sent."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LogRecord:
    """A record as a log has it."""

    topic: str
    partition: int
    offset: int
    key: bytes | None
    value: bytes | None
    headers: Headers
    timestamp: int


@dataclass(slots=True, eq=False)
class Broker:
    """The cluster.

    Attributes:
        on_append: told of every record that is in a log now, and of its cause.
        wall_s: the time of day in seconds.
        groups: by name.
        arrivals: told where a record came in: consumers look again.
    """

    history: History
    network: Network
    partitions: int
    on_append: Callable[[LogRecord, Cause | None], None]
    wall_s: Callable[[], float]
    groups: Mapping[str, Group]
    logs: dict[tuple[str, int], list[LogRecord]] = field(default_factory=dict)
    arrivals: dict[object, Callable[[tuple[str, int]], None]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.logs = {(t, n): [] for t in TOPICS for n in range(self.partitions)}

    def append(
        self,
        place: tuple[str, int],
        key: bytes | None,
        value: bytes | None,
        headers: Headers = (),
        cause: Cause | None = None,
    ) -> LogRecord:
        """Put a record at the end of a log."""
        log = self.logs[place]
        record = LogRecord(
            topic=place[0],
            partition=place[1],
            offset=len(log),
            key=key,
            value=value,
            headers=headers,
            timestamp=int(self.wall_s() * 1000),
        )
        log.append(record)
        self.history.note("append", *place, record.offset, key, value)
        self.on_append(record, cause)
        for arrived in tuple(self.arrivals.values()):
            arrived(place)
        return record

    def silence(self, process: Process) -> None:
        """A process does not heartbeat any more."""
        for group in self.groups.values():
            group.silence(process)
