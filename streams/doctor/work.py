"""Checks of what the work needs: recipes, models, prices, keys, budgets, spans."""

from collections.abc import Callable
from datetime import UTC, datetime

from processors.errors import InvalidRecipeError, UnpricedModelError
from processors.gateway.catalogue import InvalidCatalogueError
from processors.gateway.prices import compile_prices
from streams.budgets import InvalidBudgetsError, configured_budgets
from streams.doctor.finding import Finding, fail, ok, warn
from streams.models import configured_catalogue, missing_keys
from streams.recipes import RecipeFolder
from streams.settings import OTLP_ENDPOINT, Settings, otlp_endpoint
from streams.tracing import INSTALL, missing_packages

RECIPES_SHOWN_MAX = 10


def recipes(settings: Settings) -> Finding:
    """Check that every recipe compiles."""
    try:
        found = RecipeFolder(settings.recipes).read()
    except InvalidRecipeError as error:
        todo = "correct it; `pressline recipe new NAME --from ROWS.csv` makes one; or set PRESSLINE_RECIPES"
        return fail("recipes", str(error), todo)
    shown = ", ".join(recipe.ref for recipe in found[:RECIPES_SHOWN_MAX])
    return ok("recipes", shown if len(found) <= RECIPES_SHOWN_MAX else f"{len(found)}: {shown}, …")


def catalogue(settings: Settings) -> Finding:
    """Check that the catalogue can be used and that every model has a price."""
    try:
        found = configured_catalogue(settings)
        compile_prices(found, datetime.now(UTC))
    except (InvalidCatalogueError, UnpricedModelError) as error:
        return fail("catalogue", str(error), "correct the file that PRESSLINE_PROVIDERS names, or unset it")
    models = ", ".join(model.name for model in found.rules.models)
    return ok("catalogue", f"{settings.providers or 'built in'}, prices known of {models}")


def keys(settings: Settings) -> Finding:
    """Check that each provider's API key is set, or that the simulated provider answers."""
    try:
        found = configured_catalogue(settings)
    except InvalidCatalogueError:
        return fail("keys", "unknown without a catalogue", "correct the catalogue first")
    if settings.simulated_url is not None:
        return ok("keys", f"none needed: answers are simulated by {settings.simulated_url}")
    missing = missing_keys(found)
    if not missing:
        return ok("keys", "set for " + ", ".join(provider.name for provider in found.used_providers))
    seen = (
        f"{', '.join(missing)} not set: `pressline up` simulates the answers, a worker alone will not start"
    )
    return warn("keys", seen, "for real answers, which are paid, set it")


def budgets(settings: Settings) -> Finding:
    """Check that the budgets can be read: no worker starts with ones that cannot."""
    try:
        found = configured_budgets(settings)
    except InvalidBudgetsError as error:
        return fail("budgets", str(error), "correct the file that PRESSLINE_BUDGETS names, or unset it")
    if settings.budgets is None:
        return ok("budgets", "not set, not needed: only the tasks' own hold")
    return ok("budgets", f"{settings.budgets}: {len(found)} in all")


def spans(_settings: Settings) -> Finding:
    """Check that spans can be sent, if they are asked for."""
    endpoint, missing = otlp_endpoint(), missing_packages()
    if endpoint is None:
        return ok("spans", f"none are made: {OTLP_ENDPOINT} is not set")
    if missing:
        return fail("spans", f"{OTLP_ENDPOINT} is set, {', '.join(missing)} is not installed", INSTALL)
    return ok("spans", f"{OTLP_ENDPOINT} is set, and what sends them is installed")


CHECKS: tuple[Callable[[Settings], Finding], ...] = (recipes, catalogue, keys, budgets, spans)
