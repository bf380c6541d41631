"""OpenAI's responses: how a request is read and how answers, errors and headers are written.

Source: https://platform.openai.com/docs/api-reference/responses, and recorded exchanges.
"""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import orjson

from streams.embedded.provider.event_stream import named, pieces
from streams.embedded.provider.openai_chat import ROLES, OpenAIChat
from streams.embedded.provider.problems import invalid_request
from streams.embedded.provider.request_fields import (
    joined_text,
    json_object,
    listed,
    model_name,
    neutral_request,
    tokens_max,
)
from streams.embedded.provider.thoughts import SIGNATURE, refuse_temperature, require_signed
from streams.embedded.provider.tools import objects, offered, require_called
from streams.embedded.provider.wire import (
    Answer,
    FinishReason,
    Identity,
    Json,
    Message,
    ModelRequest,
    OfferedTool,
    Role,
)

THOUGHT: Json = {"type": "reasoning", "id": "rs_simulated", "summary": [], "encrypted_content": SIGNATURE}


class OpenAIResponses(OpenAIChat):
    """The format of `POST /v1/responses`; key, errors and headers are those of chat."""

    name = "openai_responses"
    path = "/v1/responses"

    def read(self, body: bytes, model: str | None = None) -> ModelRequest:
        """Read a request body; earlier responses are not kept, so none can be gone on with."""
        del model
        content = json_object(body)
        if content.get("previous_response_id") is not None or content.get("background"):
            raise invalid_request("Earlier and background responses are not simulated. Send all input.")
        refuse_temperature(content)
        request = neutral_request(
            content,
            model=model_name(content.get("model")),
            messages=_messages(content),
            schema=_schema(content),
            output_tokens_max=tokens_max(content, "max_output_tokens"),
            tools=_tools(content),
        )
        return replace(request, thinks="reasoning.encrypted_content" in (content.get("include") or ()))

    def answer(self, answer: Answer, request: ModelRequest, identity: Identity) -> bytes:
        """Write a response, or the events of one."""
        cut = answer.finish_reason is FinishReason.LENGTH
        response: Json = {
            "id": f"resp_{identity.request_id}",
            "object": "response",
            "created_at": identity.created_s,
            "status": "incomplete" if cut else "completed",
            "incomplete_details": {"reason": "max_output_tokens"} if cut else None,
            "error": None,
            "model": request.model,
            "output": [*([THOUGHT] if request.thinks else []), _item(answer)],
            "usage": _usage(request.input_tokens, answer.output_tokens) if answer.with_usage else None,
        }
        return named(_events(response, answer)) if request.stream else orjson.dumps(response)


def _messages(content: Json) -> tuple[Message, ...]:
    said = joined_text(content.get("instructions"), "instructions")
    instructions = (Message(role=Role.INSTRUCTIONS, text=said),) if said else ()
    if isinstance(content.get("input"), str):
        return (*instructions, Message(role=Role.USER, text=content["input"]))
    found = enumerate(listed(content, "input"))
    return (*instructions, *(_message(item, f"input[{index}]") for index, item in found))


def _message(item: Any, param: str) -> Message:
    if not isinstance(item, dict):
        raise invalid_request(f"{param} must be an object.", param=param)
    if item.get("type", "message") != "message":  # a tool call or its result
        return Message(role=Role.TOOL, text=joined_text(item.get("output"), f"{param}.output"))
    role = ROLES.get(item.get("role", ""))
    if role is None:
        raise invalid_request(f"{param}.role must be one of {', '.join(ROLES)}.", param=f"{param}.role")
    return Message(role=role, text=joined_text(item.get("content"), f"{param}.content"))


def _schema(content: Json) -> Any:
    text = content.get("text")
    form = text.get("format") if isinstance(text, dict) else None
    kind = form.get("type") if isinstance(form, dict) else form
    if kind in (None, "text"):
        return None
    if kind == "json_object":
        return {"type": "object"}
    schema = form.get("schema") if kind == "json_schema" and isinstance(form, dict) else None
    if not isinstance(schema, dict):
        raise invalid_request(
            "text.format must be of type text, json_object, or json_schema with a schema.", param="text"
        )
    return schema


def _tools(content: Json) -> tuple[OfferedTool, ...]:
    items = tuple(objects(content.get("input")))
    require_signed(item.get("encrypted_content") for item in items if item.get("type") == "reasoning")
    require_called(
        (item.get("call_id") for item in items if item.get("type") == "function_call_output"),
        (item.get("call_id") for item in items if item.get("type") == "function_call"),
    )
    return (
        () if content.get("tool_choice") == "none" else offered(objects(content.get("tools")), "parameters")
    )


def _item(answer: Answer) -> Json:
    call = answer.tool_call
    if call is None:
        return {"type": "message", "role": "assistant", "content": [_part(answer)]}
    named = {"call_id": call.id, "name": call.name, "arguments": call.arguments}
    return {"type": "function_call", "id": f"fc_{call.id}", "status": "completed", **named}


def _part(answer: Answer) -> Json:
    if answer.refusal is not None:
        return {"type": "refusal", "refusal": answer.refusal}
    return {"type": "output_text", "text": answer.content, "annotations": []}


def _usage(input_tokens: int, output_tokens: int) -> Json:
    return {
        "input_tokens": input_tokens,
        "input_tokens_details": {"cached_tokens": 0},
        "output_tokens": output_tokens,
        "output_tokens_details": {"reasoning_tokens": 0},
        "total_tokens": input_tokens + output_tokens,
    }


def _events(response: Json, answer: Answer) -> Iterator[Json]:
    begun = {**response, "status": "in_progress", "output": [], "usage": None}
    yield {"type": "response.created", "response": begun}
    kind = "response.refusal.delta" if answer.refusal else "response.output_text.delta"
    for piece in pieces(answer.refusal or answer.content or ""):
        yield {"type": kind, "output_index": 0, "content_index": 0, "delta": piece}
    for piece in pieces(answer.tool_call.arguments if answer.tool_call else ""):
        yield {"type": "response.function_call_arguments.delta", "output_index": 0, "delta": piece}
    yield {"type": f"response.{response['status']}", "response": response}
