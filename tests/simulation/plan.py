"""What happens in one seed: settings, tasks, faults. Everything follows from the seed."""

import random
from dataclasses import dataclass
from enum import StrEnum

from processors.disposition import RetryPolicy
from schemas.base import Lane
from schemas.scope import Scope, ScopeKind
from streams.engine.intake import Ordering
from streams.engine.tiers import Tier

WARM_S = 3.0
LANES = {"in.live": Lane.LIVE, "in.bulk": Lane.BULK}
"""What the one stage consumes: two lanes, as every stage of the pipeline has."""

WEIGHTS = {"in.live": 9, "in.bulk": 1}
TENANTS = ("anna", "berta", "cleo")
TIERS = (Tier(topic="retry.3s", length_s=3.0), Tier(topic="retry.10s", length_s=10.0))
PROVIDER = "p"
SCOPES = (
    Scope(ScopeKind.LANE, Lane.BULK),
    Scope(ScopeKind.TENANT, "anna"),
    Scope(ScopeKind.PROVIDER, PROVIDER),
)
"""What a person holds back for a while."""


class Fate(StrEnum):
    """What is bound to become of a task."""

    GOOD = "good"
    SLOW = "slow"  # its calls last long: the head of its partition for a while
    POOR = "poor"  # its budget does not cover a call
    DOOMED = "doomed"  # the provider fails it for ever
    INVALID = "invalid"
    BUG = "bug"


FATES = (*(Fate.GOOD,) * 11, Fate.SLOW, Fate.SLOW, Fate.POOR, Fate.DOOMED, Fate.INVALID, Fate.BUG)


class Strike(StrEnum):
    """What is done to a worker, or to what all share."""

    KILL = "kill"
    STOP = "stop"
    PAUSE = "pause"
    JOIN = "join"
    CUT = "cut"  # a worker's way to the brokers
    REJOIN = "rejoin"  # what the engine does about a stall
    HOLD = "hold"  # a lane, a tenant or the provider, by a person
    STORE_DOWN = "store_down"
    PROVIDER_DOWN = "provider_down"
    BROKER_DOWN = "broker_down"
    CLOCK_JUMP = "clock_jump"
    CLOCK_FAST = "clock_fast"


STRIKES = (
    *(Strike.KILL, Strike.KILL, Strike.PAUSE, Strike.PAUSE, Strike.JOIN, Strike.JOIN, Strike.STOP),
    *(Strike.CUT, Strike.STORE_DOWN, Strike.PROVIDER_DOWN, Strike.BROKER_DOWN),
    *(Strike.CLOCK_JUMP, Strike.CLOCK_FAST, Strike.REJOIN, Strike.HOLD, Strike.HOLD),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Noise:
    """Probabilities of what goes wrong with a single request, and of slow ones.

    Attributes:
        lost: it never arrives.
        swallowed: it is served, the answer never arrives.
        refused: it is answered with an error that passes.
        slow: it or its answer takes long.
        provider: a model call fails.
        sink: the sink fails.
    """

    lost: float = 0.0
    swallowed: float = 0.0
    refused: float = 0.0
    slow: float = 0.0
    provider: float = 0.0
    sink: float = 0.0


CALM = Noise()


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskPlan:
    """One task: when and where it comes, and its fate."""

    task_id: str
    fate: Fate
    topic: str
    tenant: str
    key: bytes
    at_s: float
    steps: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class StrikePlan:
    """One fault: when, what, whom, for how long."""

    at_s: float
    strike: Strike
    draw: float
    lasts_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Scenario:
    """Everything that is decided before the run. Times are in seconds after the start.

    Attributes:
        chaos_s: when the chaos ends.
        window_max: offsets of a window at which nothing more is taken.
        poll_records_max: most records of one poll.
        requests_per_minute: the provider's limit over all workers.
        stream: whether the provider's answers come as streams.
    """

    seed: int
    workers: int
    partitions: int
    ordering: Ordering
    in_flight_max: int
    look_ahead_max: int
    lane_bytes_max: int
    tenant_in_flight_max: int | None
    poll_records_max: int
    commit_interval_s: float
    drain_s: float
    session_s: float
    window_max: int
    requests_per_minute: int
    tokens_per_minute: int | None
    concurrency: int
    stream: bool
    policy: RetryPolicy
    noise: Noise
    chaos_s: float
    tasks: tuple[TaskPlan, ...]
    strikes: tuple[StrikePlan, ...]


def plan(seed: int) -> Scenario:
    """Return the scenario of a seed."""
    rng = random.Random(f"plan {seed}")
    chaos_s = rng.uniform(25.0, 45.0)
    strikes = _strikes(rng, chaos_s)
    return Scenario(
        seed=seed,
        workers=rng.choice((1, 2, 2, 3)),
        partitions=rng.choice((1, 2, 3, 4)),
        ordering=rng.choice((Ordering.UNORDERED, Ordering.UNORDERED, Ordering.KEY)),
        in_flight_max=rng.choice((2, 4, 16)),
        look_ahead_max=rng.choice((2, 20, 1_000)),
        lane_bytes_max=rng.choice((60, 1_000_000)),
        tenant_in_flight_max=rng.choice((None, None, 1, 3)),
        poll_records_max=rng.choice((3, 500)),
        commit_interval_s=rng.choice((0.5, 1.0, 3.0)),
        drain_s=rng.choice((1.0, 5.0, 30.0)),
        session_s=rng.choice((6.0, 10.0)),
        window_max=rng.choice((4, 10, 24_000)),
        requests_per_minute=rng.choice((20, 60, 600)),
        tokens_per_minute=rng.choice((None, None, 60_000)),
        concurrency=rng.choice((3, 50)),
        stream=rng.random() < 0.5,
        policy=_policy(rng, strikes),
        noise=_noise(rng),
        chaos_s=chaos_s,
        tasks=_tasks(rng, chaos_s),
        strikes=strikes,
    )


def _policy(rng: random.Random, strikes: tuple[StrikePlan, ...]) -> RetryPolicy:
    policy = RetryPolicy(
        attempts_max=rng.choice((4, 6)),
        backoff_s_max=10.0,
        outage_backoff_s_max=20.0,
        window_s_max=rng.choice((0.4, 2.0, 30.0)),
    )
    # What a record in a tier waits for is a time of day: a clock that is set back by an hour adds that hour.
    set_ = any(strike.strike in {Strike.CLOCK_JUMP, Strike.CLOCK_FAST} for strike in strikes)
    return policy.in_place() if set_ else policy


def _noise(rng: random.Random) -> Noise:
    return Noise(
        lost=rng.choice((0.0, 0.02)),
        swallowed=rng.choice((0.0, 0.03)),
        refused=rng.choice((0.0, 0.05)),
        slow=rng.choice((0.0, 0.05)),
        provider=rng.choice((0.05, 0.25)),
        sink=rng.choice((0.0, 0.2)),
    )


def _tasks(rng: random.Random, chaos_s: float) -> tuple[TaskPlan, ...]:
    count = rng.randint(12, 36)
    burst = rng.random() < 0.5  # half of the seeds begin with a backlog
    return tuple(
        TaskPlan(
            task_id=f"t{number:03d}",
            fate=rng.choice(FATES),
            topic=rng.choice(tuple(LANES)),
            tenant=rng.choice(TENANTS),
            key=b"k%d" % rng.randrange(12),
            at_s=rng.uniform(0.0, WARM_S if burst else 0.8 * chaos_s),
            steps=("write", "polish")[: rng.choice((1, 1, 2))],
        )
        for number in range(count)
    )


def _strikes(rng: random.Random, chaos_s: float) -> tuple[StrikePlan, ...]:
    count = rng.randint(2, 6)
    strikes = [
        StrikePlan(
            at_s=rng.uniform(WARM_S, 0.9 * chaos_s),
            strike=rng.choice(STRIKES),
            draw=rng.random(),
            lasts_s=rng.choice((0.5, 4.0, 9.0, 20.0)) * rng.uniform(0.8, 1.2),
        )
        for _ in range(count)
    ]
    return tuple(sorted(strikes, key=lambda strike: strike.at_s))
