"""Embeddings: OpenAI's format, which compatible servers speak too, and Gemini's.

Source: https://platform.openai.com/docs/api-reference/embeddings, https://ai.google.dev/api/embeddings
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import orjson

from processors.gateway.counts import Kind, TokenCount, counted
from processors.gateway.formats.fields import Json, count_at, objects_at
from processors.gateway.formats.gemini import Gemini
from processors.gateway.formats.openai_chat import JSON_HEADERS
from processors.gateway.wire import NotAnAnswerError, WireRequest
from schemas.catalogue import Format

Vector = tuple[float, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class ParsedEmbeddings:
    """What an embeddings model answered.

    Attributes:
        vectors: one for each text, in their order.
        count: tokens, or None when the provider told none.
    """

    vectors: tuple[Vector, ...]
    count: TokenCount | None


class EmbeddingFormat(Protocol):
    """How one API takes texts and gives vectors."""

    def build_request(self, model: str, texts: Sequence[str]) -> WireRequest:
        """Return the request as it goes out."""

    def parse_answer(self, content: Json, texts_count: int) -> ParsedEmbeddings:
        """Return the vectors.

        Raises:
            NotAnAnswerError: not one vector of numbers for each text.
        """


class OpenAIEmbeddings:
    """`POST /embeddings`."""

    def build_request(self, model: str, texts: Sequence[str]) -> WireRequest:
        """Return the request as it goes out."""
        body = orjson.dumps({"model": model, "input": list(texts), "encoding_format": "float"})
        return WireRequest(path="/embeddings", headers=JSON_HEADERS, body=body)

    def parse_answer(self, content: Json, texts_count: int) -> ParsedEmbeddings:
        """Return the vectors; see the protocol."""
        # The order is told, not promised.
        found = sorted(objects_at(content, "data"), key=lambda item: count_at(item, "index"))
        vectors = tuple(_vector(item.get("embedding")) for item in found)
        return _whole(ParsedEmbeddings(vectors=vectors, count=parse_usage(content.get("usage"))), texts_count)


class GeminiEmbeddings:
    """`POST /models/MODEL:batchEmbedContents`, which does not always tell the usage."""

    def build_request(self, model: str, texts: Sequence[str]) -> WireRequest:
        """Return the request as it goes out."""
        name = f"models/{model}"
        asked = [{"model": name, "content": {"parts": [{"text": text}]}} for text in texts]
        body = orjson.dumps({"requests": asked})
        return WireRequest(path=f"/{name}:batchEmbedContents", headers=JSON_HEADERS, body=body)

    def parse_answer(self, content: Json, texts_count: int) -> ParsedEmbeddings:
        """Return the vectors; see the protocol."""
        vectors = tuple(_vector(item.get("values")) for item in objects_at(content, "embeddings"))
        count = Gemini().parse_usage(content.get("usageMetadata"))
        return _whole(ParsedEmbeddings(vectors=vectors, count=count), texts_count)


EMBEDDING_FORMATS: dict[Format, EmbeddingFormat] = {
    Format.OPENAI_CHAT: OpenAIEmbeddings(),
    Format.OPENAI_RESPONSES: OpenAIEmbeddings(),
    Format.GEMINI: GeminiEmbeddings(),
}
"""By the format that the same provider speaks otherwise; the others sell no embeddings."""


def parse_usage(found: object) -> TokenCount | None:
    """Return the tokens of an embeddings answer of OpenAI's format, or None when `found` is no usage."""
    if not isinstance(found, dict) or "prompt_tokens" not in found:
        return None
    return counted({Kind.FRESH: count_at(found, "prompt_tokens")})


def _vector(found: object) -> Vector:
    if not isinstance(found, list) or not found or not all(isinstance(value, int | float) for value in found):
        raise NotAnAnswerError("an embedding is no list of numbers, expected one")
    return tuple(map(float, found))


def _whole(parsed: ParsedEmbeddings, texts_count: int) -> ParsedEmbeddings:
    if len(parsed.vectors) != texts_count:
        raise NotAnAnswerError(
            f"{len(parsed.vectors)} embeddings of {texts_count} texts, expected one of each"
        )
    return parsed
