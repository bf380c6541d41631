"""Exit codes, the same for every command, and which error leads to which."""

import asyncio
import sys
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

import click
from aiokafka.errors import KafkaError

from processors.errors import InvalidRecipeError, StoreUnavailableError, UnknownRecipeError
from processors.gateway.catalogue import InvalidCatalogueError
from streams.budgets import InvalidBudgetsError
from streams.embedded.errors import EmbeddedError
from streams.load import BatchConflictError
from streams.load_rows import RowsFileError
from streams.load_tasks import LoadOptionError
from streams.settings import InvalidSettingsError, SettingsError
from streams.store.migrations import MigrationError
from streams.topic_admin import TopicError
from streams.watch import UnknownBatchError

FAILED = 1
WRONG_USE = 2
PART_MISSING = 3

T = TypeVar("T")


class WorkFailedError(Exception):
    """The command was understood and ran, but its work failed; the text says what and what to do."""


EXITS: dict[type[Exception], int] = {
    WorkFailedError: FAILED,
    TopicError: FAILED,
    RowsFileError: FAILED,
    BatchConflictError: FAILED,
    UnknownBatchError: FAILED,
    LoadOptionError: WRONG_USE,
    InvalidRecipeError: WRONG_USE,
    InvalidCatalogueError: WRONG_USE,
    InvalidBudgetsError: WRONG_USE,
    UnknownRecipeError: WRONG_USE,
    InvalidSettingsError: WRONG_USE,
    SettingsError: PART_MISSING,
    EmbeddedError: PART_MISSING,
    StoreUnavailableError: PART_MISSING,
    MigrationError: PART_MISSING,
    KafkaError: PART_MISSING,
}
"""0 is done; click itself exits with 2 on wrong options."""


@contextmanager
def exit_codes() -> Iterator[None]:
    """Turn the errors of EXITS into one line on stderr and their exit code; anything else is a bug."""
    try:
        yield
    except tuple(EXITS) as error:
        code = next(code for kind, code in EXITS.items() if isinstance(error, kind))
        click.echo(f"pressline: {_text(error)}", err=True)
        sys.exit(code)


def run(work: Callable[[], Coroutine[Any, Any, T]]) -> T:
    """Run a command's coroutine under `exit_codes`.

    Raises:
        KeyboardInterrupt: at Ctrl-C, even when it came while the Kafka client stopped: that swallows it.
    """
    with exit_codes():
        return asyncio.run(_interruptible(work()))


async def _interruptible(work: Coroutine[Any, Any, T]) -> T:
    result = await work
    task = asyncio.current_task()
    if task is not None and task.cancelling():
        raise asyncio.CancelledError
    return result


def _text(error: Exception) -> str:
    if isinstance(error, KafkaError):
        return f"the Kafka broker does not answer or refused: {error}; look at PRESSLINE_BROKERS"
    return str(error)
