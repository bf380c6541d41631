"""A question to a model and its answer, in no provider's format."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum
from typing import Literal

from pydantic import JsonValue

from processors.prompt import PromptPart
from schemas.task import Task
from schemas.usage import UsageRecorded

ReasoningEffort = Literal["minimal", "low", "medium", "high"]
CacheTtl = Literal["5m", "1h"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Tool:
    """What a model may ask to be done.

    Attributes:
        name: letters, digits, `_` and `-`, at most 64.
        description: what it does, for the model.
        parameters: JSON Schema of its arguments, of type object.
    """

    name: str
    description: str
    parameters: Mapping[str, JsonValue]


@dataclass(frozen=True, slots=True, kw_only=True)
class ToolCall:
    """What a model asks to be done.

    Attributes:
        id: the provider's id of the call; the result names it.
        name: which tool.
        arguments: JSON of them, as yet unchecked.
        signature: opaque text that the provider wants back with the call, such as the thoughts that led to
            it, or None.
        asked_by: the model that asks, by its name in the catalogue; the gateway sets it.
    """

    id: str
    name: str
    arguments: str
    signature: str | None = None
    asked_by: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ChatMessage:
    """One message of a prompt.

    Attributes:
        role: who says it; `tool` is the result of one tool call.
        content: its text.
        parts: what a user's message is made of, whole; the gateway trims them into `content` for the model
            that is asked. At most one message of a request has any.
        stable_chars: how many characters of `content` are the same for every row, from its beginning.
        tool_calls: what an assistant's message asked for.
        tool_call: the call that a tool's message is the result of.
    """

    role: Literal["system", "user", "assistant", "tool"]
    content: str
    parts: tuple[PromptPart, ...] = ()
    stable_chars: int = 0
    tool_calls: tuple[ToolCall, ...] = ()
    tool_call: ToolCall | None = None


def _never() -> bool:
    return False


class CallPhase(StrEnum):
    """What a question to a model waits for."""

    QUOTA = "quota"
    CALL = "call"


@dataclass(frozen=True, slots=True)
class CallState:
    """What one question waits for, and whose answer it wants."""

    phase: CallPhase
    provider: str
    model: str


def _unheard(_state: CallState | None) -> None:
    pass


@dataclass(frozen=True, slots=True, kw_only=True)
class Cheaper:
    """What of a question may change when a soft budget is passed.

    Attributes:
        model: model name in the catalogue.
        output_tokens_max: most tokens that the answer may have.
    """

    model: str
    output_tokens_max: int


@dataclass(frozen=True, slots=True, kw_only=True)
class CacheUse:
    """How a question may be answered by the answer cache.

    Attributes:
        ttl_s: seconds that an answer is fresh.
        stale_s: seconds after that in which it may stand in for a call that fails or is too dear.
        accepts: whether an answer's text is valid, so that others may be given it.
    """

    ttl_s: int
    stale_s: int
    accepts: Callable[[str], bool]


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelRequest:
    """One step's question to a model.

    Attributes:
        task: the task that pays.
        recipe: `name@version`.
        revision: identity of the work.
        step: path of the step in the run, such as `write` or `write/repair-1`.
        model: model name in the catalogue.
        messages: the prompt.
        schema_name: name of the answer's schema.
        schema: JSON Schema of the answer, or None for free text.
        output_tokens_max: most tokens that the answer may have.
        temperature: sampling temperature, or None for the model's own.
        seed: for providers that sample by one; the same answer is likely, not sure. None: none is sent.
        reasoning_effort: how much the model may think, or None for the model's own.
        reasoning_in_tokens: whether the effort goes out as a number of tokens; the gateway sets it.
        cache_ttl: how long the provider shall keep tools, system prompt and stable parts in its cache; None:
            as it likes.
        prompt_cache_key: groups requests that begin alike, for providers that take such a key; the gateway
            sets it.
        tools: what the model may ask to be done.
        budget_usd: most that this call may cost, or None.
        cheaper: how the call is made where a soft budget is passed; None: as it is.
        hedge_after_s: seconds after which a live task's question is asked a second time; None: never.
        cache: how the answer cache may answer; None: not at all.
        abandoned: asked until the call's turn has come: whether nothing more is to be begun for its record.
        tell: told what the question waits for, and None when it waits no more.
    """

    task: Task
    recipe: str
    revision: str
    step: str
    model: str
    messages: tuple[ChatMessage, ...]
    schema_name: str
    schema: Mapping[str, JsonValue] | None
    output_tokens_max: int
    temperature: float | None = None
    seed: int | None = None
    reasoning_effort: ReasoningEffort | None = None
    reasoning_in_tokens: bool = False
    cache_ttl: CacheTtl | None = None
    prompt_cache_key: str | None = None
    tools: tuple[Tool, ...] = ()
    budget_usd: Decimal | None = None
    cheaper: Cheaper | None = None
    hedge_after_s: float | None = None
    cache: CacheUse | None = None
    abandoned: Callable[[], bool] = _never
    tell: Callable[[CallState | None], None] = _unheard

    @property
    def degradable(self) -> bool:
        """Whether something else than the very call may answer where a soft budget is passed."""
        return self.cheaper is not None or (self.cache is not None and self.cache.stale_s > 0)

    def signature_of(self, call: ToolCall) -> str | None:
        """Return what goes back with the call: to another model than the one that asked, nothing."""
        return call.signature if call.asked_by == self.model else None


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelAnswer:
    """What a model said, and what it took.

    Attributes:
        text: the answer's text, as yet unchecked.
        finish_reason: `stop` or `length`.
        recorded: the call as the usage topic carries it.
        tool_calls: what the model asks to be done, when the request offered tools.
        response_model: model that answered, as the provider names it, or None.
    """

    text: str
    finish_reason: Literal["stop", "length"]
    recorded: UsageRecorded
    tool_calls: tuple[ToolCall, ...] = ()
    response_model: str | None = None
