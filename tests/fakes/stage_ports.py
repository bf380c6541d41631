"""Ports of fakes around one recipe."""

from typing import Any

from builders import RECIPE_REF
from fakes.catalogue import FakeCatalogue
from fakes.clock import FakeClock
from fakes.model_gateway import FakeModelGateway
from fakes.page_index import FakePageIndex
from fakes.publications import FakePublications
from fakes.recipe_book import FakeRecipeBook
from processors.checks import compile_checks
from processors.ports import Ports
from processors.recipe import CompiledRecipe
from schemas.recipe import Page, Recipe, Step


def a_recipe(**changes: Any) -> CompiledRecipe:
    """The recipe of RECIPE_REF without files: enough for the stages that render nothing."""
    name, _, version = RECIPE_REF.partition("@")
    fields = {
        "name": name,
        "key": "{{ from_iata }}",
        "inputs": "inputs.schema.json",
        "steps": (Step(name="write", prompt="write.j2", output="page.schema.json"),),
        "page": Page(slug="{{ from_iata }}", title="{{ from_iata }}", body="page.md.j2"),
    }
    recipe = Recipe.model_validate({**fields, **changes})
    checks = compile_checks(recipe.checks)
    return CompiledRecipe(recipe=recipe, version=version, files={}, schemas={}, templates={}, checks=checks)


def some_ports(*, recipe: CompiledRecipe, **changes: Any) -> Ports:
    """Ports with that recipe; any port may be another one."""
    ports = {
        "clock": FakeClock(),
        "recipes": FakeRecipeBook(recipe),
        "catalogue": FakeCatalogue(),
        "model": FakeModelGateway(),
        "pages": FakePageIndex(),
        "publications": FakePublications(),
    }
    return Ports(**{**ports, **changes})
