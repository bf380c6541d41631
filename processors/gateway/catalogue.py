"""Which models there are, and who answers for them."""

from importlib import resources

import orjson
from pydantic import ValidationError

from processors import strict_yaml
from processors.errors import UnpricedModelError
from schemas.base import Tier
from schemas.catalogue import CatalogueRules, ModelRules, ProviderRules

ERRORS_SHOWN_MAX = 10


class InvalidCatalogueError(ValueError):
    """The catalogue cannot be used; the text says where and what to do."""


class Catalogue:
    """The catalogue, ready to look things up.

    Args:
        rules: the configuration.
    """

    def __init__(self, rules: CatalogueRules) -> None:
        self.rules = rules
        self._models = {model.name: model for model in rules.models}
        self._providers = {provider.name: provider for provider in rules.providers}
        # Of several models of one tier the first that is listed is meant.
        self._by_tier = {model.tier: model.name for model in reversed(rules.models) if model.tier}

    def model_for(self, tier: Tier) -> str:
        """Return the model of that tier, or of the next larger tier that has one, or else the largest."""
        tiers = list(Tier)
        larger = tiers[tiers.index(tier) :]
        smaller = tiers[: tiers.index(tier)]
        return next(self._by_tier[t] for t in (*larger, *reversed(smaller)) if t in self._by_tier)

    def model(self, name: str) -> ModelRules:
        """Return the model of that name.

        Raises:
            UnpricedModelError: the catalogue has no such model, so no price for it either.
        """
        model = self._models.get(name)
        if model is None:
            raise UnpricedModelError(
                f"model {name[:100]!r} is not in the catalogue, expected one of {sorted(self._models)!r};"
                " add it"
            )
        return model

    def fallbacks(self, name: str) -> tuple[str, ...]:
        """Return the models that are asked in place of that one, in order.

        Raises:
            UnpricedModelError: the catalogue has no such model.
        """
        return self.model(name).fallbacks

    def provider_of(self, model: ModelRules) -> ProviderRules:
        """Return who answers for that model of this catalogue."""
        return self._providers[model.provider]

    @property
    def used_providers(self) -> tuple[ProviderRules, ...]:
        """Providers that answer for at least one model."""
        used = {model.provider for model in self.rules.models}
        return tuple(provider for provider in self.rules.providers if provider.name in used)

    def simulated_at(self, base_url: str) -> "Catalogue":
        """Return a catalogue whose every model is answered by the simulated provider; prices are kept.

        Args:
            base_url: the simulated provider's address up to the version, such as `http://127.0.0.1:8700/v1`.

        Raises:
            InvalidCatalogueError: no provider is marked `simulated`, or not such an address.
        """
        simulated = next((provider for provider in self.rules.providers if provider.simulated), None)
        if simulated is None:
            raise InvalidCatalogueError(
                "no provider has `simulated: true`, expected one for its limits; add one or give a key"
            )
        content = self.rules.model_dump(mode="json", by_alias=True)
        content["providers"] = [simulated.model_dump(mode="json") | {"base_url": base_url}]
        content["models"] = [model | {"provider": simulated.name} for model in content["models"]]
        return Catalogue(_rules(content))


def load(content: bytes) -> Catalogue:
    """Return the catalogue that a YAML file holds.

    Raises:
        InvalidCatalogueError: not plain YAML of at most 65,536 bytes, or a key or value is not known.
    """
    try:
        return Catalogue(_rules(strict_yaml.load(content)))
    except InvalidCatalogueError:
        raise
    except ValueError as error:
        raise InvalidCatalogueError(f"the catalogue is not plain YAML: {error}") from error


def default() -> Catalogue:
    """Return the catalogue that is shipped."""
    return load(resources.files(__package__).joinpath("catalogue.yaml").read_bytes())


def _rules(content: object) -> CatalogueRules:
    try:
        # By way of JSON: it has no dates or tuples, and a price written 0.05 becomes that very Decimal.
        return CatalogueRules.model_validate_json(orjson.dumps(content))
    except (ValidationError, orjson.JSONEncodeError) as error:
        raise InvalidCatalogueError(f"the catalogue does not fit: {_summary(error)}") from None


def _summary(error: Exception) -> str:
    if not isinstance(error, ValidationError):
        return str(error)
    details = error.errors(include_input=False, include_url=False, include_context=False)
    shown = [f"{'.'.join(map(str, d['loc'])) or 'whole'}: {d['msg']}" for d in details[:ERRORS_SHOWN_MAX]]
    return "; ".join(shown)
