"""The same with the journal in the process's memory: where the time goes that is not the store's."""

from typing import Any, cast

import caller
from memory_journal import MemoryJournal
from pressline_gateway import metered, open_gateway
from prometheus_client import CollectorRegistry

from streams.telemetry import Telemetry


async def open_client(job: caller.Job) -> caller.Ask:
    """Return the call."""
    nowhere = cast("Any", None)  # nothing is lent or borrowed here
    return metered(open_gateway(job, MemoryJournal(), nowhere), Telemetry(CollectorRegistry()))


caller.main(open_client)
