"""Reading what requests of all formats have in common."""

import hashlib
from typing import Any

import orjson

from streams.embedded.provider.problems import invalid_request
from streams.embedded.provider.wire import Json, Message, ModelRequest, OfferedTool

MESSAGES_MAX = 2_048
MODEL_CHARS_MAX = 256


def json_object(body: bytes) -> Json:
    """Return the object that a request's body is.

    Raises:
        RequestRejectedError: It is not one.
    """
    try:
        content = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise invalid_request(f"The body is not valid JSON: {error}. Send a JSON object.") from error
    if not isinstance(content, dict):
        raise invalid_request(f"The body is a JSON {type(content).__name__}, expected an object.")
    return content


def model_name(model: Any) -> str:
    """Return the model's name.

    Raises:
        RequestRejectedError: It is not one.
    """
    if not isinstance(model, str) or not 0 < len(model) <= MODEL_CHARS_MAX:
        raise invalid_request(
            f"model must be a name of 1 to {MODEL_CHARS_MAX} characters. Add it.", param="model"
        )
    return model


def listed(content: Json, key: str) -> list[Any]:
    """Return the list of messages at `key`.

    Raises:
        RequestRejectedError: It is none, or empty, or too long.
    """
    found = content.get(key)
    if not isinstance(found, list) or not 0 < len(found) <= MESSAGES_MAX:
        raise invalid_request(f"{key} must be a list of 1 to {MESSAGES_MAX}.", param=key)
    return found


def joined_text(content: Any, param: str) -> str:
    """Return the text of a string or of the parts in a list; parts of other kinds have none.

    Raises:
        RequestRejectedError: It is neither.
    """
    if content is None:  # an assistant message may hold tool calls alone
        return ""
    if isinstance(content, str):
        return content
    if isinstance(content, list) and all(isinstance(part, dict) for part in content):
        return "\n".join(part["text"] for part in content if isinstance(part.get("text"), str))
    raise invalid_request(f"{param} must be a string or a list of parts.", param=param)


def tokens_max(content: Json, *names: str) -> int | None:
    """Return the bound on the output that stands in the first of these fields, if any.

    Raises:
        RequestRejectedError: It is not a whole number from 1.
    """
    for name in names:
        tokens = content.get(name)
        if tokens is None:
            continue
        if not isinstance(tokens, int) or isinstance(tokens, bool) or tokens < 1:
            raise invalid_request(f"{name} is {tokens!r}, expected a whole number from 1.", param=name)
        return tokens
    return None


def neutral_request(
    content: Json,
    *,
    model: str,
    messages: tuple[Message, ...],
    schema: Any,
    output_tokens_max: int | None,
    tools: tuple[OfferedTool, ...],
) -> ModelRequest:
    """Return the request; what is said of the schema, and how, is all that the answer depends on."""
    depends_on = [model, [[message.role, message.text] for message in messages], schema, content.get("seed")]
    depends_on += [tool.name for tool in tools]
    return ModelRequest(
        model=model,
        messages=messages,
        schema=orjson.dumps(schema) if isinstance(schema, dict) else None,
        output_tokens_max=output_tokens_max,
        # Not sorted: the order of a schema's properties is the order of the answer's.
        fingerprint=hashlib.blake2b(orjson.dumps(depends_on), digest_size=16).digest(),
        body_sha256=body_sha256(content),
        stream=bool(content.get("stream")),
        tools=tools,
    )


def body_sha256(content: Json) -> str:
    """Return the hash of the canonical body."""
    return hashlib.sha256(orjson.dumps(content, option=orjson.OPT_SORT_KEYS)).hexdigest()
