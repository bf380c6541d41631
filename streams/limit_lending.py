"""Keeps a worker's lenders at work: each looks every TICK_S seconds what to offer, borrow or give back."""

import asyncio
import logging
from collections.abc import Collection

from processors.errors import StoreUnavailableError
from processors.gateway.lender import Lender
from processors.gateway.lending import TICK_S

log = logging.getLogger(__name__)


async def keep_lending(lenders: Collection[Lender]) -> None:
    """Tick until cancelled; while the store is away each worker keeps to its own share."""
    while True:  # ends by cancellation only: the worker's life is its bound
        await asyncio.sleep(TICK_S)
        for lender in lenders:
            try:
                await lender.tick()
            except StoreUnavailableError as error:
                log.warning("nothing is lent or borrowed of a provider's limit: %s", error)
