"""A prompt of parts put together for the model that is asked, where its window is known."""

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from typing import Final

from processors.errors import PromptTooLongError
from processors.gateway import tokens
from processors.gateway.context import ENCODING, can_count, exact, input_tokens
from processors.gateway.trimming import Count, trimmed
from processors.model import ChatMessage, ModelRequest
from processors.prompt import PromptPart, joined, stable_chars
from schemas.recipe import Trim

ROUNDS_MAX: Final = 6
"""One to see how much is too much, one to trim it; more as texts may have a token more when joined."""


async def assembled(request: ModelRequest, context_tokens: int) -> tuple[ModelRequest, tuple[str, ...]]:
    """Return the request with its parts as they fit beside the answer, and the names of those trimmed.

    Tokens are counted in OpenAI's vocabulary with the extra `tokens`, and estimated without. Most prompts
    have fewer bytes than the window has tokens: they are not counted at all, as no token is less than a byte.

    Args:
        request: what is asked. Its messages keep their parts, so that it can be assembled for another model.
        context_tokens: the model's window, prompt and answer together.

    Raises:
        PromptTooLongError: what may not be trimmed is too long.
    """
    message = next((message for message in request.messages if message.parts), None)
    if message is None:
        return request, ()
    room = context_tokens - request.output_tokens_max
    whole = _with(request, message, message.parts)
    if all(_surely_within(part) for part in message.parts) and input_tokens(whole, _bytes) <= room:
        return whole, ()
    count = exact if can_count() else tokens.estimate
    # Counting a whole window takes a tenth of a second, and the first time the vocabulary is loaded.
    return await asyncio.to_thread(_fitted, request, message, room, count)


def _fitted(
    request: ModelRequest, message: ChatMessage, room: int, count: Count
) -> tuple[ModelRequest, tuple[str, ...]]:
    over = 0
    for _ in range(ROUNDS_MAX):
        kept = trimmed(message.parts, over, count)
        fitted = _with(request, message, kept)
        still_over = input_tokens(fitted, count) - room
        if still_over <= 0 and any(part.text for part in kept):
            return fitted, _names(message.parts, kept)
        over += still_over
    raise _too_long(request, message, room, count)


def _with(request: ModelRequest, message: ChatMessage, parts: Sequence[PromptPart]) -> ModelRequest:
    made = replace(message, content=joined(parts), stable_chars=stable_chars(parts))
    messages = tuple(made if each is message else each for each in request.messages)
    return replace(request, messages=messages)


def _names(parts: Sequence[PromptPart], kept: Sequence[PromptPart]) -> tuple[str, ...]:
    return tuple(part.name for part, left in zip(parts, kept, strict=True) if left.text != part.text)


def _surely_within(part: PromptPart) -> bool:
    return part.tokens_max is None or _bytes(part.text) <= part.tokens_max


def _bytes(text: str) -> int:
    return len(text.encode())


def _too_long(request: ModelRequest, message: ChatMessage, room: int, count: Count) -> PromptTooLongError:
    beside = input_tokens(_with(request, message, ()), count)
    kept = [part for part in message.parts if part.trim is Trim.NONE]
    listed = ", ".join(f"{part.name!r} {count(part.text)}" for part in kept) or "none"
    how = ENCODING if count is exact else "estimated; the extra `tokens` counts"
    return PromptTooLongError(
        f"step {request.step!r}: parts that are never trimmed have these input tokens ({how}): {listed}; "
        f"beside them system, schema and framing have {beside}. Expected at most {room} in all, which "
        f"{request.model!r} has beside {request.output_tokens_max} for the answer; set trim on a part, "
        "shorten a template or the inputs, lower output_tokens_max, or use a model with a larger context"
    )
