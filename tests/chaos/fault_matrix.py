"""All faults, in the order of the matrix, and the choice among them."""

from collections.abc import Collection

from .faults.broker_restart import BrokerRestart
from .faults.coordinator_kill import CoordinatorKill
from .faults.database_kill import DatabaseKill
from .faults.fault import Fault
from .faults.latency import Latency
from .faults.leader_kill import LeaderKill
from .faults.lost_answers import LostAnswers
from .faults.malformed_answers import MalformedAnswers
from .faults.partition import Partition
from .faults.rate_limit_storm import RateLimitStorm
from .faults.rebalance_storm import RebalanceStorm
from .faults.rolling_restart import RollingRestart
from .faults.server_errors import ServerErrors
from .faults.swallowed_answers import SwallowedAnswers
from .faults.term_in_rebalance import TermInRebalance
from .faults.worker_kill import WorkerKill
from .faults.worker_pause import WorkerPause
from .faults.worker_term import WorkerTerm

FAULTS: tuple[type[Fault], ...] = (
    WorkerKill,
    WorkerTerm,
    TermInRebalance,
    WorkerPause,
    RollingRestart,
    RebalanceStorm,
    BrokerRestart,
    LeaderKill,
    CoordinatorKill,
    Partition,
    Latency,
    SwallowedAnswers,
    RateLimitStorm,
    ServerErrors,
    LostAnswers,
    MalformedAnswers,
    DatabaseKill,
)
COUNTED = (WorkerKill, LeaderKill)
"""How often these strike is said by a number of their own."""
ALL, NONE = "all", "none"


def choose(text: str, brokers: int) -> tuple[type[Fault], ...]:
    """Return the faults that `text` names, each to be applied once, in the order of the matrix.

    Args:
        text: rows joined by commas; `all` is every one that fits, `none` is none.
        brokers: how many there are.

    Raises:
        ValueError: a row is not known, counted by itself, or needs more brokers.
    """
    offered = {f.row: f for f in FAULTS if f not in COUNTED and f.brokers_min <= brokers}
    rows: Collection[str] = offered if text == ALL else () if text == NONE else text.split(",")
    unknown = [row for row in rows if row not in offered]
    if unknown:
        raise ValueError(f"{unknown} asked for with {brokers} brokers, expected some of {', '.join(offered)}")
    return tuple(fault for row, fault in offered.items() if row in rows)
