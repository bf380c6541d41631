from collections.abc import Mapping
from dataclasses import dataclass, field

from processors.gateway.catalogue import Catalogue
from schemas.base import Tier


@dataclass
class FakeCatalogue:
    """ModelCatalogue of at least one model; `small-1`, `mid-1` and `frontier-1` unless told otherwise."""

    models: Mapping[Tier, str] = field(default_factory=lambda: {tier: f"{tier}-1" for tier in Tier})

    def model_for(self, tier: Tier) -> str:
        tiers = list(Tier)
        larger = [each for each in tiers[tiers.index(tier) :] if each in self.models]
        smaller = [each for each in reversed(tiers) if each in self.models]
        return self.models[(larger or smaller)[0]]


def without_fallbacks(catalogue: Catalogue) -> Catalogue:
    """The same models, each on its own."""
    rules = catalogue.rules
    alone = tuple(model.model_copy(update={"fallbacks": ()}) for model in rules.models)
    return Catalogue(rules.model_copy(update={"models": alone}))
