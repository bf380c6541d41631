from dataclasses import fields
from decimal import Decimal
from typing import Any

import pytest

from builders import a_task
from fakes.model_request import a_request
from processors.gateway.cache_key import ASKERS, cache_key
from processors.model import CacheUse, ChatMessage, Cheaper, ModelRequest, Tool, ToolCall
from schemas.catalogue import ProviderRules

PROVIDER = ProviderRules(name="p", base_url="http://p.test/v1")
TOOL = Tool(name="look", description="looks", parameters={"type": "object"})
CALL = ToolCall(id="1", name="look", arguments="{}")
SHAPES: dict[str, Any] = {
    "recipe": "flight-route@ffffffffffff",
    "step": "outline",
    "model": "gpt-5",
    "messages": (ChatMessage(role="user", content="Write about Rome."),),
    "schema_name": "outline",
    "schema": None,
    "output_tokens_max": 999,
    "temperature": 0.0,
    "seed": 7,
    "reasoning_effort": "low",
    "tools": (TOOL,),
}
ASKS: dict[str, Any] = {
    "task": a_task(task_id="another", team="other", batch_id="other"),
    "revision": "s" * 20,
    "budget_usd": Decimal(1),
    "cheaper": Cheaper(model="gpt-5-nano", output_tokens_max=1),
    "cache_ttl": "1h",
    "cache": CacheUse(ttl_s=1, stale_s=0, accepts=bool),
    "prompt_cache_key": "k",
    "reasoning_in_tokens": True,
    "hedge_after_s": 1.0,
    "abandoned": lambda: True,
    "tell": print,
}


def digest(request: ModelRequest, provider: ProviderRules = PROVIDER) -> str:
    return cache_key(request, provider).digest


def test_every_field_of_a_request_either_shapes_the_answer_or_does_not() -> None:
    assert set(SHAPES) | set(ASKS) == {field.name for field in fields(ModelRequest)}
    assert set(ASKS) == set(ASKERS)


@pytest.mark.parametrize("name", SHAPES)
def test_what_shapes_the_answer_is_part_of_the_key(name: str) -> None:
    assert digest(a_request(**{name: SHAPES[name]})) != digest(a_request())


@pytest.mark.parametrize("name", ASKS)
def test_who_asks_is_no_part_of_the_key(name: str) -> None:
    assert digest(a_request(**{name: ASKS[name]})) == digest(a_request())


def test_tenants_share_nothing() -> None:
    assert digest(a_request(task=a_task(tenant="other"))) != digest(a_request())


def test_a_simulated_answer_never_passes_for_a_real_one() -> None:
    simulated = PROVIDER.model_copy(update={"simulated": True})

    assert digest(a_request(), simulated) != digest(a_request())
    assert digest(a_request(), PROVIDER.model_copy(update={"name": "q"})) != digest(a_request())


@pytest.mark.parametrize(
    "messages",
    [
        (ChatMessage(role="system", content="Write about Paris."),),
        (ChatMessage(role="user", content="Write about "), ChatMessage(role="user", content="Paris.")),
        (ChatMessage(role="user", content="Write about Paris.", tool_call=CALL),),
        (ChatMessage(role="user", content="Write about Paris.", tool_calls=(CALL,)),),
    ],
)
def test_the_same_words_said_otherwise_are_another_question(messages: tuple[ChatMessage, ...]) -> None:
    assert digest(a_request(messages=messages)) != digest(a_request())


def test_a_schema_is_the_same_in_whatever_order_its_keys_stand() -> None:
    schema = {"type": "object", "required": []}

    assert digest(a_request(schema=schema)) == digest(a_request(schema=dict(reversed(schema.items()))))
