"""Answers: deterministic, and spoilt as asked."""

from typing import Any

import jsonschema_rs
import orjson
import pytest

from streams.embedded.provider.answers import Author
from streams.embedded.provider.config import Fault, ProviderConfig
from streams.embedded.provider.openai_chat import OpenAIChat
from streams.embedded.provider.wire import FinishReason, ModelRequest, RequestRejectedError

SCHEMA = {
    "type": "object",
    "properties": {"title": {"type": "string"}, "body": {"type": "string", "minLength": 500}},
    "required": ["title", "body"],
}


def request(*, schema: dict[str, Any] | None = SCHEMA, **fields: Any) -> ModelRequest:
    body: dict[str, Any] = {
        "model": "m",
        "messages": [{"role": "user", "content": "FACTS\n- city: Vienna\n- rooms: 45\nEND FACTS"}],
        **fields,
    }
    if schema is not None:
        form = {"type": "json_schema", "json_schema": {"name": "page", "strict": True, "schema": schema}}
        body["response_format"] = form
    return OpenAIChat().read(orjson.dumps(body))


@pytest.fixture
def author(config: ProviderConfig) -> Author:
    return Author(config)


def test_the_same_request_gets_the_same_text(author: Author, config: ProviderConfig) -> None:
    content = author.answer(request()).content

    assert author.answer(request()).content == content
    assert Author(config).answer(request()).content == content
    assert author.answer(request(seed=5)).content != content
    assert Author(config.model_copy(update={"seed": 99})).answer(request()).content != content


def test_without_schema_the_answer_is_labelled_prose(author: Author) -> None:
    content = author.answer(request(schema=None)).content

    assert content is not None
    assert content.endswith("not by a model.*")
    assert "Vienna" in content


def test_an_answer_is_cut_at_the_bound_of_the_caller(author: Author) -> None:
    answer = author.answer(request(max_completion_tokens=10))

    assert answer.finish_reason is FinishReason.LENGTH
    assert answer.output_tokens == 10


def test_truncated_content_is_broken_json(author: Author) -> None:
    answer = author.answer(request(), Fault.TRUNCATED_CONTENT)

    assert answer.finish_reason is FinishReason.LENGTH
    with pytest.raises(orjson.JSONDecodeError):
        orjson.loads(answer.content or "")


@pytest.mark.parametrize("schema", [SCHEMA, {"type": "object", "properties": {}}, {"type": "integer"}])
def test_a_wrong_schema_answer_is_json_that_does_not_fit(author: Author, schema: dict[str, Any]) -> None:
    document = orjson.loads(author.answer(request(schema=schema), Fault.WRONG_SCHEMA).content or "")

    assert not jsonschema_rs.is_valid(schema, document)


def test_nonsense_fits_the_schema_and_no_fact(author: Author) -> None:
    document = orjson.loads(author.answer(request(), Fault.NONSENSE).content or "")

    jsonschema_rs.validate(SCHEMA, document)
    assert "Vienna" not in document["body"]


def test_a_refusal_has_no_content(author: Author) -> None:
    answer = author.answer(request(), Fault.REFUSAL)

    assert answer.content is None
    assert answer.refusal


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"n": 2}, "n"),
        ({"tool_choice": "required"}, "tool_choice"),
        ({"model": ""}, "model"),
        ({"messages": []}, "messages"),
        ({"messages": [{"role": "robot", "content": "x"}]}, "messages[0].role"),
        ({"messages": [{"role": "user", "content": 3}]}, "messages[0].content"),
        ({"max_tokens": 0}, "max_tokens"),
        ({"response_format": {"type": "xml"}}, "response_format"),
    ],
)
def test_what_is_not_simulated_is_refused(fields: dict[str, Any], param: str) -> None:
    with pytest.raises(RequestRejectedError) as caught:
        request(schema=None, **fields)

    assert caught.value.problem.param == param


def test_json_mode_and_text_parts_are_understood(author: Author) -> None:
    parts = [{"type": "text", "text": "- city: Vienna"}, {"type": "image_url", "image_url": {"url": "x"}}]
    asked = request(
        schema=None,
        messages=[{"role": "developer", "content": None}, {"role": "user", "content": parts}],
        response_format={"type": "json_object"},
    )

    assert orjson.loads(author.answer(asked).content or "") == {"city": "Vienna"}


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b"null"])
def test_a_body_that_is_no_object_is_refused(body: bytes) -> None:
    with pytest.raises(RequestRejectedError):
        OpenAIChat().read(body)
