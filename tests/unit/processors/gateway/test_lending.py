"""What idle workers lend is used by busy ones, and all together never pass the limit."""

import asyncio
from bisect import bisect
from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import accumulate
from random import Random

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from fakes import virtual_time
from fakes.lease_table import FakeLeaseRows
from fakes.limited_worker import LimitedWorker
from fakes.windows import WINDOW_S, Admissions, busiest_window
from processors.gateway.lending import LEASE_S, Standing, Wish, terms
from processors.gateway.limits import ProviderLimits
from schemas.catalogue import LimitRules

SESSION_TIMEOUT_S = 10.0
SCENARIO_S = 300.0
LENT_WITHIN_S = 30.0
"""Settled, unused for long enough, offered, borrowed: then the limit is used up by whoever has work."""

BACK_WITHIN_S = 6.0
ROUNDING = 1e-9
IDLE = Wish(offered=0.0, borrowed=0.0, hungry=False)
HUNGRY = Wish(offered=0.0, borrowed=0.0, hungry=True)


def other(left_s: float = LEASE_S, **changes: object) -> Standing:
    values: dict[str, object] = {"offered": 0.0, "borrowed": 0.0, "hungry": False, **changes}
    return Standing(wish=Wish(**values), left_s=left_s)  # type: ignore[arg-type] # named by each test


def test_the_only_one_in_need_gets_all_that_is_offered() -> None:
    assert terms(HUNGRY, [other(offered=0.3), other(offered=0.2)]).borrowed == 0.5


def test_who_is_not_in_need_gets_nothing() -> None:
    assert terms(IDLE, [other(offered=0.3)]).borrowed == 0.0


def test_those_in_need_get_even_parts_as_soon_as_they_are_free() -> None:
    greedy = other(borrowed=0.3, hungry=True)

    assert terms(HUNGRY, [other(offered=0.4), greedy]).borrowed == pytest.approx(0.1)
    has = Wish(offered=0.0, borrowed=0.3, hungry=True)
    assert terms(has, [other(offered=0.4), other(hungry=True)]).borrowed == pytest.approx(0.2)


def test_what_is_given_back_stays_written_until_it_is_not_used() -> None:
    answer = terms(Wish(offered=0.0, borrowed=0.3, hungry=True), [other(offered=0.1)])

    assert (answer.borrowed, answer.written) == (0.1, 0.3)


def test_what_is_borrowed_beyond_the_offers_is_missing() -> None:
    assert terms(HUNGRY, [other(borrowed=0.4), other(offered=0.1)]).missing == pytest.approx(0.3)


def test_nothing_borrowed_outlasts_an_offer() -> None:
    assert terms(HUNGRY, [other(offered=0.4, left_s=1.5), other(left_s=0.5)]).lasts_s == 1.5
    assert terms(HUNGRY, []).lasts_s == LEASE_S


shares = st.floats(0, 0.25)
standings = st.lists(
    st.builds(
        Standing,
        wish=st.builds(Wish, offered=shares, borrowed=shares, hungry=st.booleans()),
        left_s=st.floats(0.001, LEASE_S),
    ),
    max_size=8,
)


@given(others=standings, wish=st.builds(Wish, offered=shares, borrowed=shares, hungry=st.booleans()))
def test_nobody_is_ever_given_more_than_is_free(others: list[Standing], wish: Wish) -> None:
    offered = sum(each.wish.offered for each in others)
    taken = sum(each.wish.borrowed for each in others)

    answer = terms(wish, others)

    assert 0 <= answer.borrowed <= max(0.0, offered - taken)
    assert answer.written == max(answer.borrowed, wish.borrowed)
    assert 0 < answer.lasts_s <= LEASE_S


@dataclass
class World:
    """Workers with random demand, rebalances, crashes and tables that go away."""

    seed: int
    rules: LimitRules
    log: Admissions = field(default_factory=list)
    workers: dict[str, LimitedWorker] = field(default_factory=dict)
    rows: FakeLeaseRows = field(default_factory=FakeLeaseRows)
    used_together: list[float] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.drawn = Random(self.seed)

    def join(self) -> None:
        name, drawn = f"worker-{len(self.workers)}-{self.drawn.random()}", Random(self.drawn.random())
        busy = self._intervals(drawn, 5, 40, often=0.7)
        away = self._intervals(drawn, 15, 60, often=0.3)
        worker = LimitedWorker(name, self.rules, self.rows, self.log, busy=busy, away=away, drawn=drawn)
        self._watch(worker.limits)
        worker.start()
        self.workers[name] = worker

    def _watch(self, limits: ProviderLimits) -> None:
        """Note the sum of all workers' shares whenever one of them changes."""
        set_share = limits.set_share

        def watched(share: float) -> None:
            set_share(share)
            self.used_together.append(sum(worker.limits.share for worker in self.workers.values()))

        limits.set_share = watched  # type: ignore[method-assign] # to see every change, however short

    async def crash(self) -> None:
        name = self.drawn.choice(list(self.workers))
        await self.workers.pop(name).crash()
        await asyncio.sleep(SESSION_TIMEOUT_S)

    async def rebalance(self) -> None:
        """All let go, then each gets its share, some sooner than others."""
        for worker in self.workers.values():
            await asyncio.sleep(self.drawn.uniform(0, 0.5))
            worker.lender.set_share(0.0)
        parts = [self.drawn.randint(1, 5) for _ in self.workers]
        await asyncio.gather(
            *(
                self._assign(worker, part / sum(parts))
                for worker, part in zip(self.workers.values(), parts, strict=True)
            )
        )

    async def _assign(self, worker: LimitedWorker, share: float) -> None:
        await asyncio.sleep(self.drawn.uniform(0, 2))
        worker.lender.set_share(share)

    def _intervals(self, drawn: Random, least_s: float, most_s: float, *, often: float) -> Callable[[], bool]:
        """Return a switch that is on and off for random times; `often` is how often it begins as on."""
        edges = [now_s() + edge for edge in accumulate(drawn.uniform(least_s, most_s) for _ in range(60))]
        first = drawn.random() < often
        return lambda: (bisect(edges, now_s()) % 2 == 0) == first

    async def live(self, workers: int) -> None:
        for _ in range(workers):
            self.join()
        await self.rebalance()
        until_s = now_s() + SCENARIO_S
        while now_s() < until_s:
            await asyncio.sleep(self.drawn.uniform(20, 90))
            if len(self.workers) > 1 and self.drawn.random() < 0.5:
                await self.crash()
            else:
                self.join()
            await self.rebalance()
        for worker in self.workers.values():
            await worker.crash()


def now_s() -> float:
    return asyncio.get_running_loop().time()


@settings(max_examples=8, deadline=None)
@example(seed=0, workers=3, limit=400)  # an answer that comes after its loan has ended
@given(seed=st.integers(0, 10**6), workers=st.integers(1, 4), limit=st.integers(400, 1_200))
def test_shares_never_add_up_to_more_than_all_and_no_window_sees_more_than_the_limit(
    seed: int, workers: int, limit: int
) -> None:
    world = World(seed, LimitRules(requests_per_minute=limit))

    virtual_time.run(world.live(workers))

    assert max(world.used_together) <= 1 + ROUNDING
    assert busiest_window([(at_s, 1) for at_s, _ in world.log]) <= limit


@settings(max_examples=8, deadline=None)
@given(seed=st.integers(0, 10**6), workers=st.integers(1, 4))
def test_no_window_ever_sees_more_tokens_than_the_limit(seed: int, workers: int) -> None:
    world = World(seed, LimitRules(tokens_per_minute=150_000))

    virtual_time.run(world.live(workers))

    assert busiest_window(world.log) <= 150_000


def used(log: Admissions, from_s: float) -> int:
    return sum(from_s <= at_s < from_s + WINDOW_S for at_s, _ in log)


@pytest.mark.parametrize("idle", [1, 3])
def test_one_busy_worker_gets_nearly_all_of_the_limit_and_gives_it_back(idle: int) -> None:
    rules, log, rows = LimitRules(requests_per_minute=1_200), list[tuple[float, int]](), FakeLeaseRows()
    theirs: Admissions = []
    has_work = {"idle": False}

    async def scenario() -> tuple[float, float]:
        drawn = Random(1)
        busy = LimitedWorker("busy", rules, rows, log, busy=lambda: True, drawn=drawn)
        lenders = [
            LimitedWorker(f"idle-{n}", rules, rows, theirs, busy=lambda: has_work["idle"], drawn=drawn)
            for n in range(idle)
        ]
        for worker in (busy, *lenders):
            worker.start()
            worker.lender.set_share(1 / (1 + idle))
        lent_s = now_s() + LENT_WITHIN_S
        await asyncio.sleep(LENT_WITHIN_S + WINDOW_S)
        has_work["idle"] = True
        back_s = now_s() + BACK_WITHIN_S
        await asyncio.sleep(BACK_WITHIN_S + WINDOW_S)
        for worker in (busy, *lenders):
            await worker.crash()
        return lent_s, back_s

    lent_s, back_s = virtual_time.run(scenario())

    assert used(log, lent_s) >= 0.9 * 1_200
    assert used(theirs, back_s) >= 0.95 * 1_200 * idle / (1 + idle)
    assert busiest_window([(at_s, 1) for at_s, _ in (*log, *theirs)]) <= 1_200
