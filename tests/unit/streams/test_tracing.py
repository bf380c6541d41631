"""Spans are made when OpenTelemetry's own variable asks for them, and otherwise cost nothing."""

import pytest

from fakes.model_gateway import FakeModelGateway
from processors.gateway.catalogue import default
from streams import tracing
from streams.settings import OTLP_ENDPOINT, SettingsError
from streams.tracing import NoTracing, missing_packages, open_tracing, require_installed

ENDPOINT = "http://127.0.0.1:4318"


def test_without_an_endpoint_nothing_is_imported_or_wrapped(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(OTLP_ENDPOINT, raising=False)
    gateway = FakeModelGateway()

    opened = open_tracing("worker-1")

    assert isinstance(opened, NoTracing)
    assert opened.calls(gateway, default()) is gateway


def test_an_endpoint_without_the_extra_is_told_with_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(OTLP_ENDPOINT, ENDPOINT)
    monkeypatch.setattr(tracing, "NEEDED", ("opentelemetry_absent.sdk",))

    with pytest.raises(SettingsError, match=r"opentelemetry_absent.sdk is not installed.*pressline\[otel\]"):
        open_tracing("worker-1")

    monkeypatch.delenv(OTLP_ENDPOINT)
    require_installed()


def test_the_extra_is_found_where_it_is_installed() -> None:
    assert missing_packages() == ()
