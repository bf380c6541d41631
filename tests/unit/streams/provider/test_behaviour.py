"""Plans: the same run draws the same faults and latencies."""

import statistics

from streams.embedded.provider.behaviour import Planner, draw_latency
from streams.embedded.provider.chance import Chance
from streams.embedded.provider.config import (
    Fault,
    FaultShares,
    FixedLatency,
    LogNormalLatency,
    ModelBehaviour,
    ModelOverride,
    ProviderConfig,
)

SHARES = FaultShares(http_500=0.3, timeout=0.2, nonsense=0.1)
REQUESTS = [f"request {number % 100}".encode() for number in range(2_000)]


def faulty(config: ProviderConfig, **changes: object) -> ProviderConfig:
    return config.model_copy(update={"defaults": ModelBehaviour(faults=SHARES), **changes})


def test_a_replay_of_a_run_draws_the_same_plans(config: ProviderConfig) -> None:
    first, second = Planner(faulty(config)), Planner(faulty(config))

    assert [first.plan("m", one) for one in REQUESTS] == [second.plan("m", one) for one in REQUESTS]


def test_a_repeat_may_meet_another_fault(config: ProviderConfig) -> None:
    planner = Planner(faulty(config))

    plans = [planner.plan("m", b"same") for _ in range(50)]

    assert [plan.seen for plan in plans] == list(range(50))
    assert len({plan.fault for plan in plans}) > 1


def test_another_seed_draws_other_plans(config: ProviderConfig) -> None:
    one, other = Planner(faulty(config)), Planner(faulty(config, seed=8))

    assert [one.plan("m", each).fault for each in REQUESTS] != [
        other.plan("m", each).fault for each in REQUESTS
    ]


def test_faults_strike_by_their_shares(config: ProviderConfig) -> None:
    planner = Planner(faulty(config))

    faults = [planner.plan("m", one).fault for one in REQUESTS]

    for fault, share in SHARES.laid_out:
        assert abs(faults.count(fault) / len(faults) - share) < 0.04


def test_shares_of_one_strike_always_and_overrides_win(config: ProviderConfig) -> None:
    override = ModelOverride(faults=FaultShares(refusal=1.0), latency=FixedLatency(seconds=2.0))
    planner = Planner(faulty(config, overrides={"special": override}))

    plans = [planner.plan("special", one) for one in REQUESTS[:50]]

    assert {(plan.fault, plan.latency_s) for plan in plans} == {(Fault.REFUSAL, 2.0)}


def test_a_timeout_is_held_for_hang_s(config: ProviderConfig) -> None:
    plan = Planner(config).plan("m", b"any", forced=Fault.TIMEOUT)

    assert plan.latency_s == config.defaults.hang_s


def test_a_slow_answer_takes_slow_s_at_the_models_that_have_them(config: ProviderConfig) -> None:
    override = ModelOverride(faults=FaultShares(slow=1.0), slow_s=7.0)
    planner = Planner(faulty(config, overrides={"slow": override}))

    plan = planner.plan("slow", b"any")

    assert (plan.fault, plan.latency_s) == (Fault.SLOW, 7.0)
    assert planner.plan("other", b"any").fault is not Fault.SLOW


def test_latencies_keep_their_median_and_99th_percentile() -> None:
    latency = LogNormalLatency(median_s=0.2, p99_s=0.8)
    chance = Chance(b"latencies")

    drawn = sorted(draw_latency(latency, chance) for _ in range(20_000))

    assert abs(statistics.median(drawn) - 0.2) < 0.01
    assert abs(drawn[int(len(drawn) * 0.99)] - 0.8) < 0.08
