"""Spans of stages and model calls; without OpenTelemetry's own variable for the endpoint none are made."""

from contextlib import AbstractContextManager, nullcontext
from importlib.util import find_spec
from typing import Protocol

from processors.gateway.catalogue import Catalogue
from processors.ports import ModelGateway
from streams.engine.records import InRecord
from streams.pipeline import StageSpec
from streams.settings import OTLP_ENDPOINT, SettingsError, otlp_endpoint

NEEDED = ("opentelemetry.sdk", "opentelemetry.exporter.otlp.proto.http")
INSTALL = f"run pip install 'pressline[otel]', or unset {OTLP_ENDPOINT}"


class Tracing(Protocol):
    """What a worker tells of its work."""

    def process(self, spec: StageSpec, record: InRecord) -> AbstractContextManager[str | None]:
        """Span one attempt of a stage at a record, the body of the context.

        Returns:
            The `traceparent` that the results carry on; None leaves that to the envelope.
        """

    def calls(self, gateway: ModelGateway, catalogue: Catalogue) -> ModelGateway:
        """Return a gateway whose calls are spanned; answers from the journal are no calls."""

    def close(self) -> None:
        """Send what was not sent yet; blocks, for OpenTelemetry's own time-out at most."""


class NoTracing:
    """Makes no spans."""

    def process(self, _spec: StageSpec, _record: InRecord) -> AbstractContextManager[None]:
        """Do nothing around the body."""
        return nullcontext()

    def calls(self, gateway: ModelGateway, _catalogue: Catalogue) -> ModelGateway:
        """Return the gateway itself."""
        return gateway

    def close(self) -> None:
        """Do nothing."""


def open_tracing(worker_id: str) -> Tracing:
    """Return what the environment asks for: spans to an OTLP endpoint, or none.

    Raises:
        SettingsError: an endpoint is set, and the extra `otel` is not installed.
    """
    require_installed()
    if otlp_endpoint() is None:
        return NoTracing()
    # It takes most of a second to import, and only the extra brings what it needs.
    from streams.otel import OtelTracing  # noqa: PLC0415

    return OtelTracing.to_endpoint(worker_id)


def require_installed() -> None:
    """Check that what spans need is there, if they are asked for.

    Raises:
        SettingsError: it is not.
    """
    missing = missing_packages()
    if otlp_endpoint() is not None and missing:
        raise SettingsError(f"{OTLP_ENDPOINT} is set, and {', '.join(missing)} is not installed: {INSTALL}")


def missing_packages() -> tuple[str, ...]:
    """Return what spans need and is not installed."""
    return tuple(name for name in NEEDED if not _is_installed(name))


def _is_installed(name: str) -> bool:
    try:
        return find_spec(name) is not None
    except ModuleNotFoundError:  # of a package above it
        return False
