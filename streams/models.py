"""The model gateway of a worker: catalogue, prices, limits and clients, made from the settings."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from processors.breakers import Breakers
from processors.clock import Clock
from processors.gates import Gates
from processors.gateway import catalogue as catalogues
from processors.gateway.budget_book import BudgetBook
from processors.gateway.catalogue import Catalogue, InvalidCatalogueError
from processors.gateway.gateway import Gateway
from processors.gateway.journal import CallJournal
from processors.gateway.lender import Lender
from processors.gateway.lending import LeaseTable
from processors.gateway.limits import ProviderLimits, limits_for
from processors.gateway.prices import compile_prices
from processors.gateway.spared_store import SparedStore
from processors.gateway.transport import HttpTransport, open_transports
from streams.budgets import configured_budgets
from streams.settings import Settings, provider_keys


@dataclass(frozen=True, slots=True, kw_only=True)
class Models:
    """What a worker's stages reach models through.

    Attributes:
        catalogue: which models there are and who answers.
        gateway: the Messaging Gateway.
        limits: by provider.
        lenders: by provider; they set the share of its limits.
        transports: by provider.
    """

    catalogue: Catalogue
    gateway: Gateway
    limits: Mapping[str, ProviderLimits]
    lenders: Mapping[str, Lender]
    transports: Mapping[str, HttpTransport]

    def set_share(self, share: float) -> None:
        """Lease that share (0 to 1) of every provider's limits."""
        for lender in self.lenders.values():
            lender.set_share(share)

    async def close(self) -> None:
        """Close the clients."""
        for transport in self.transports.values():
            await transport.aclose()


def configured_catalogue(settings: Settings) -> Catalogue:
    """Return the settings' catalogue; the simulated provider answers where its address is set.

    Raises:
        InvalidCatalogueError: the file cannot be read or used.
    """
    catalogue = written_catalogue(settings.providers)
    return catalogue if settings.simulated_url is None else catalogue.simulated_at(settings.simulated_url)


def written_catalogue(path: Path | None) -> Catalogue:
    """Return the catalogue of that file, or the built-in one, with the providers that it names.

    Raises:
        InvalidCatalogueError: the file cannot be read or used.
    """
    if path is None:
        return catalogues.default()
    try:
        return catalogues.load(path.read_bytes())
    except OSError as error:
        raise InvalidCatalogueError(
            f"{path} cannot be read: {error.strerror}; look at PRESSLINE_PROVIDERS"
        ) from None


def missing_keys(catalogue: Catalogue) -> tuple[str, ...]:
    """Return the variables of API keys that the catalogue's providers need and that are not set."""
    names = [p.api_key_env for p in catalogue.used_providers if p.api_key_env is not None]
    present = provider_keys(names)
    return tuple(name for name in names if name not in present)


def open_models(  # noqa: PLR0913 - each is a part of the worker of its own
    settings: Settings,
    journal: CallJournal,
    table: LeaseTable,
    clock: Clock,
    gates: Gates,
    breakers: Breakers,
    *,
    answers: SparedStore,
) -> Models:
    """Return the worker's models.

    Raises:
        InvalidCatalogueError: the catalogue cannot be used, or a provider's key is missing.
        InvalidBudgetsError: the budgets cannot be used.
        UnpricedModelError: a model has no known price.
    """
    catalogue = configured_catalogue(settings)
    limits = limits_for(catalogue)
    transports = open_transports(catalogue, _keys(catalogue))
    gateway = Gateway(
        catalogue=catalogue,
        prices=compile_prices(catalogue, clock.now()),
        journal=journal,
        limits=limits,
        transports=transports,
        clock=clock,
        gates=gates,
        budgets=BudgetBook(configured_budgets(settings), clock),
        breakers=breakers,
        answers=answers,
    )
    lenders = {name: Lender(name, each, table) for name, each in limits.items()}
    return Models(catalogue=catalogue, gateway=gateway, limits=limits, lenders=lenders, transports=transports)


def _keys(catalogue: Catalogue) -> dict[str, str]:
    variables = {p.name: p.api_key_env for p in catalogue.used_providers if p.api_key_env is not None}
    found = provider_keys(variables.values())
    return {name: found[env].get_secret_value() for name, env in variables.items() if env in found}
