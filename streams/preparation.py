"""What every process that takes work makes sure of first: tables and topics are there."""

from streams.settings import Settings
from streams.store.migrations import migrated
from streams.topic_admin import create_missing


async def prepare(settings: Settings) -> tuple[str, ...]:
    """Migrate the database and create missing topics; safe when several processes do it at once.

    Returns:
        Names of the topics that were created.

    Raises:
        SettingsError: brokers or database are not known.
        StoreUnavailableError, MigrationError: the database is away, or of another Pressline.
        KafkaError, TopicError: the broker is away, or refuses a topic.
    """
    brokers = settings.need_brokers()
    async with migrated(settings.need_database()):
        return await create_missing(brokers, settings.partitions, settings.replication)
