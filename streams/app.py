"""The Faust application: shell around the worker. `faust -A streams.app worker` starts what settings name.

Faust's own Kafka side is switched off: its agents commit past records that are still in flight, and they
acknowledge on exceptions. What is used of it: process life and signals, worker command, web pages.
"""

import logging
import os
from dataclasses import asdict
from typing import Any

import faust
from faust.app.base import BootStrategy
from prometheus_client import CollectorRegistry, GCCollector, PlatformCollector, ProcessCollector

from streams.collector import spare_collector
from streams.settings import Settings
from streams.telemetry import CONTENT_TYPE, Telemetry
from streams.worker import Worker

APP_ID = "pressline"
EXIT_SECOND_SIGNAL = 130

log = logging.getLogger(__name__)


class ShellBoot(BootStrategy):  # type: ignore[misc] # Faust's types are skipped
    """Starts no Kafka consumer and no Kafka producer of Faust's own."""

    enable_kafka = False


class ShellApp(faust.App):  # type: ignore[misc] # Faust's types are skipped
    """A Faust app whose one service is the worker."""

    BootStrategy = ShellBoot
    worker: Worker

    async def on_started(self) -> None:
        """Start the worker once web and sensors are up."""
        await super().on_started()
        spare_collector()
        await self.add_runtime_dependency(self.worker)

    def _create_directories(self) -> None:
        """Keep nothing on disk: Faust would make a folder for tables, and there are none."""


class ShellWorker(faust.Worker):  # type: ignore[misc] # Faust's types are skipped
    """Faust's worker process, whose second signal stops at once: nothing unfinished is ever committed."""

    _signalled = False

    def _on_sigint(self) -> None:
        self._stop_at_once_if_repeated()
        super()._on_sigint()

    def _on_sigterm(self) -> None:
        self._stop_at_once_if_repeated()
        super()._on_sigterm()

    def _stop_at_once_if_repeated(self) -> None:
        if self._signalled:
            log.warning("second signal: stopping at once, without a drain")
            os._exit(EXIT_SECOND_SIGNAL)
        self._signalled = True


def create_app(settings: Settings) -> ShellApp:
    """Return the application for `settings`; connects to nothing yet."""
    registry = CollectorRegistry()
    for collector in (ProcessCollector, PlatformCollector, GCCollector):
        collector(registry=registry)
    telemetry = Telemetry(registry)
    app = ShellApp(
        APP_ID,
        broker=f"kafka://{settings.brokers or ''}",
        web_host=settings.web_host,
        web_bind=settings.web_host,
        web_port=settings.web_port,
        worker_redirect_stdouts=False,
        topic_disable_leader=True,
        Worker=ShellWorker,
    )
    app.worker = Worker(settings, telemetry)
    _add_pages(app, telemetry)
    return app


def _add_pages(app: ShellApp, telemetry: Telemetry) -> None:
    @app.page("/health")  # type: ignore[untyped-decorator]
    async def health(view: Any, _request: Any) -> Any:
        state = app.worker.health()
        return view.json(asdict(state), status=200 if state.fit else 503)

    @app.page("/why")  # type: ignore[untyped-decorator]
    async def why(view: Any, _request: Any) -> Any:
        report = app.worker.why_report()
        return view.bytes(report.model_dump_json().encode(), content_type="application/json")

    @app.page("/metrics")  # type: ignore[untyped-decorator]
    async def metrics(view: Any, _request: Any) -> Any:
        return view.bytes(telemetry.exposition(), content_type=CONTENT_TYPE.split(";")[0])


def __getattr__(name: str) -> ShellApp:
    """Make `app` when Faust's command line asks for it: importing this module does nothing."""
    if name == "app":
        return create_app(Settings.load())
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
