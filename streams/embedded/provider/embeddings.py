"""Embeddings, as OpenAI and Gemini serve them: texts that share words get vectors that are near.

Source: https://platform.openai.com/docs/api-reference/embeddings, https://ai.google.dev/api/embeddings
"""

import math
import re
import struct
from array import array
from base64 import b64encode
from dataclasses import replace
from functools import lru_cache
from typing import Any

import orjson

from streams.embedded.provider.chance import Chance
from streams.embedded.provider.gemini import Gemini
from streams.embedded.provider.openai_chat import OpenAIChat
from streams.embedded.provider.problems import invalid_request
from streams.embedded.provider.request_fields import (
    joined_text,
    json_object,
    listed,
    model_name,
    neutral_request,
)
from streams.embedded.provider.tools import objects
from streams.embedded.provider.wire import Answer, Identity, Json, Message, ModelRequest, Role, VectorForm

DIMENSIONS = 256
TEXTS_MAX = 2_048
WORDS_CACHED_MAX = 8_192  # 8 MB
WORD = re.compile(r"\w+")


class OpenAIEmbeddings(OpenAIChat):
    """The format of `POST /v1/embeddings`; key, errors and headers are those of chat."""

    name = "openai_embeddings"
    path = "/v1/embeddings"

    def read(self, body: bytes, model: str | None = None) -> ModelRequest:
        """Read a request body: one text, or a list of them."""
        del model
        content = json_object(body)
        found = content.get("input")
        texts = [found] if isinstance(found, str) else listed(content, "input")
        form = VectorForm.BASE64 if content.get("encoding_format") == "base64" else VectorForm.NUMBERS
        return _request(content, content.get("model"), texts, form)

    def answer(self, answer: Answer, request: ModelRequest, identity: Identity) -> bytes:
        """Write a list of embeddings."""
        del identity
        data = [
            {"object": "embedding", "index": index, "embedding": _written(message.text, request.vectors)}
            for index, message in enumerate(request.messages)
        ]
        counted = {"prompt_tokens": request.input_tokens, "total_tokens": request.input_tokens}
        usage = {"usage": counted} if answer.with_usage else {}
        return orjson.dumps({"object": "list", "data": data, "model": request.model, **usage})


class GeminiEmbeddings(Gemini):
    """The format of `POST …/models/MODEL:batchEmbedContents`."""

    def __init__(self) -> None:
        super().__init__(stream=False)
        self.name = "gemini_embeddings"
        self.path = "/{version:v1|v1beta}/models/{model:[^:/]+}:batchEmbedContents"

    def read(self, body: bytes, model: str | None = None) -> ModelRequest:
        """Read a request body; the model stands in the address."""
        content = json_object(body)
        contents = [each.get("content") for each in objects(listed(content, "requests"))]
        parts = [each.get("parts") if isinstance(each, dict) else None for each in contents]
        texts = [joined_text(each, f"requests[{index}].content.parts") for index, each in enumerate(parts)]
        return _request(content, model, texts, VectorForm.NUMBERS)

    def answer(self, answer: Answer, request: ModelRequest, identity: Identity) -> bytes:
        """Write a list of embeddings."""
        del identity
        embeddings = [{"values": _written(message.text, request.vectors)} for message in request.messages]
        counted = {"promptTokenCount": request.input_tokens}
        usage = {"usageMetadata": counted} if answer.with_usage else {}
        return orjson.dumps({"embeddings": embeddings, **usage})


def embedding(text: str) -> "array[float]":
    """Return the vector of a text, of length 1: the sum of its words' vectors, each drawn from the word."""
    words = WORD.findall(text.casefold()) or [text]
    total = [math.fsum(values) for values in zip(*map(_word_vector, words), strict=True)]
    length = math.sqrt(math.fsum(value * value for value in total)) or 1.0
    return array("f", (value / length for value in total))


@lru_cache(maxsize=WORDS_CACHED_MAX)
def _word_vector(word: str) -> "array[float]":
    chance = Chance(b"embedding", word.encode("utf-8", "replace"))
    return array("f", (chance.between(-1.0, 1.0) for _ in range(DIMENSIONS)))


def _request(content: Json, model: Any, texts: list[Any], form: VectorForm) -> ModelRequest:
    if not all(isinstance(text, str) and text for text in texts) or len(texts) > TEXTS_MAX:
        raise invalid_request(f"The input must be 1 to {TEXTS_MAX} texts, none empty.", param="input")
    messages = tuple(Message(role=Role.USER, text=text) for text in texts)
    request = neutral_request(
        content, model=model_name(model), messages=messages, schema=None, output_tokens_max=None, tools=()
    )
    return replace(request, vectors=form, stream=False)


def _written(text: str, form: VectorForm | None) -> Any:
    vector = embedding(text)
    if form is VectorForm.BASE64:
        return b64encode(struct.pack(f"<{DIMENSIONS}f", *vector)).decode()
    return vector.tolist()
