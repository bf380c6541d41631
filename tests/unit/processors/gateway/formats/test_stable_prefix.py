"""What is the same for every row comes first in the bytes of a request, so that prompt caches hit."""

from typing import Any

import orjson
import pytest

from fakes.model_request import a_request
from processors.gateway.assembly import assembled
from processors.gateway.formats import FORMATS
from processors.model import ChatMessage, Tool
from processors.recipe import CompiledRecipe, compile_recipe
from schemas.catalogue import Format

CONFIGURATION = b"""
name: note
key: "{{ topic }}"
inputs: inputs.json
steps:
  - name: write
    system: system.j2
    parts:
      - {name: row, template: row.j2}
      - {name: rules, template: rules.j2, stable: true}
      - {name: examples, template: examples.j2, stable: true, trim: drop, priority: 1}
    output: page.json
page: {slug: "{{ topic }}", title: t, body: row.j2}
"""
FILES = {
    "recipe.yaml": CONFIGURATION,
    "inputs.json": b'{"type": "object", "properties": {"topic": {"type": "string"}}}',
    "page.json": b'{"type": "object"}',
    "system.j2": b"You write.",
    "rules.j2": b"Rules: be short.\n",
    "examples.j2": b"Example: a page on tea.\n",
    "row.j2": b"Write on {{ topic }}.\n",
}
TOOL = Tool(name="look", description="Look it up.", parameters={"type": "object"})
STABLE = "Rules: be short.\n\nExample: a page on tea."


def a_recipe(**files: bytes) -> CompiledRecipe:
    return compile_recipe({**FILES, **files})


async def body(spoken: Format, topic: str, **changes: Any) -> bytes:
    recipe = a_recipe()
    prompt = recipe.prompt(recipe.recipe.steps[0], {"topic": topic}, {}, [])
    messages = (
        ChatMessage(role="system", content=prompt.system or ""),
        ChatMessage(role="user", content=prompt.user, parts=prompt.parts),
    )
    request, _ = await assembled(a_request(messages=messages, tools=(TOOL,), **changes), 400_000)
    return FORMATS[spoken].build_request(request).body


@pytest.mark.parametrize("spoken", Format)
async def test_two_rows_of_a_recipe_begin_with_the_same_bytes(spoken: Format) -> None:
    first, second = [await body(spoken, topic) for topic in ("Paris", "Rome")]

    shared = first[: next(n for n, pair in enumerate(zip(first, second, strict=False)) if pair[0] != pair[1])]

    assert b"You write." in shared
    assert orjson.dumps(STABLE)[1:-1] in shared
    assert shared.endswith(b"Write on ")
    assert b"Paris" not in shared


async def test_the_mark_of_the_cache_is_at_the_end_of_the_last_stable_block() -> None:
    sent = orjson.loads(await body(Format.ANTHROPIC_MESSAGES, "Paris", cache_ttl="1h"))

    mark = {"cache_control": {"type": "ephemeral", "ttl": "1h"}}
    assert sent["messages"][0]["content"] == [
        {"type": "text", "text": STABLE, **mark},
        {"type": "text", "text": "\n\nWrite on Paris."},
    ]
    assert sent["system"] == [{"type": "text", "text": "You write."}]
    assert "cache_control" not in sent["tools"][0]


async def test_without_a_ttl_nothing_is_marked() -> None:
    assert b"cache_control" not in await body(Format.ANTHROPIC_MESSAGES, "Paris")


@pytest.mark.parametrize("spoken", [Format.OPENAI_CHAT, Format.OPENAI_RESPONSES])
async def test_a_key_of_the_cache_goes_out_where_there_is_one(spoken: Format) -> None:
    assert orjson.loads(await body(spoken, "Paris", prompt_cache_key="k"))["prompt_cache_key"] == "k"
    assert b"prompt_cache_key" not in await body(spoken, "Paris", cache_ttl="5m")
