import asyncio
import contextlib
from collections import Counter
from collections.abc import Coroutine
from datetime import timedelta
from decimal import Decimal
from typing import Any

import orjson
import pytest

from builders import NOW, a_task
from fakes import virtual_time
from fakes.catalogue import without_fallbacks
from fakes.clock import FakeClock
from fakes.journal import FakeJournal
from fakes.model_request import a_request
from fakes.transport import ScriptedTransport, a_completion, a_problem
from processors.breakers import BreakerRules, Breakers
from processors.errors import (
    AbandonedError,
    BudgetExceededError,
    DeadlinePassedError,
    ProcessingError,
    PromptTooLongError,
    ProviderMalformedError,
    ProviderRateLimitedError,
    ProviderRefusedError,
    ProviderRejectedError,
    ProviderTimeoutError,
    ProviderUnavailableError,
    ScopeClosedError,
    StoreUnavailableError,
    UnpricedModelError,
)
from processors.gates import Gates
from processors.gateway.budget_book import BudgetBook
from processors.gateway.buying import CALL_HEADER, TASK_HEADER
from processors.gateway.catalogue import Catalogue, default, load
from processors.gateway.counts import of_text
from processors.gateway.gateway import Gateway
from processors.gateway.journal import CallKey
from processors.gateway.journal_writer import CLOSE_S_MAX, SWEEP_S
from processors.gateway.limits import ProviderLimits
from processors.gateway.prices import Prices, compile_prices
from processors.gateway.rate_headers import LimitKind
from processors.gateway.wire import WireAnswer
from processors.model import CallPhase, CallState, ChatMessage, ModelAnswer, ModelRequest, Tool, ToolCall
from schemas.base import Lane
from schemas.catalogue import LimitRules
from schemas.scope import Scope, ScopeKind

CATALOGUE = without_fallbacks(default().simulated_at("http://127.0.0.1:1/v1"))
PRICES = compile_prices(CATALOGUE, NOW)
STREAMING = load(
    b'providers: [{name: simulated, base_url: "http://p.test/v1", stream: true}]\n'
    b"models: [{name: gpt-5-nano, provider: simulated, tier: small, context_tokens: 8000,"
    b" price: {input: 1, output: 2}}]"
)
STREAM = b"".join(
    b"data: %s\n\n" % orjson.dumps({"choices": [choice]})
    for choice in (
        *({"delta": {"content": "Paris is"}} for _ in range(3)),
        {"delta": {}, "finish_reason": "stop"},
    )
)
KEY = CallKey(revision="r" * 20, step="write")
BULK = a_task(lane=Lane.BULK, tenant="flood")
RULES = BreakerRules(outcomes=4, open_s=10.0, probes=2)


class Rig:
    """A gateway on fakes."""

    def __init__(
        self,
        *replies: Any,
        prices: Prices = PRICES,
        catalogue: Catalogue = CATALOGUE,
        journal: FakeJournal | None = None,
        limits: ProviderLimits | None = None,
    ) -> None:
        self.transport = ScriptedTransport(*replies)
        self.journal = journal or FakeJournal()
        self.limits = limits or ProviderLimits("simulated", CATALOGUE.used_providers[0].limits)
        self.limits.set_share(1.0)
        self.clock = FakeClock()
        self.gates = Gates()
        self.now_s = 0.0
        self.gateway = Gateway(
            catalogue=catalogue,
            prices=prices,
            journal=self.journal,
            limits={"simulated": self.limits},
            transports={"simulated": self.transport},
            clock=self.clock,
            gates=self.gates,
            budgets=BudgetBook((), FakeClock()),
            breakers=Breakers(RULES, lambda: self.now_s),
        )

    async def complete(self, request: ModelRequest | None = None) -> ModelAnswer:
        return await self.gateway.complete(request or a_request())

    def states(self) -> list[str]:
        return [call.state for call in self.journal.attempts(KEY)]


async def cancelled(running: asyncio.Future[Any]) -> None:
    running.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await running


async def test_an_answer_is_priced_recorded_and_durable() -> None:
    rig = Rig()

    answer = await rig.complete()

    recorded = answer.recorded
    assert recorded.call_id == f"{'r' * 20}/write/1"
    assert recorded.cost_usd == PRICES.price("gpt-5-nano", of_text(400, 300), NOW)
    assert (recorded.simulated, recorded.replayed, recorded.usage_estimated) == (True, False, False)
    assert recorded.batch_id == "batch-1"
    assert rig.states() == ["answered"]


async def test_the_call_and_its_task_are_named_in_headers() -> None:
    rig = Rig()

    await rig.complete()

    headers = rig.transport.requests[0].headers
    assert headers[CALL_HEADER] == f"{'r' * 20}/write/1"
    assert headers[TASK_HEADER] == a_task().task_id


async def test_an_answer_is_bought_once() -> None:
    rig = Rig()

    first, second = await rig.complete(), await rig.complete()

    assert first == second
    assert len(rig.transport.requests) == 1


async def test_two_at_once_buy_one_answer() -> None:
    rig = Rig()

    first, second = await asyncio.gather(rig.complete(), rig.complete())

    assert first == second
    assert len(rig.transport.requests) == 1


async def test_who_stops_does_not_wait_for_another_workers_call() -> None:
    leader = Rig()
    leader.transport.gate = asyncio.Event()
    asking = asyncio.create_task(leader.complete())
    await leader.transport.asked.wait()
    stopping = Rig(journal=leader.journal.beside("worker-2"))

    with pytest.raises(AbandonedError):
        await stopping.complete(a_request(abandoned=lambda: True))

    assert leader.states() == ["open"]
    await cancelled(asking)


async def test_another_submission_replays_what_the_first_one_paid() -> None:
    rig = Rig()
    first = await rig.complete()

    second = await rig.complete(a_request(task=a_task(batch_id="batch-2")))

    assert second.recorded.replayed
    assert second.recorded.submission_id == first.recorded.submission_id
    assert second.recorded.batch_id is None


async def test_a_call_over_budget_is_not_made_and_not_opened() -> None:
    rig = Rig()

    with pytest.raises(BudgetExceededError, match=r"expected at most the 0\.0001 USD"):
        await rig.complete(a_request(budget_usd=Decimal("0.0001")))

    assert (rig.transport.requests, rig.states()) == ([], [])


async def test_a_replay_needs_no_budget() -> None:
    rig = Rig()
    await rig.complete()

    assert (await rig.complete(a_request(budget_usd=Decimal("0.0001")))).text


@pytest.mark.parametrize("model", ["gpt-0", "gpt-5"])
async def test_a_call_of_unknown_cost_is_not_made(model: str) -> None:
    rig = Rig(prices=Prices({}))

    with pytest.raises(UnpricedModelError):
        await rig.complete(a_request(model=model))

    assert (rig.transport.requests, rig.states()) == ([], [])


async def test_a_missing_usage_is_estimated_and_flagged_and_booked_at_its_worst_case() -> None:
    rig = Rig(a_completion("x" * 400, usage=None))

    recorded = (await rig.complete()).recorded

    assert recorded.usage_estimated
    assert recorded.usage.output == 100
    (attempt,) = rig.journal.attempts(KEY)
    assert recorded.cost_usd == attempt.cost_usd == attempt.intent.cost_max_usd


@pytest.mark.parametrize(
    ("reply", "raised", "state"),
    [
        (a_problem(429), ProviderRateLimitedError, "failed"),
        (a_problem(401), ProviderRejectedError, "failed"),
        (a_problem(503), ProviderUnavailableError, "failed"),
        (a_problem(504), ProviderUnavailableError, "unknown"),
        (a_completion(None), ProviderMalformedError, "unknown"),
        (a_completion(None, refusal="no"), ProviderRefusedError, "unknown"),
        (ProviderTimeoutError("late"), ProviderTimeoutError, "unknown"),
        (ProviderUnavailableError("refused", billed=False), ProviderUnavailableError, "failed"),
        (ZeroDivisionError("a bug"), ZeroDivisionError, "unknown"),
    ],
)
async def test_a_failure_closes_the_intent_and_books_what_may_be_billed(
    reply: Any, raised: type[Exception], state: str
) -> None:
    rig = Rig(reply, a_completion())

    with pytest.raises(raised):
        await rig.complete()

    assert rig.states() == [state]
    assert (await rig.complete()).recorded.call_id.endswith("/2")


def test_a_rate_limit_holds_the_other_calls_back() -> None:
    async def scenario() -> float:
        rig = Rig(a_problem(429, retry_after="30"), a_completion())
        began_s = asyncio.get_running_loop().time()
        with pytest.raises(ProviderRateLimitedError):
            await rig.complete()
        await rig.complete(a_request(step="other"))
        return asyncio.get_running_loop().time() - began_s

    assert virtual_time.run(scenario()) == pytest.approx(30, abs=0.01)


async def test_a_cancelled_call_is_closed_as_maybe_billed() -> None:
    rig = Rig()
    rig.transport.gate = asyncio.Event()
    running = asyncio.ensure_future(rig.complete())
    await rig.transport.asked.wait()

    await cancelled(running)

    assert rig.states() == ["unknown"]


async def test_a_call_that_is_cancelled_while_it_is_opened_leaves_nothing_open() -> None:
    for turns in range(1, 12):
        rig = Rig()
        running = asyncio.ensure_future(rig.complete())
        for _ in range(turns):
            await asyncio.sleep(0)

        await cancelled(running)

        assert "open" not in rig.states()


class AwayJournal(FakeJournal):
    """A journal whose store goes away once the intent is open, until it is told to come back."""

    away = False

    async def open(self, intent: Any) -> Any:
        opened = await super().open(intent)
        self.error = StoreUnavailableError("away") if self.away else None
        return opened


def away_rig(*replies: Any) -> Rig:
    journal = AwayJournal()
    journal.away = True
    return Rig(*replies, journal=journal)


def in_virtual_time(main: Coroutine[Any, Any, None]) -> None:
    virtual_time.run(main)


def test_an_answer_waits_for_a_store_that_comes_back() -> None:
    async def scenario() -> None:
        rig = away_rig()
        running = asyncio.ensure_future(rig.complete())
        await asyncio.sleep(20)
        rig.journal.error = None
        await running
        assert rig.states() == ["answered"]

    in_virtual_time(scenario())


def test_an_answer_that_could_not_be_written_is_kept_and_not_bought_again() -> None:
    async def scenario() -> None:
        rig = away_rig()
        with pytest.raises(StoreUnavailableError):
            await rig.complete()
        with pytest.raises(StoreUnavailableError):
            await rig.complete()
        rig.journal.error = None
        assert (await rig.complete()).recorded.call_id.endswith("/1")
        assert len(rig.transport.requests) == 1

    in_virtual_time(scenario())


def test_what_could_not_be_written_is_written_when_the_store_is_back_though_nobody_asks_here() -> None:
    async def scenario() -> None:
        rig = away_rig()
        with pytest.raises(StoreUnavailableError):
            await rig.complete()
        rig.journal.error = None
        await asyncio.sleep(SWEEP_S + 1)
        assert rig.states() == ["answered"]

    in_virtual_time(scenario())


class UnheardJournal(FakeJournal):
    """A journal whose first opening takes place, but its answer is lost."""

    lost = False

    async def open(self, intent: Any) -> Any:
        opened = await super().open(intent)
        if not self.lost:
            self.lost = True
            self.opened.clear()
            raise StoreUnavailableError("the connection is lost")
        return opened


@pytest.mark.parametrize("asked_again", [True, False])
def test_an_intent_that_nobody_heard_of_does_not_stay_open(*, asked_again: bool) -> None:
    async def scenario() -> None:
        rig = Rig(journal=UnheardJournal())
        with pytest.raises(StoreUnavailableError):
            await rig.complete()
        if asked_again:
            assert (await rig.complete()).recorded.call_id.endswith("/2")
        await asyncio.sleep(SWEEP_S + 1)
        assert rig.states() == ["failed", "answered"][: 1 + asked_again]

    in_virtual_time(scenario())


def test_a_failure_that_could_not_be_written_is_told_and_closed_later() -> None:
    async def scenario() -> None:
        rig = away_rig(a_problem(503), a_completion())
        with pytest.raises(ProviderUnavailableError):
            await rig.complete()
        rig.journal.error, rig.journal.away = None, False  # type: ignore[attr-defined]
        assert (await rig.complete()).recorded.call_id.endswith("/2")
        assert rig.states() == ["failed", "answered"]

    in_virtual_time(scenario())


def test_a_cancelled_call_keeps_its_answer_while_the_store_is_away() -> None:
    async def scenario() -> None:
        rig = away_rig()
        running = asyncio.ensure_future(rig.complete())
        await asyncio.sleep(1)
        await cancelled(running)
        rig.journal.error = None
        await rig.complete()
        assert len(rig.transport.requests) == 1

    in_virtual_time(scenario())


def test_a_cancelled_call_ends_soon_while_the_store_is_away() -> None:
    async def scenario() -> float:
        rig = away_rig()
        rig.transport.gate = asyncio.Event()
        running = asyncio.ensure_future(rig.complete())
        await rig.transport.asked.wait()
        began_s = asyncio.get_running_loop().time()
        await cancelled(running)
        took_s = asyncio.get_running_loop().time() - began_s
        rig.journal.error, rig.journal.away = None, False  # type: ignore[attr-defined]
        rig.transport.gate.set()
        assert (await rig.complete()).recorded.call_id.endswith("/2")
        return took_s

    assert virtual_time.run(scenario()) <= 2 * CLOSE_S_MAX + 0.1


async def test_an_error_says_nothing_of_the_prompt() -> None:
    rig = Rig(a_problem(400))

    with pytest.raises(ProcessingError) as raised:
        await rig.complete()

    assert "Paris" not in str(raised.value)
    assert "quotes" not in (rig.journal.attempts(KEY)[0].error or "")


@pytest.mark.parametrize("status", [200, 429])
async def test_what_an_answer_states_about_limits_is_learned(status: int) -> None:
    headers = {"x-ratelimit-limit-requests": "60"}
    limits = ProviderLimits("simulated", LimitRules(requests_per_minute=600))
    rig = Rig(WireAnswer(status=status, headers=headers, body=a_completion().body), limits=limits)

    with contextlib.suppress(ProviderRateLimitedError):
        await rig.complete()

    assert rig.limits.per_minute() == {LimitKind.REQUESTS: 60}


async def test_tool_calls_are_kept_and_replayed() -> None:
    call = {"id": "c1", "type": "function", "function": {"name": "weather", "arguments": "{}"}}
    message = {"role": "assistant", "content": None, "tool_calls": [call]}
    rig = Rig(a_completion(choices=[{"message": message, "finish_reason": "tool_calls"}]))
    request = a_request(tools=(Tool(name="weather", description="tells it", parameters={}),))

    first, second = await rig.complete(request), await rig.complete(request)

    assert first.tool_calls == (ToolCall(id="c1", name="weather", arguments="{}", asked_by=request.model),)
    assert (first.text, first.tool_calls) == (second.text, second.tool_calls)
    assert len(rig.transport.requests) == 1


async def test_a_stream_that_breaks_stays_booked_and_says_what_had_come() -> None:
    rig = Rig(WireAnswer(status=200, headers={}, body=STREAM), catalogue=STREAMING)
    rig.transport.broken = ProviderUnavailableError("the line broke")

    with pytest.raises(ProviderUnavailableError):
        await rig.complete()

    (attempt,) = rig.journal.attempts(KEY)
    assert (attempt.state, attempt.cost_usd) == ("unknown", attempt.intent.cost_max_usd)
    assert "input and 4 output tokens had been used" in (attempt.error or "")


async def test_a_stream_tells_when_its_first_word_came() -> None:
    rig = Rig(WireAnswer(status=200, headers={}, body=STREAM), catalogue=STREAMING)

    first, second = await rig.complete(), await rig.complete()

    assert first.text == "Paris is" * 3
    assert first.recorded.first_token_s is not None
    assert second.recorded == first.recorded


@pytest.mark.parametrize(
    "scope", [Scope(ScopeKind.PROVIDER, "simulated"), Scope(ScopeKind.MODEL, a_request().model)], ids=str
)
async def test_a_closed_provider_or_model_is_not_asked_and_nothing_is_booked(scope: Scope) -> None:
    rig = Rig(a_completion("{}"))
    rig.gates.close(scope, "operator", "outage")

    with pytest.raises(ScopeClosedError, match="outage") as raised:
        await rig.complete()

    assert raised.value.scope == scope
    assert (rig.transport.requests, rig.journal.attempts(KEY)) == ([], [])


async def test_an_answer_in_the_journal_is_given_while_its_provider_is_closed() -> None:
    rig = Rig(a_completion("{}"))
    bought = await rig.complete()
    rig.gates.close(Scope(ScopeKind.PROVIDER, "simulated"), "operator", "outage")

    again = await rig.complete()

    assert (again.text, len(rig.transport.requests)) == (bought.text, 1)


def test_a_call_whose_turn_comes_after_the_closing_is_not_made() -> None:
    async def scenario() -> None:
        rig = Rig(a_completion("{}"))
        rig.limits.pause(60)
        running = asyncio.ensure_future(rig.complete())
        await asyncio.sleep(1)
        rig.gates.close(Scope(ScopeKind.PROVIDER, "simulated"), "operator", "outage")
        with pytest.raises(ScopeClosedError):
            await running
        assert (rig.transport.requests, rig.journal.attempts(KEY)) == ([], [])

    in_virtual_time(scenario())


async def test_the_record_is_told_what_its_call_waits_for() -> None:
    told: list[CallState | None] = []

    await Rig(a_completion("{}")).complete(a_request(tell=told.append))

    assert [state.phase if state else None for state in told] == [CallPhase.QUOTA, CallPhase.CALL, None]


async def test_a_call_that_failed_is_waited_for_no_more() -> None:
    told: list[CallState | None] = []

    with pytest.raises(ProviderUnavailableError):
        await Rig(a_problem(503)).complete(a_request(tell=told.append))

    assert told[-1] is None


def due_in(seconds: float) -> ModelRequest:
    return a_request(task=a_task(deadline=NOW + timedelta(seconds=seconds)))


async def test_a_call_past_its_deadline_is_not_made_and_nothing_is_booked() -> None:
    rig = Rig(a_completion("{}"))

    with pytest.raises(DeadlinePassedError, match="passed before the page was paid for"):
        await rig.complete(due_in(-1))

    assert (rig.transport.requests, rig.journal.attempts(KEY)) == ([], [])


async def test_an_answer_in_the_journal_is_given_past_the_deadline() -> None:
    rig = Rig(a_completion("{}"))
    bought = await rig.complete(due_in(10))
    rig.clock.move(timedelta(seconds=11))

    again = await rig.complete(due_in(10))

    assert (again.text, len(rig.transport.requests)) == (bought.text, 1)


def test_a_call_whose_turn_comes_past_its_deadline_is_not_made_and_nothing_is_booked() -> None:
    async def scenario() -> None:
        rig = Rig(a_completion("{}"))
        rig.limits.pause(60)
        running = asyncio.ensure_future(rig.complete(due_in(10)))
        await asyncio.sleep(1)
        rig.clock.move(timedelta(seconds=11))
        with pytest.raises(DeadlinePassedError):
            await running
        assert (rig.transport.requests, rig.journal.attempts(KEY)) == ([], [])

    in_virtual_time(scenario())


def test_calls_that_came_too_late_use_no_limit_up() -> None:
    async def scenario() -> float:
        loop, limits = (
            asyncio.get_running_loop(),
            ProviderLimits("simulated", LimitRules(requests_per_minute=6)),
        )
        rig = Rig(a_completion("{}"), limits=limits)
        late = [asyncio.ensure_future(rig.complete(due_in(10))) for _ in range(20)]
        await asyncio.sleep(1)
        rig.clock.move(timedelta(seconds=11))
        began_s = loop.time()
        await rig.complete()
        await asyncio.gather(*late, return_exceptions=True)
        assert len(rig.transport.requests) <= 2  # one had its turn in time
        return loop.time() - began_s

    assert virtual_time.run(scenario()) < 25.0


async def test_a_live_call_of_a_small_tenant_goes_before_a_flood() -> None:
    rig = Rig(a_completion("{}"), limits=ProviderLimits("simulated", LimitRules(concurrency=1)))
    rig.transport.gate = asyncio.Event()
    flood = [asyncio.ensure_future(rig.complete(a_request(step=f"s{n}", task=BULK))) for n in range(30)]
    await rig.transport.asked.wait()
    live = asyncio.ensure_future(rig.complete(a_request(step="live", task=a_task(lane=Lane.LIVE))))
    await asyncio.sleep(0)

    rig.transport.gate.set()
    await live

    assert len(rig.transport.requests) <= 3  # one was asked, one had its turn
    for call in flood:
        await cancelled(call)


async def failing(rig: Rig, calls: int) -> list[BaseException | ModelAnswer]:
    outcomes = (rig.complete(a_request(step=f"s{number}")) for number in range(calls))
    return await asyncio.gather(*outcomes, return_exceptions=True)


@pytest.mark.parametrize("problem", [a_problem(503), a_problem(401), a_problem(402)])
async def test_a_provider_that_fails_is_left_alone_and_nothing_is_booked(problem: WireAnswer) -> None:
    rig = Rig(problem)
    await failing(rig, RULES.outcomes)

    with pytest.raises(ScopeClosedError, match="4 of the last 4 failed") as raised:
        await rig.complete()

    assert raised.value.scope == Scope(ScopeKind.PROVIDER, "simulated")
    assert raised.value.retry_after_s == RULES.open_s
    assert (len(rig.transport.requests), rig.journal.attempts(KEY)) == (RULES.outcomes, [])


@pytest.mark.parametrize("problem", [a_problem(429, retry_after="0"), a_problem(400)])
async def test_what_the_limits_obey_and_what_lies_with_the_request_opens_no_breaker(
    problem: WireAnswer,
) -> None:
    rig = Rig(problem)

    await failing(rig, 3 * RULES.outcomes)

    assert len(rig.transport.requests) == 3 * RULES.outcomes


async def test_a_failure_that_finds_its_breaker_open_is_not_the_records() -> None:
    rig = Rig(a_problem(503))
    rig.transport.gate = asyncio.Event()
    running = asyncio.ensure_future(failing(rig, 10))
    async with asyncio.timeout(5):
        while len(rig.transport.requests) < 10:  # noqa: ASYNC110 - the fake tells of its first request only
            await asyncio.sleep(0)

    rig.transport.gate.set()
    kinds = [type(outcome) for outcome in await running]

    assert kinds.count(ProviderUnavailableError) == RULES.outcomes - 1
    assert kinds.count(ScopeClosedError) == 10 - (RULES.outcomes - 1)
    assert len(rig.journal.attempts(CallKey(revision="r" * 20, step="s9"))) == 1


def test_calls_that_wait_for_a_turn_when_the_breaker_opens_are_not_made() -> None:
    async def scenario() -> None:
        rig = Rig(a_problem(503), limits=ProviderLimits("simulated", LimitRules(requests_per_minute=60)))
        outcomes = await failing(rig, 50)
        assert len(rig.transport.requests) == RULES.outcomes
        assert [type(outcome) for outcome in outcomes].count(ScopeClosedError) == 50 - (RULES.outcomes - 1)

    in_virtual_time(scenario())


async def test_probes_that_are_answered_let_all_calls_go_on() -> None:
    rig = Rig(*[a_problem(503)] * RULES.outcomes, a_completion("{}"))
    await failing(rig, RULES.outcomes)
    rig.now_s += RULES.open_s

    answers = [await rig.complete(a_request(step=f"t{number}")) for number in range(10)]

    assert len(answers) == 10


async def test_only_a_probe_that_fails_is_an_attempt_of_its_record() -> None:
    rig = Rig(a_problem(503))
    await failing(rig, RULES.outcomes)
    rig.now_s += RULES.open_s

    outcomes = Counter(type(outcome) for outcome in await failing(rig, 10))

    assert outcomes == {ProviderUnavailableError: RULES.probes, ScopeClosedError: 10 - RULES.probes}
    assert len(rig.transport.requests) == RULES.outcomes + RULES.probes


async def test_a_prompt_that_does_not_fit_its_model_is_refused_before_it_is_booked() -> None:
    rig = Rig(catalogue=STREAMING)

    with pytest.raises(PromptTooLongError, match="expected at most the 8000"):
        await rig.complete(a_request(messages=(ChatMessage(role="user", content="word " * 20_000),)))

    assert rig.journal.attempts(KEY) == []
