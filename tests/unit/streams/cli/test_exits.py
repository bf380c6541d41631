"""What ends a command."""

import asyncio
import signal
from contextlib import suppress

import pytest
from aiokafka.errors import KafkaConnectionError

from streams.cli.exits import FAILED, PART_MISSING, WRONG_USE, WorkFailedError, exit_codes, run
from streams.settings import InvalidSettingsError, SettingsError


async def swallow_an_interrupt() -> str:
    """Do what a client does that stops: a cancellation during it is lost."""
    signal.raise_signal(signal.SIGINT)
    with suppress(asyncio.CancelledError):
        await asyncio.Event().wait()
    return "went on"


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (WorkFailedError("some rows failed"), FAILED),
        (InvalidSettingsError("PRESSLINE_STAGES: no such stage"), WRONG_USE),
        (SettingsError("PRESSLINE_BROKERS is not set"), PART_MISSING),
        (KafkaConnectionError("away"), PART_MISSING),
    ],
)
def test_an_error_ends_a_command_with_its_line_and_code(
    error: Exception, code: int, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended, exit_codes():
        raise error

    assert (ended.value.code, capsys.readouterr().err.startswith("pressline: ")) == (code, True)


def test_ctrl_c_is_not_lost_when_a_client_swallows_it() -> None:
    with pytest.raises(KeyboardInterrupt):
        run(swallow_an_interrupt)
