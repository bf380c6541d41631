"""Lenders are kept at work, and a store that is away is told once."""

import asyncio
import logging

import pytest

from fakes import virtual_time
from fakes.lease_table import FakeLeaseRows, FakeLeaseTable
from processors.gateway.lender import Lender
from processors.gateway.limits import ProviderLimits
from schemas.catalogue import LimitRules
from streams.limit_lending import keep_lending

AWAY_S = 60.0


async def two_providers_whose_store_goes_away(times: int) -> None:
    away = False
    rows, rules = FakeLeaseRows(), LimitRules(requests_per_minute=600)
    lenders = [
        Lender(name, ProviderLimits(name, rules), FakeLeaseTable(rows, "idle", away=lambda: away))
        for name in ("p", "q")
    ]
    for lender in lenders:
        lender.set_share(0.5)
    lending = asyncio.create_task(keep_lending(lenders))
    for _ in range(times):
        await asyncio.sleep(AWAY_S)
        away = True
        await asyncio.sleep(AWAY_S)
        away = False
    await asyncio.sleep(AWAY_S)
    lending.cancel()


def test_each_outage_is_told_once_and_so_is_its_end(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "streams.limit_lending")

    virtual_time.run(two_providers_whose_store_goes_away(2))

    told = [record.message for record in caplog.records]
    assert [message.split(" ")[0] for message in told] == ["until", "providers'"] * 2
    assert told[0] == "until this is over nothing is lent or borrowed of providers' limits: away"
