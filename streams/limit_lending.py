"""Keeps a worker's lenders at work: each looks every TICK_S seconds what to offer, borrow or give back."""

import asyncio
import logging
from collections.abc import Collection

from processors.errors import StoreUnavailableError
from processors.gateway.lender import Lender
from processors.gateway.lending import TICK_S

log = logging.getLogger(__name__)


async def keep_lending(lenders: Collection[Lender]) -> None:
    """Tick until cancelled. While the store is away, which is told once, each keeps to its own share."""
    away: set[Lender] = set()
    while True:  # ends by cancellation only: the worker's life is its bound
        await asyncio.sleep(TICK_S)
        for lender in lenders:
            await _tick(lender, away)


async def _tick(lender: Lender, away: set[Lender]) -> None:
    """Keep in `away` those lenders to whom the store has not answered since it failed."""
    try:
        answered = await lender.tick()
    except StoreUnavailableError as error:
        if not away:
            log.warning("until this is over nothing is lent or borrowed of providers' limits: %s", error)
        away.add(lender)
        return
    if answered and lender in away:
        away.remove(lender)
        if not away:
            log.info("providers' limits are lent and borrowed again")
