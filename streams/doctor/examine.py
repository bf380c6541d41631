"""All checks, in the order in which one thing needs another."""

import asyncio
from collections.abc import AsyncIterator

from streams.doctor import lending, machine, services, work
from streams.doctor.finding import Finding
from streams.settings import Settings


async def examine(settings: Settings) -> AsyncIterator[Finding]:
    """Yield what each check saw. Nothing is changed, downloaded or created.

    Args:
        settings: those that a command would run with.
    """
    for check in (*machine.CHECKS, *work.CHECKS):
        yield await asyncio.to_thread(check, settings)
    for part in (services.kafka, services.postgres, lending.redis):
        for finding in await part(settings):
            yield finding
