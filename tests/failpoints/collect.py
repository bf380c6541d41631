"""Reads what a run left: provider log, PostgreSQL, and what killed workers were told."""

import time
from collections.abc import Iterable
from decimal import Decimal
from pathlib import Path
from typing import Any

import orjson

from chaos.artefacts import CallId
from chaos.collect import parse_call
from streams.embedded.provider.config import Fault
from streams.store.database import Database

from .bench import INPUT_USD_PER_MILLION, OUTPUT_USD_PER_MILLION, Bench
from .evidence import Counter, Ended, Evidence, LedgerRow, Request
from .killing import ANSWERED, OPENED

QUIET_S_MAX = 30.0
MILLION = 1_000_000
REFUSED_FAULTS = frozenset({Fault.HTTP_429, Fault.HTTP_500, Fault.HTTP_503})
"""The provider did no work: nothing is billed."""


async def collect(bench: Bench, rounds: Iterable[Ended] = ()) -> Evidence:
    """Return what there is once the provider has ended every request.

    Raises:
        TimeoutError: it has not within QUIET_S_MAX.
    """
    requests = _requests_at_rest(bench.provider.log, bench.log_start_bytes)
    database = await Database.open(bench.database_url, connections_max=1)
    try:
        rows, counters = await database.fetch(SELECT_ROWS), await database.fetch(SELECT_COUNTERS)
    finally:
        await database.close()
    return Evidence(
        rounds=tuple(rounds),
        requests=requests,
        rows=tuple(_row(dict(row)) for row in rows),
        counters=tuple(Counter(**dict(row)) for row in counters),
        opened=_promised(bench.witness, OPENED),
        answered=_promised(bench.witness, ANSWERED),
    )


def _requests_at_rest(log: Path, start_bytes: int) -> tuple[Request, ...]:
    give_up_s = time.monotonic() + QUIET_S_MAX
    while True:  # ends when every request has, or at give_up_s
        lines = [orjson.loads(line) for line in log.read_bytes()[start_bytes:].splitlines()]
        ended = {line["request_id"]: line for line in lines if line["event"] == "answered"}
        started = [line for line in lines if line["event"] == "request"]
        if all(line["request_id"] in ended for line in started):
            return tuple(_request(line, ended[line["request_id"]]) for line in started)
        if time.monotonic() > give_up_s:
            raise TimeoutError(f"{len(started) - len(ended)} requests have not ended in {QUIET_S_MAX} s")
        time.sleep(0.05)


def _request(line: dict[str, Any], end: dict[str, Any]) -> Request:
    price = line["tokens_in"] * INPUT_USD_PER_MILLION + line["tokens_out"] * OUTPUT_USD_PER_MILLION
    return Request(
        call=parse_call(line["call"]),
        at_s=line["time"],
        outcome=end["outcome"],
        billed_usd=Decimal(0 if line["fault"] in REFUSED_FAULTS else price) / MILLION,
    )


def _promised(witness: Path, promise: str) -> frozenset[CallId]:
    told = (line.split(" ", 1) for line in witness.read_text().splitlines())
    return frozenset(parse_call(call) for what, call in told if what == promise)


def _row(row: dict[str, Any]) -> LedgerRow:
    call = CallId(row.pop("revision"), row.pop("step"), row.pop("attempt"))
    return LedgerRow(call=call, **row)


SELECT_ROWS = """
SELECT revision, step, attempt, state, usage_estimated, tenant, task_id,
       coalesce(cost_usd, cost_max_usd) AS booked_usd, extract(epoch FROM opened_at)::float8 AS opened_at_s
FROM model_calls
"""

SELECT_COUNTERS = "SELECT scope, name, settled_usd, reserved_usd FROM budget_counters"
