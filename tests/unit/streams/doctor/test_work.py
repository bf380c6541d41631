"""Checks of recipes, catalogue, keys and budgets."""

from pathlib import Path
from typing import Any

import pytest

from streams import tracing
from streams.doctor import work
from streams.doctor.finding import Status
from streams.settings import OTLP_ENDPOINT, Settings

KEY = "OPENAI_API_KEY"


def _settings(**changes: Any) -> Settings:
    return Settings(_env_file=None, **changes)


def test_shipped_recipes_compile() -> None:
    folder = Path(__file__).parents[4] / "recipes"

    finding = work.recipes(_settings(recipes=(folder,)))

    assert (finding.status, "flight-route@" in finding.seen) == (Status.OK, True)


def test_a_broken_recipe_is_named(tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "recipe.yaml").write_text("name: mine\n")

    finding = work.recipes(_settings(recipes=(tmp_path,)))

    assert (finding.status, str(tmp_path / "mine") in finding.seen) == (Status.FAIL, True)


def test_the_built_in_catalogue_has_prices() -> None:
    assert work.catalogue(_settings()).status is Status.OK


def test_a_model_without_a_price_is_a_failure(tmp_path: Path) -> None:
    path = tmp_path / "catalogue.yaml"
    path.write_text(
        "providers: [{name: p, base_url: 'http://p.example/v1'}]\n"
        "models: [{name: m, provider: p, tier: small, context_tokens: 1,"
        " price: {provider: openai, model: no-such-model}}]\n"
    )

    finding = work.catalogue(_settings(providers=path))

    assert (finding.status, "no-such-model" in finding.seen) == (Status.FAIL, True)


def test_a_catalogue_that_is_not_there_is_a_failure_of_both_checks(tmp_path: Path) -> None:
    settings = _settings(providers=tmp_path / "missing.yaml")

    assert work.catalogue(settings).status is Status.FAIL
    assert work.keys(settings).status is Status.FAIL


def test_a_missing_key_is_told_by_its_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(KEY, raising=False)

    finding = work.keys(_settings())

    assert (finding.status, finding.seen.startswith(f"{KEY} not set")) == (Status.WARN, True)


def test_a_key_is_never_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(KEY, "sk-secret")

    finding = work.keys(_settings())

    assert (finding.status, finding.seen) == (Status.OK, "set for openai")


def test_the_simulated_provider_needs_no_key() -> None:
    finding = work.keys(_settings(simulated_url="http://127.0.0.1:8700/v1"))

    assert (finding.status, "simulated" in finding.seen) == (Status.OK, True)


def test_budgets_are_counted_and_none_are_needed(tmp_path: Path) -> None:
    path = tmp_path / "budgets.yaml"
    path.write_text("budgets: [{scope: team, window: day, hard_usd: 5}]\n")

    unset, one = work.budgets(_settings()), work.budgets(_settings(budgets=path))

    assert (unset.status, "not set" in unset.seen) == (Status.OK, True)
    assert (one.status, one.seen) == (Status.OK, f"{path}: 1 in all")


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("budgets: [{scope: team, windw: day, hard_usd: 50}]\n", "windw"),
        ("budgets: [\n", "not plain YAML"),
        (None, "cannot be read"),
    ],
)
def test_budgets_that_no_worker_would_start_with_are_a_failure(
    tmp_path: Path, text: str | None, told: str
) -> None:
    path = tmp_path / "budgets.yaml"
    if text is not None:
        path.write_text(text)

    finding = work.budgets(_settings(budgets=path))

    assert (finding.status, told in finding.seen) == (Status.FAIL, True)
    assert work.budgets in work.CHECKS


def test_spans_that_are_asked_for_need_their_packages(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(OTLP_ENDPOINT, raising=False)
    assert work.spans(_settings()).status is Status.OK

    monkeypatch.setenv(OTLP_ENDPOINT, "http://127.0.0.1:4318")
    assert work.spans(_settings()).status is Status.OK

    monkeypatch.setattr(tracing, "NEEDED", ("opentelemetry_absent",))
    finding = work.spans(_settings())
    assert (finding.status, "pressline[otel]" in finding.todo) == (Status.FAIL, True)
