"""What ends a command."""

import asyncio
import signal
from contextlib import suppress

import pytest

from streams.cli.exits import run


async def swallow_an_interrupt() -> str:
    """Do what a client does that stops: a cancellation during it is lost."""
    signal.raise_signal(signal.SIGINT)
    with suppress(asyncio.CancelledError):
        await asyncio.Event().wait()
    return "went on"


def test_ctrl_c_is_not_lost_when_a_client_swallows_it() -> None:
    with pytest.raises(KeyboardInterrupt):
        run(swallow_an_interrupt)
