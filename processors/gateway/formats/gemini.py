"""Gemini's generateContent.

Source: https://ai.google.dev/api/generate-content
"""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from itertools import groupby
from typing import Any

import orjson

from processors.gateway.counts import Kind, Modality, TokenClass, TokenCount, counted
from processors.gateway.formats.fields import (
    Json,
    count_at,
    json_object,
    name_at,
    object_at,
    objects_at,
    shown,
    text_at,
)
from processors.gateway.formats.gemini_stream import GeminiStream
from processors.gateway.formats.openai_chat import JSON_HEADERS, given, tool_of
from processors.gateway.wire import NotAnAnswerError, ParsedAnswer, StopReason, WireRequest
from processors.model import ChatMessage, ModelRequest, ToolCall

THINKING_TOKENS = {"minimal": 512, "low": 1_024, "medium": 8_192, "high": 24_576}
"""By effort, for models that are told so in tokens; the others take the effort itself as their level.
Source: https://ai.google.dev/gemini-api/docs/openai#thinking"""
UNSIGNED = "Y29udGV4dF9lbmdpbmVlcmluZ19pc190aGVfd2F5X3RvX2dv"
"""Stands for the signature of a call that another model asked for: without any, the request is refused.
Sources: https://ai.google.dev/gemini-api/docs/gemini-3, "Migrating from other models"; recorded exchanges."""

STOP_REASONS = {
    "STOP": StopReason.STOP,
    "MAX_TOKENS": StopReason.LENGTH,
    "SAFETY": StopReason.REFUSAL,
    "RECITATION": StopReason.REFUSAL,
    "LANGUAGE": StopReason.REFUSAL,
    "BLOCKLIST": StopReason.REFUSAL,
    "PROHIBITED_CONTENT": StopReason.REFUSAL,
    "SPII": StopReason.REFUSAL,
    "IMAGE_SAFETY": StopReason.REFUSAL,
    "IMAGE_PROHIBITED_CONTENT": StopReason.REFUSAL,
    "IMAGE_RECITATION": StopReason.REFUSAL,
}
MODALITIES = {
    "AUDIO": Modality.AUDIO,
    "IMAGE": Modality.IMAGE,
    "DOCUMENT": Modality.IMAGE,
    "VIDEO": Modality.VIDEO,
}


class Gemini:
    """The format `gemini`. Its prompt cache is automatic; it cannot be told how long to keep."""

    def build_request(self, request: ModelRequest, *, stream: bool = False) -> WireRequest:
        """Return the request as it goes out."""
        system = [{"text": message.content} for message in request.messages if message.role == "system"]
        content: dict[str, Any] = {"generationConfig": _config(request)}
        if system:
            content["systemInstruction"] = {"parts": system}
        if request.tools:
            declared = [_declared(tool_of(tool)) for tool in request.tools]
            content["tools"] = [{"functionDeclarations": declared}]
        content["contents"] = list(_turns(request))
        method = "streamGenerateContent?alt=sse" if stream else "generateContent"
        path = f"/models/{request.model}:{method}"
        return WireRequest(path=path, headers=JSON_HEADERS, body=orjson.dumps(content))

    def key_headers(self, api_key: str) -> Mapping[str, str]:
        """Return the key; in the address it would end in logs."""
        return {"x-goog-api-key": api_key}

    def parse_answer(self, content: Json) -> ParsedAnswer:
        """Return what the model said.

        Raises:
            NotAnAnswerError: no candidate, or one that failed.
        """
        candidate = next(objects_at(content, "candidates"), {})
        parts = tuple(objects_at(object_at(candidate, "content"), "parts"))
        tool_calls = tuple(_tool_calls(parts))
        return ParsedAnswer(
            text="".join(text_at(part, "text") for part in parts if not part.get("thought")),
            tool_calls=tool_calls,
            stop_reason=_stop_reason(content, candidate, tool_calls),
            count=self.parse_usage(content.get("usageMetadata")),
            response_model=name_at(content, "modelVersion"),
        )

    def parse_usage(self, found: object) -> TokenCount | None:
        """Return the tokens, or None when `found` is no usage or contradicts itself.

        Cached tokens are inside `promptTokenCount`, those of tools beside it, and thoughts beside
        `candidatesTokenCount`. Source:
        https://github.com/googleapis/python-genai/blob/main/google/genai/types.py
        """
        if not isinstance(found, dict) or "promptTokenCount" not in found:
            return None
        read, reasoning = count_at(found, "cachedContentTokenCount"), count_at(found, "thoughtsTokenCount")
        asked = _modalities(found, "promptTokensDetails", "toolUsePromptTokensDetails")
        cached = _modalities(found, "cacheTokensDetails")
        said = _modalities(found, "candidatesTokensDetails")
        asked.subtract(cached)
        tokens = {
            Kind.FRESH: count_at(found, "promptTokenCount")
            + count_at(found, "toolUsePromptTokenCount")
            - read,
            Kind.CACHE_READ: read,
            Kind.OUTPUT: count_at(found, "candidatesTokenCount"),
            Kind.REASONING: reasoning,
        }
        parts = {Kind.FRESH: asked, Kind.CACHE_READ: cached, Kind.OUTPUT: said}
        return counted(tokens, _classes(parts))

    def new_assembler(self) -> GeminiStream:
        """Return an assembler for one stream."""
        return GeminiStream()


def _config(request: ModelRequest) -> dict[str, Any]:
    config: dict[str, Any] = {
        "maxOutputTokens": request.output_tokens_max,
        **given(temperature=request.temperature, seed=request.seed),
    }
    if request.schema is not None:
        config |= {"responseMimeType": "application/json", "responseJsonSchema": dict(request.schema)}
    if request.reasoning_effort is not None:
        config["thinkingConfig"] = (
            {"thinkingBudget": THINKING_TOKENS[request.reasoning_effort]}
            if request.reasoning_in_tokens
            else {"thinkingLevel": request.reasoning_effort}
        )
    return config


def _declared(tool: dict[str, Any]) -> dict[str, Any]:
    tool["parametersJsonSchema"] = tool.pop("parameters")
    return tool


def _turns(request: ModelRequest) -> Iterator[dict[str, Any]]:
    said = (message for message in request.messages if message.role != "system")
    for role, turn in groupby(said, lambda each: "model" if each.role == "assistant" else "user"):
        yield {"role": role, "parts": [part for each in turn for part in _message_parts(each, request)]}


def _message_parts(message: ChatMessage, request: ModelRequest) -> Iterator[dict[str, Any]]:
    if message.tool_call is not None:
        result = {"name": message.tool_call.name, "response": {"result": message.content}}
        yield {"functionResponse": result}
        return
    if message.content:
        yield {"text": message.content}
    for call in message.tool_calls:
        asked = {"name": call.name, "args": json_object(call.arguments) or {}}
        signature = call.signature if call.asked_by == request.model else UNSIGNED
        yield {"functionCall": asked, **given(thoughtSignature=signature)}


def _tool_calls(parts: Sequence[Json]) -> Iterator[ToolCall]:
    for index, part in enumerate(part for part in parts if isinstance(part.get("functionCall"), dict)):
        call = part["functionCall"]
        yield ToolCall(
            id=text_at(call, "id") or f"call-{index}",
            name=text_at(call, "name"),
            arguments=orjson.dumps(call.get("args") or {}).decode(),
            signature=text_at(part, "thoughtSignature") or None,
        )


def _stop_reason(content: Json, candidate: Json, tool_calls: Sequence[ToolCall]) -> StopReason:
    # A blocked prompt has no candidates at all.
    if object_at(content, "promptFeedback").get("blockReason"):
        return StopReason.REFUSAL
    found = candidate.get("finishReason")
    reason = STOP_REASONS.get(found) if isinstance(found, str) else None
    if reason is None:
        raise NotAnAnswerError(f"finishReason is {shown(found)}, expected one of {', '.join(STOP_REASONS)}")
    return StopReason.TOOL_CALLS if tool_calls and reason is StopReason.STOP else reason


def _modalities(found: Json, *keys: str) -> Counter[Modality]:
    """Tokens that are not text, by what they stand for."""
    counts: Counter[Modality] = Counter()
    for detail in (each for key in keys for each in objects_at(found, key)):
        modality = MODALITIES.get(text_at(detail, "modality"))
        if modality is not None:
            counts[modality] += count_at(detail, "tokenCount")
    return counts


def _classes(parts: Mapping[Kind, Counter[Modality]]) -> dict[TokenClass, int]:
    return {(kind, modality): count for kind, found in parts.items() for modality, count in found.items()}
