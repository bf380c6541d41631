"""Embeddings: OpenAI's format, which compatible servers speak too, and Gemini's.

A request's messages are the texts; the answer's text is their vectors, `packed`. Source:
https://platform.openai.com/docs/api-reference/embeddings, https://ai.google.dev/api/embeddings
"""

import struct
from base64 import b64decode
from binascii import Error as Base64Error
from collections.abc import Mapping
from typing import Protocol

import orjson

from processors.gateway.counts import Kind, TokenCount, counted
from processors.gateway.formats.fields import Json, count_at, name_at, objects_at
from processors.gateway.formats.gemini import Gemini
from processors.gateway.formats.openai_chat import JSON_HEADERS, OpenAIChat
from processors.gateway.vectors import Vector, packed
from processors.gateway.wire import NotAnAnswerError, ParsedAnswer, StopReason, WireFormat, WireRequest
from processors.model import ModelRequest
from schemas.catalogue import Format

FLOAT32_BYTES = 4


class EmbeddingFormat(Protocol):
    """Makes the format of one question."""

    def __call__(self, texts_count: int) -> WireFormat:
        """Return a format that takes an answer with so many vectors."""


class OpenAIEmbeddings(OpenAIChat):
    """`POST /embeddings`.

    Args:
        texts_count: how many vectors an answer has.
    """

    def __init__(self, texts_count: int) -> None:
        self._texts_count = texts_count

    def build_request(self, request: ModelRequest, *, stream: bool = False) -> WireRequest:
        """Return the request as it goes out; vectors never come as a stream."""
        del stream
        # As base64 a number takes 5.3 characters, not 20. OpenAI's own client asks so, too.
        content = {"model": request.model, "input": _texts(request), "encoding_format": "base64"}
        return WireRequest(path="/embeddings", headers=JSON_HEADERS, body=orjson.dumps(content))

    def parse_answer(self, content: Json) -> ParsedAnswer:
        """Return the vectors.

        Raises:
            NotAnAnswerError: not one vector of numbers for each text.
        """
        # The order is told, not promised.
        found = sorted(objects_at(content, "data"), key=lambda item: count_at(item, "index"))
        vectors = [_vector(item.get("embedding")) for item in found]
        return _answer(vectors, self._texts_count, content, self.parse_usage(content.get("usage")))

    def parse_usage(self, found: object) -> TokenCount | None:
        """Return the tokens, or None when `found` is no usage."""
        return parse_usage(found)


class GeminiEmbeddings(Gemini):
    """`POST /models/MODEL:batchEmbedContents`, which does not always tell the usage.

    Args:
        texts_count: how many vectors an answer has.
    """

    def __init__(self, texts_count: int) -> None:
        self._texts_count = texts_count

    def build_request(self, request: ModelRequest, *, stream: bool = False) -> WireRequest:
        """Return the request as it goes out; vectors never come as a stream."""
        del stream
        name = f"models/{request.model}"
        asked = [{"model": name, "content": {"parts": [{"text": text}]}} for text in _texts(request)]
        body = orjson.dumps({"requests": asked})
        return WireRequest(path=f"/{name}:batchEmbedContents", headers=JSON_HEADERS, body=body)

    def parse_answer(self, content: Json) -> ParsedAnswer:
        """Return the vectors.

        Raises:
            NotAnAnswerError: not one vector of numbers for each text.
        """
        vectors = [_vector(item.get("values")) for item in objects_at(content, "embeddings")]
        count = self.parse_usage(content.get("usageMetadata"))
        return _answer(vectors, self._texts_count, content, count)


EMBEDDING_FORMATS: Mapping[Format, EmbeddingFormat] = {
    Format.OPENAI_CHAT: OpenAIEmbeddings,
    Format.OPENAI_RESPONSES: OpenAIEmbeddings,
    Format.GEMINI: GeminiEmbeddings,
}
"""By the format that the same provider speaks otherwise; the others sell no embeddings."""


def parse_usage(found: object) -> TokenCount | None:
    """Return the tokens of an embeddings answer of OpenAI's format, or None when `found` is no usage."""
    if not isinstance(found, dict) or "prompt_tokens" not in found:
        return None
    return counted({Kind.FRESH: count_at(found, "prompt_tokens")})


def _texts(request: ModelRequest) -> list[str]:
    return [message.content for message in request.messages]


def _vector(found: object) -> Vector:
    if isinstance(found, str):
        return _decoded(found)
    # Servers that do not know base64 send a list.
    if not isinstance(found, list) or not all(isinstance(value, int | float) for value in found):
        raise NotAnAnswerError("an embedding is no list of numbers, expected one")
    return tuple(map(float, found))


def _decoded(text: str) -> Vector:
    try:
        content = b64decode(text, validate=True)
        return struct.unpack(f"<{len(content) // FLOAT32_BYTES}f", content)
    except (Base64Error, struct.error):
        raise NotAnAnswerError("an embedding is no base64 of 32-bit floats, expected that") from None


def _answer(vectors: list[Vector], texts_count: int, content: Json, count: TokenCount | None) -> ParsedAnswer:
    if len(vectors) != texts_count:
        raise NotAnAnswerError(f"{len(vectors)} embeddings of {texts_count} texts, expected one of each")
    return ParsedAnswer(
        text=packed(vectors),
        stop_reason=StopReason.STOP,
        count=count,
        response_model=name_at(content, "model"),
    )
