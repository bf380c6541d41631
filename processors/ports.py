"""Everything impure that a stage or the gateway may ask for, as protocols, and what passes through them.

Each port has one real implementation, in `streams`, and one fake, in `tests`; a contract test runs on both.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Protocol

from processors.clock import Clock
from processors.errors import ProcessingError
from processors.model import ModelAnswer, ModelRequest
from processors.recipe import CompiledRecipe
from schemas.base import Outcome, Tier
from schemas.events import Document
from schemas.task import Task


class RecipeBook(Protocol):
    """Recipes by name and version."""

    async def get(self, ref: str) -> CompiledRecipe:
        """Return the recipe that `ref` (`name` or `name@version`) names.

        Raises:
            UnknownRecipeError: no such name, or no such version.
            StoreUnavailableError: an older version is asked for and the store is away.
        """


class ModelCatalogue(Protocol):
    """Which models there are."""

    def model_for(self, tier: Tier) -> str:
        """Return the model of that tier, or of the next larger tier that has one, or else the largest."""


class ModelGateway(Protocol):
    """Messaging Gateway to the models."""

    async def complete(self, request: ModelRequest) -> ModelAnswer:
        """Return the model's answer: from the journal if it was bought before, the cache, or one call.

        Raises:
            TransientError, PermanentError: as `processors/errors.py` draws them.
            AbandonedError: `request.abandoned()` before the call's turn had come.
            DeadlinePassedError: the task's deadline had passed by then.
        """


@dataclass(frozen=True, slots=True, kw_only=True)
class PageVersion:
    """One version of one page.

    Attributes:
        task: whose page it is.
        revision: identity of the work; the sink's idempotency key.
        document: the page.
        content_hash: sha256 of its content, 64 hex digits.
    """

    task: Task
    revision: str
    document: Document
    content_hash: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Recorded:
    """This submission's outcome is already decided; say the same again."""

    outcome: Outcome
    url: str | None
    content_hash: str | None


@dataclass(frozen=True, slots=True)
class Claimed:
    """The page is ours to write."""


@dataclass(frozen=True, slots=True)
class SlugTaken:
    """Another task of the site has that slug.

    Attributes:
        owner: its task id.
    """

    owner: str


class PublicationRegistry(Protocol):
    """What is published where. It is written around the sink call, so that one revision has one effect."""

    async def claim(self, page: PageVersion) -> Recorded | Claimed | SlugTaken:
        """Claim the page for writing, or say why not to write it.

        An already decided submission gets its recorded outcome. The same content that is published now gets
        (and records) `unchanged`. A claim of a dead worker is taken over; a live one is waited for.

        Raises:
            ClaimedElsewhereError, StoreUnavailableError.
        """

    async def release(self, page: PageVersion) -> None:
        """Give a claim up: the page was not written.

        Raises:
            StoreUnavailableError.
        """

    async def complete(self, page: PageVersion, url: str) -> None:
        """Record that the page is published, and the submission's outcome with it.

        Raises:
            StoreUnavailableError.
        """


class PageIndex(Protocol):
    """Slugs and titles of a site, to find duplicates over the whole corpus."""

    async def reserve(self, task: Task, slug: str, title: str) -> Mapping[str, str]:
        """Reserve slug and title for the task; the first that reserves one keeps it.

        Returns:
            For each of `slug` and `title` that another task holds: that task's id. Empty: both are ours.

        Raises:
            StoreUnavailableError.
        """


@dataclass(frozen=True, slots=True, kw_only=True)
class PublishedPage:
    """What a sink did.

    Attributes:
        url: where the page is.
        effect: False when the sink found this very content in place and wrote nothing.
    """

    url: str
    effect: bool


class Sink(Protocol):
    """A destination of pages."""

    async def publish(self, page: PageVersion) -> PublishedPage:
        """Put the page in place, whole or not at all; the same revision again changes nothing.

        Raises:
            SinkUnavailableError, SinkRejectedError.
        """


def _never(_error: ProcessingError) -> bool:
    return False


@dataclass(frozen=True, slots=True, kw_only=True)
class Ports:
    """All ports of the four stages.

    Attributes:
        replay: how many times this record came back from a dead-letter topic.
        gives_up: whether the record would end with that failure.
    """

    clock: Clock
    recipes: RecipeBook
    catalogue: ModelCatalogue
    model: ModelGateway
    pages: PageIndex
    publications: PublicationRegistry
    sinks: Mapping[str, Sink] = field(default_factory=dict)
    replay: int = 0
    gives_up: Callable[[ProcessingError], bool] = _never
