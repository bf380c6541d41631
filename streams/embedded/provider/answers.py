"""Making an answer: the right text for a request, and what faults make of it."""

from collections import OrderedDict
from dataclasses import replace
from typing import Any

import orjson

from streams.embedded.provider import phrases
from streams.embedded.provider.chance import Chance
from streams.embedded.provider.config import Fault, ProviderConfig
from streams.embedded.provider.facts import invent, read_facts
from streams.embedded.provider.prose import Bounds, Prose
from streams.embedded.provider.wire import Answer, FinishReason, ModelRequest, ToolCall, cut_to_tokens
from streams.embedded.provider.writer import write_document

TEXTS_CACHED_MAX = 4_096
TEXTS_CACHED_CHARS_MAX = 64 * 1_048_576
CUT_SHARE = (0.4, 0.8)  # of the content that is left by a truncation


class Author:
    """Writes answers; the text for a request depends on the request and the seed alone."""

    def __init__(self, config: ProviderConfig) -> None:
        self._seed = str(config.seed).encode()
        self._body_chars = config.body_chars
        self._texts: OrderedDict[bytes, str] = OrderedDict()
        self._cached_chars = 0

    def answer(self, request: ModelRequest, fault: Fault | None = None) -> Answer:
        """Return the answer to a request, spoilt by `fault` if that concerns the content.

        Raises:
            SchemaUnsupportedError: No document can be written for the schema of the request.
        """
        if request.vectors is not None:  # the format itself makes them
            return Answer(content="", with_usage=fault is not Fault.MISSING_USAGE)
        if fault is Fault.REFUSAL:
            return Answer(refusal=phrases.REFUSAL)
        if request.wants_tool_call:
            answer = Answer(
                tool_call=self._tool_call(request),
                finish_reason=FinishReason.TOOL_CALLS,
                with_usage=fault is not Fault.MISSING_USAGE,
            )
            return _bounded(answer, request.output_tokens_max)
        text = self._write(request, invented=True) if fault is Fault.NONSENSE else self._text(request)
        if fault is Fault.WRONG_SCHEMA:
            text = self._without_required(request, text)
        answer = Answer(content=text, with_usage=fault is not Fault.MISSING_USAGE)
        if fault is Fault.TRUNCATED_CONTENT:
            share = self._chance(b"cut", request).between(*CUT_SHARE)
            return replace(answer, content=text[: int(len(text) * share)], finish_reason=FinishReason.LENGTH)
        return _bounded(answer, request.output_tokens_max)

    def _tool_call(self, request: ModelRequest) -> ToolCall:
        """Call the first tool that is offered, with arguments from the facts."""
        tool, facts = request.tools[0], read_facts(request.messages)
        arguments = write_document(tool.parameters, facts, self._chance(b"tool", request), self._body_chars)
        call_id = f"call_{request.fingerprint.hex()}"
        return ToolCall(id=call_id, name=tool.name, arguments=orjson.dumps(arguments).decode())

    def _text(self, request: ModelRequest) -> str:
        text = self._texts.get(request.fingerprint)
        if text is None:
            text = self._write(request, invented=False)
            self._remember(request.fingerprint, text)
        else:
            self._texts.move_to_end(request.fingerprint)
        return text

    def _remember(self, fingerprint: bytes, text: str) -> None:
        self._texts[fingerprint] = text
        self._cached_chars += len(text)
        while len(self._texts) > TEXTS_CACHED_MAX or self._cached_chars > TEXTS_CACHED_CHARS_MAX:
            self._cached_chars -= len(self._texts.popitem(last=False)[1])

    def _write(self, request: ModelRequest, *, invented: bool) -> str:
        chance = self._chance(b"nonsense" if invented else b"text", request)
        facts = read_facts(request.messages)
        if invented:
            facts = invent(facts, chance)
        if request.schema is None:
            return Prose(facts, chance, self._body_chars).body(Bounds(), markdown=False)
        return orjson.dumps(write_document(request.schema, facts, chance, self._body_chars)).decode()

    def _without_required(self, request: ModelRequest, text: str) -> str:
        document = orjson.loads(text)
        required = _required(request.schema, document)
        if not required:  # nothing can be missing, so the whole value is of the wrong type
            return orjson.dumps([] if isinstance(document, dict) else {}).decode()
        del document[self._chance(b"missing", request).pick(required)]
        return orjson.dumps(document).decode()

    def _chance(self, purpose: bytes, request: ModelRequest) -> Chance:
        return Chance(purpose, self._seed, request.fingerprint)


def _required(schema: bytes | None, document: Any) -> list[str]:
    names = orjson.loads(schema).get("required", []) if schema is not None else []
    return [name for name in names if isinstance(document, dict) and name in document]


def _bounded(answer: Answer, tokens_max: int | None) -> Answer:
    if tokens_max is None or answer.output_tokens <= tokens_max:
        return answer
    cut = cut_to_tokens(answer.content or "", tokens_max)
    return replace(answer, content=cut, tool_call=None, finish_reason=FinishReason.LENGTH)
