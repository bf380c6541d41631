"""Every attempt has its row of the ledger, however it ends: provider log and ledger, one to one."""

import asyncio
import contextlib
from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import orjson
import pytest

from failpoints import invariants
from failpoints.bench import Bench, Provider, a_model, a_provider, open_bench, with_catalogue
from failpoints.collect import collect
from failpoints.evidence import Evidence
from failpoints.records import a_recipe, a_record
from failpoints.worker import a_gateway, a_journal
from fakes.stage_ports import some_ports
from fixtures.broker import until
from processors.errors import (
    InvalidOutputError,
    ProviderMalformedError,
    ProviderRateLimitedError,
    ProviderRefusedError,
    ProviderTimeoutError,
    ProviderUnavailableError,
)
from processors.gateway import catalogue as catalogues
from processors.gateway.catalogue import Catalogue
from processors.generate import generate
from processors.ports import Ports
from streams.clock import SystemClock
from streams.embedded.postgres import EmbeddedPostgres

TIMES = 2
DEADLINE_S, HASTY_S, HANG_S = 30.0, 1.0, 2.0
LATE = {"latency": {"kind": "fixed", "seconds": HANG_S}}
NOWHERE = "http://127.0.0.1:1"
WRITE, REPAIR = "step_1", "step_1/repair-1"

pytestmark = [pytest.mark.chaos, pytest.mark.integration]


@dataclass(frozen=True, slots=True, kw_only=True)
class Ending:
    """How a call ends, each time that it is made.

    Attributes:
        rows: what is in the ledger after TIMES tries: by step, the state of each attempt.
        raised: what the record hears.
        behaviour: of the provider.
        deadline_s: of the call.
        cancelled: whether the caller ends during the call.
        requests: whether the provider hears of it.
    """

    rows: Mapping[str, tuple[str, ...]]
    raised: type[BaseException] | None = None
    behaviour: Mapping[str, object] = field(default_factory=dict)
    deadline_s: float = DEADLINE_S
    cancelled: bool = False
    requests: bool = True


def fails(fault: str, raised: type[BaseException], state: str, deadline_s: float = DEADLINE_S) -> Ending:
    behaviour = {"faults": {fault: 1}, "retry_after_s": 0.0, "hang_s": HANG_S}
    return Ending(rows={WRITE: (state,) * TIMES}, raised=raised, behaviour=behaviour, deadline_s=deadline_s)


def is_invalid(fault: str) -> Ending:
    """Bought, asked again with the faults, bought; what is tried again finds both in the journal."""
    rows = {WRITE: ("answered",), REPAIR: ("answered",)}
    return Ending(rows=rows, raised=InvalidOutputError, behaviour={"faults": {fault: 1}})


ENDINGS = {
    "answered": Ending(rows={WRITE: ("answered",)}),
    "no-usage": Ending(rows={WRITE: ("answered",)}, behaviour={"faults": {"missing_usage": 1}}),
    "rate-limited": fails("http_429", ProviderRateLimitedError, "failed"),
    "server-error": fails("http_500", ProviderUnavailableError, "failed"),
    "overloaded": fails("http_503", ProviderUnavailableError, "failed"),
    "malformed": fails("malformed", ProviderMalformedError, "unknown"),
    "cut-off": fails("truncated_body", ProviderMalformedError, "unknown"),
    "refused": fails("refusal", ProviderRefusedError, "unknown"),
    "hung": fails("timeout", ProviderTimeoutError, "unknown", deadline_s=HASTY_S),
    "late": Ending(
        rows={WRITE: ("unknown",) * TIMES},
        raised=ProviderTimeoutError,
        behaviour=LATE,
        deadline_s=HASTY_S,
    ),
    "cancelled": Ending(
        rows={WRITE: ("unknown",) * TIMES},
        raised=asyncio.CancelledError,
        behaviour=LATE,
        cancelled=True,
    ),
    "not-reached": Ending(rows={WRITE: ("failed",) * TIMES}, raised=ProviderUnavailableError, requests=False),
    "invalid": is_invalid("wrong_schema"),
    "too-long": is_invalid("truncated_content"),
}


@pytest.fixture(scope="module")
def run(postgres: EmbeddedPostgres, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Evidence]:
    """What is left of one record for each ending, tried TIMES times."""
    folder = tmp_path_factory.mktemp("endings")
    overrides = {name: ending.behaviour for name, ending in ENDINGS.items() if ending.behaviour}
    with a_provider(folder, overrides) as provider:
        yield asyncio.run(drive(postgres, provider, folder))


async def drive(postgres: EmbeddedPostgres, provider: Provider, folder: Path) -> Evidence:
    bench = await open_bench(postgres.url, provider, folder)
    bench = with_catalogue(bench, one_provider_each(provider.url))
    async with a_journal(bench) as journal, a_gateway(bench, journal) as gateway:
        ports = some_ports(recipe=a_recipe(1), model=gateway, catalogue=bench.catalogue, clock=SystemClock())
        for attempt in range(1, TIMES + 1):
            await asyncio.gather(*(end(name, ports, bench, attempt) for name in ENDINGS))
    return await collect(bench)


async def end(name: str, ports: Ports, bench: Bench, attempt: int) -> None:
    ending, event = ENDINGS[name], a_record(name, 1, name)
    making = asyncio.ensure_future(generate(event, ports))
    if ending.cancelled:
        call = f'"{event.plan.revision}/{WRITE}/{attempt}"'
        await until(lambda: call in bench.provider.log.read_text())
        making.cancel()
    expected = contextlib.nullcontext() if ending.raised is None else pytest.raises(ending.raised)
    with expected:
        await making


def one_provider_each(url: str) -> Catalogue:
    """No ending's failures are counted against another's provider."""
    providers = [
        {
            "name": name,
            "simulated": True,
            "base_url": f"{url if ending.requests else NOWHERE}/v1",
            "call_deadline_s": ending.deadline_s,
        }
        for name, ending in ENDINGS.items()
    ]
    models = [a_model(name, name) for name in ENDINGS]
    return catalogues.load(orjson.dumps({"providers": providers, "models": models}))


@pytest.mark.parametrize("name", ENDINGS)
def test_each_attempt_has_its_row_and_each_row_its_request(run: Evidence, name: str) -> None:
    ending = ENDINGS[name]

    rows = sorted((row for row in run.rows if row.task_id == name), key=lambda row: row.call)

    states: dict[str, tuple[str, ...]] = defaultdict(tuple)
    for row in rows:
        states[row.call.step] += (row.state,)
    assert states == ending.rows
    calls = {row.call for row in rows}
    sent = [request.call for request in run.requests if request.call in calls]
    assert sorted(sent) == (sorted(calls) if ending.requests else [])


def test_no_request_is_unknown_to_the_ledger(run: Evidence) -> None:
    assert invariants.requests_without_row(run) == ()
    assert invariants.called_before_intent(run) == ()


def test_what_is_booked_is_what_is_billed_or_more_where_that_is_not_known(run: Evidence) -> None:
    assert invariants.booked_below(run) == ()
    assert invariants.ledger_differs(run) == ()


def test_nothing_stays_open_or_reserved(run: Evidence) -> None:
    assert invariants.still_open(run) == ()
    assert invariants.budgets_differ(run) == ()
