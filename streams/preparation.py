"""What every process that takes work makes sure of first: tables and topics are there."""

import asyncio
import logging
from typing import Final

from aiokafka.errors import KafkaError

from processors.errors import StoreUnavailableError
from streams.settings import Settings
from streams.store.migrations import migrated
from streams.topic_admin import create_missing

START_S_MAX: Final = 60.0
"""A database or a broker restarts sooner; a supervisor that restarts us would wait longer each time."""
PAUSE_S: Final = 1.0

log = logging.getLogger(__name__)


async def prepare(settings: Settings) -> tuple[str, ...]:
    """Migrate the database and create missing topics; safe when several processes do it at once.

    What does not answer is tried again for START_S_MAX seconds, and the log says so.

    Returns:
        Names of the topics that were created.

    Raises:
        SettingsError: brokers or database are not known.
        StoreUnavailableError, MigrationError: the database is away, or of another Pressline.
        KafkaError, TopicError: the broker is away, or refuses a topic.
    """
    brokers, url = settings.need_brokers(), settings.need_database()
    loop = asyncio.get_running_loop()
    until_s = loop.time() + START_S_MAX
    while True:  # until_s bounds the tries
        try:
            async with migrated(url):
                return await create_missing(brokers, settings.partitions, settings.replication)
        except (StoreUnavailableError, KafkaError) as error:
            if not _passes(error) or loop.time() >= until_s:
                raise
            log.warning("not there yet, tried again for %.0f s: %s", until_s - loop.time(), error)
        await asyncio.sleep(PAUSE_S)


def _passes(error: StoreUnavailableError | KafkaError) -> bool:
    return isinstance(error, StoreUnavailableError) or bool(error.retriable)
