"""Embeddings of texts by a provider: one exchange, counted and priced."""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal

from processors.clock import Clock
from processors.errors import ProviderMalformedError
from processors.gateway import tokens
from processors.gateway.counts import INPUT_TOKENS_MAX, of_text
from processors.gateway.formats.embeddings import EMBEDDING_FORMATS, ParsedEmbeddings, Vector
from processors.gateway.price_lists import PriceList
from processors.gateway.prices import cost_of
from processors.gateway.reading import read_object
from processors.gateway.wire import NotAnAnswerError, Transport
from schemas.catalogue import ProviderRules
from schemas.usage import Usage

TEXTS_MAX = 100
"""Gemini takes no more at once. Source: https://ai.google.dev/api/embeddings"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Embedded:
    """Vectors, and what they took.

    Attributes:
        vectors: one for each text, in their order.
        usage: tokens in normal form; only input.
        usage_estimated: whether they are our own count.
        cost_usd: price.
    """

    vectors: tuple[Vector, ...]
    usage: Usage
    usage_estimated: bool
    cost_usd: Decimal


class Embedder:
    """A model of embeddings at one provider.

    Args:
        rules: the provider.
        model: name as the provider knows it.
        prices: of the model.
        transport: the way to the provider.
        clock: the time of day.

    Raises:
        KeyError: the provider's format has no embeddings: a wrong wiring.
    """

    def __init__(
        self, *, rules: ProviderRules, model: str, prices: PriceList, transport: Transport, clock: Clock
    ) -> None:
        self._provider = rules.name
        self._model = model
        self._prices = prices
        self._transport = transport
        self._clock = clock
        self._format = EMBEDDING_FORMATS[rules.format]

    async def embed(self, texts: Sequence[str]) -> Embedded:
        """Return a vector for each of 1 to TEXTS_MAX texts.

        Raises:
            ValueError: no text, or too many: a bug of the caller.
            UnpricedModelError: no price is known; nothing was asked.
            TransientError, PermanentError: any `Provider*Error`.
        """
        if not 0 < len(texts) <= TEXTS_MAX:
            raise ValueError(f"{len(texts)} texts, expected 1 to {TEXTS_MAX}")
        own = of_text(sum(map(tokens.estimate, texts)), 0)
        now = self._clock.now()
        cost_of(self._model, self._prices, own, now)
        answer = await self._transport.send(self._format.build_request(self._model, texts))
        content = read_object(self._provider, answer, now)
        try:
            parsed = self._format.parse_answer(content, len(texts))
        except NotAnAnswerError as error:
            raise ProviderMalformedError(f"{self._provider} answered 200, but {error}") from error
        told = parsed.count if _believable(parsed) else None
        count = told or own
        return Embedded(
            vectors=parsed.vectors,
            usage=count.usage,
            usage_estimated=told is None,
            cost_usd=cost_of(self._model, self._prices, count, now).total,
        )


def _believable(parsed: ParsedEmbeddings) -> bool:
    return parsed.count is not None and 0 < parsed.count.input <= INPUT_TOKENS_MAX
