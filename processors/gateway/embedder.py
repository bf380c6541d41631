"""Embeddings of texts: a model call like any other, through the same gateway."""

from dataclasses import dataclass
from decimal import Decimal

from processors.gateway.vectors import Vector, unpacked
from processors.model import ChatMessage, ModelRequest
from processors.ports import ModelGateway
from schemas.task import Task
from schemas.usage import UsageRecorded

TEXTS_MAX = 32
"""The largest models give 3,072 numbers a text, of 25 characters each: so many fit the bound of an answer."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EmbeddingRequest:
    """Texts to embed.

    Attributes:
        task: the task that pays.
        recipe: `name@version`.
        revision: identity of the work; it has to change with the texts.
        step: path of the step in the run.
        model: name in the catalogue of a model whose kind is `embedding`.
        texts: 1 to TEXTS_MAX of them, none empty.
        budget_usd: most that the call may cost, or None.
    """

    task: Task
    recipe: str
    revision: str
    step: str
    model: str
    texts: tuple[str, ...]
    budget_usd: Decimal | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Embedded:
    """Vectors, and what they took.

    Attributes:
        vectors: one for each text, in their order, at half precision.
        recorded: the call as the usage topic carries it.
    """

    vectors: tuple[Vector, ...]
    recorded: UsageRecorded


class Embedder:
    """Asks the gateway for vectors: journal, budgets, limits, breakers and ledger are those of all calls.

    The journal keeps the vectors, at most 0.3 MB for a call, so the same call again is free.

    Args:
        gateway: the Messaging Gateway, or a record's view of it.
    """

    def __init__(self, gateway: ModelGateway) -> None:
        self._gateway = gateway

    async def embed(self, request: EmbeddingRequest) -> Embedded:
        """Return a vector for each text.

        Raises:
            ValueError: no text, or too many: a bug of the caller.
            ProcessingError: as the gateway's `complete`.
        """
        if not 0 < len(request.texts) <= TEXTS_MAX:
            raise ValueError(f"{len(request.texts)} texts, expected 1 to {TEXTS_MAX}")
        answer = await self._gateway.complete(
            ModelRequest(
                task=request.task,
                recipe=request.recipe,
                revision=request.revision,
                step=request.step,
                model=request.model,
                messages=tuple(ChatMessage(role="user", content=text) for text in request.texts),
                schema_name="vectors",
                schema=None,
                output_tokens_max=0,
                budget_usd=request.budget_usd,
            )
        )
        return Embedded(vectors=unpacked(answer.text), recorded=answer.recorded)
