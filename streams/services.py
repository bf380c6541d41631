"""What a worker runs beside its stages: the task index with the site's pages, and the redelivery."""

from collections.abc import Callable, Sequence

from mode import Service

from streams.claim_checks import ClaimStore
from streams.engine.producer import RecordProducer
from streams.pipeline import PIPELINE
from streams.redelivery import GROUP, Redelivery
from streams.redelivery_routes import Routes
from streams.settings import Settings
from streams.site_pages import SiteIndexer
from streams.store.database import Database
from streams.store.pages import PostgresPageIndex
from streams.store.reviews import PostgresReviews
from streams.store.sites import PostgresSites
from streams.store.task_events import PostgresTaskEvents
from streams.store.tasks import PostgresTaskIndex
from streams.task_index import TaskIndexer
from streams.topics import REDELIVERY, RETRY_TIERS, dead_letter_topic


def index_services(
    settings: Settings, worker_id: str, database: Database, claims: ClaimStore
) -> Sequence[Service]:
    """Return what keeps the index of tasks, and the index page and sitemap of each site."""
    return [
        TaskIndexer(
            settings.need_brokers(),
            worker_id,
            PostgresTaskIndex(database),
            PostgresReviews(database),
            PostgresTaskEvents(database),
            claims,
        ),
        SiteIndexer(PostgresSites(database), PostgresPageIndex(database), settings.site, settings.site_url),
    ]


def redelivery(
    settings: Settings,
    worker_id: str,
    producer: RecordProducer,
    claims: ClaimStore,
    on_sent: Callable[[str], None],
) -> Redelivery:
    """Return what brings records back from the retry topics.

    Args:
        settings: addresses and bounds.
        worker_id: name of the member.
        producer: started before and stopped after it.
        claims: where events are that were too large to travel.
        on_sent: told the topic of each record that left its retry topic.
    """
    routes = Routes(
        tiers=RETRY_TIERS,
        origins=frozenset(topic for spec in PIPELINE.values() for topic in spec.topics),
        dead_topic=dead_letter_topic(REDELIVERY),
        group=GROUP,
    )
    return Redelivery(
        settings.need_brokers(),
        worker_id,
        routes,
        producer,
        claims,
        session_timeout_s=settings.session_timeout_s,
        on_sent=on_sent,
    )
