"""Whether a prompt and its answer fit a model's context window, known before the call.

Servers differ in what they do with a longer one: some refuse it, some cut its beginning off and answer.
"""

import asyncio
from functools import cache
from importlib.util import find_spec
from typing import Final, Protocol

import orjson

from processors.errors import PromptTooLongError
from processors.gateway.trimming import Count
from processors.model import ModelRequest

ENCODING: Final = "o200k_base"
"""OpenAI's vocabulary since gpt-4o; those of others make about as many tokens of a text."""
TOKENS_PER_MESSAGE: Final = 4
"""Framing of a chat. Source: https://cookbook.openai.com/examples/how_to_count_tokens_with_tiktoken"""


async def require_fit(request: ModelRequest, body: bytes, context_tokens: int) -> None:
    """Check that prompt and answer fit the window.

    Most requests have fewer bytes than the window has tokens, so that nothing is counted: no token is less
    than a byte. Without the extra `tokens` what is longer is let through, and the provider decides.

    Args:
        request: what is asked.
        body: the same as it goes out.
        context_tokens: the model's window, prompt and answer together.

    Raises:
        PromptTooLongError: they do not fit.
    """
    room = context_tokens - request.output_tokens_max
    if len(body) <= room or not can_count():
        return
    # Counting a whole window takes a tenth of a second, and the first time the vocabulary is loaded.
    counted = await asyncio.to_thread(input_tokens, request)
    if counted > room:
        raise PromptTooLongError(
            f"step {request.step!r} has {counted} input tokens ({ENCODING}) and keeps "
            f"{request.output_tokens_max} for the answer, expected at most the {context_tokens} of "
            f"{request.model!r} together; shorten inputs or prompt, lower output_tokens_max, or use a model "
            "with a larger context"
        )


def can_count() -> bool:
    """Return whether the extra `tokens` is installed."""
    return find_spec("bpe_openai") is not None


def exact(text: str) -> int:
    """Return how many tokens `text` has in OpenAI's vocabulary; words that control a model are text, too."""
    return len(_encoding().encode(text, disallowed_special=()))


def input_tokens(request: ModelRequest, count: Count = exact) -> int:
    """Return how many input tokens a request has, as `count` counts: messages, schema and tools."""
    tools = [[tool.name, tool.description, dict(tool.parameters)] for tool in request.tools]
    texts = [message.content for message in request.messages]
    texts += [orjson.dumps(part).decode() for part in (request.schema, tools) if part]
    framing = TOKENS_PER_MESSAGE * len(request.messages)
    return framing + sum(map(count, texts))


class _Encoding(Protocol):
    def encode(self, text: str, *, disallowed_special: tuple[str, ...]) -> list[int]: ...


@cache
def _encoding() -> _Encoding:
    # It takes a second and 140 MB of memory: a worker whose prompts are short never imports it.
    from bpe_openai import get_encoding  # noqa: PLC0415

    encoding: _Encoding = get_encoding(ENCODING)
    return encoding
