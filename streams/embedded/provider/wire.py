"""What all wire formats have in common: a neutral request, a neutral answer, and the shape of a format.

A further format is a sibling of `openai_chat.py` that implements `WireFormat`; the server does not know which
it serves.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Protocol

from streams.embedded.provider.limits import Admission

BYTES_PER_TOKEN = 4
SIMULATED_HEADER = "x-pressline-simulated"

Json = dict[str, Any]


class Role(StrEnum):
    """Who said a message."""

    INSTRUCTIONS = "instructions"
    USER = "user"
    ASSISTANT = "assistant"
    TOOL = "tool"


class FinishReason(StrEnum):
    """Why an answer ends."""

    STOP = "stop"
    LENGTH = "length"
    TOOL_CALLS = "tool_calls"


class VectorForm(StrEnum):
    """How the numbers of a vector are written."""

    NUMBERS = "numbers"
    BASE64 = "base64"


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """One message of a conversation, its text parts joined."""

    role: Role
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class OfferedTool:
    """A tool that a request offers; `parameters` is the JSON Schema of its arguments, as JSON bytes."""

    name: str
    parameters: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class ToolCall:
    """A tool that an answer wants called; `arguments` is a JSON object as text."""

    id: str
    name: str
    arguments: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelRequest:
    """A request, whatever its format.

    Args:
        model: As the caller named it.
        messages: The conversation, oldest first.
        schema: What the content must fit, as JSON bytes; none = free text.
        output_tokens_max: The caller's bound on the answer, in tokens.
        fingerprint: Of all that the text of the answer depends on.
        body_sha256: Of the canonical body (JSON with sorted keys), in hexadecimal.
        stream: Whether the answer is to come as events.
        tools: What the answer may ask for instead of saying something.
        thinks: Whether thoughts are told with the answer.
        vectors: How the vectors of the messages are written; none = the answer is a text.
    """

    model: str
    messages: tuple[Message, ...]
    schema: bytes | None
    output_tokens_max: int | None
    fingerprint: bytes
    body_sha256: str
    stream: bool = False
    tools: tuple[OfferedTool, ...] = ()
    thinks: bool = False
    vectors: VectorForm | None = None

    @property
    def wants_tool_call(self) -> bool:
        """Whether a tool is called: one is offered, and the last word is the user's, not a tool's result."""
        return bool(self.tools) and self.messages[-1].role is Role.USER

    @property
    def input_tokens(self) -> int:
        """Estimated tokens of the messages; see `estimate_tokens`."""
        return max(1, sum(estimate_tokens(message.text) for message in self.messages))


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """An answer, whatever its format. Exactly one of `content`, `refusal` and `tool_call` is set."""

    content: str | None = None
    refusal: str | None = None
    tool_call: ToolCall | None = None
    finish_reason: FinishReason = FinishReason.STOP
    with_usage: bool = True

    @property
    def output_tokens(self) -> int:
        """Estimated tokens of the text; see `estimate_tokens`."""
        called = f"{self.tool_call.name}{self.tool_call.arguments}" if self.tool_call else ""
        return estimate_tokens(self.content or self.refusal or called)


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """Why a request is not answered.

    Args:
        status: HTTP status code.
        kind: The provider's error type, for example `invalid_request_error`.
        code: The provider's error code, if it has one.
        message: What was seen, what was expected, what to do.
        param: The field of the request that is at fault, if one is.
    """

    status: int
    kind: str
    message: str
    code: str | None = None
    param: str | None = None


class RequestRejectedError(Exception):
    """A request that this server does not answer; `problem` says why."""

    def __init__(self, problem: Problem) -> None:
        super().__init__(problem.message)
        self.problem = problem


@dataclass(frozen=True, slots=True, kw_only=True)
class Identity:
    """What makes one answer distinct: its request id and the time of its making in epoch seconds."""

    request_id: str
    created_s: int


class WireFormat(Protocol):
    """How one provider's API reads and writes."""

    @property
    def name(self) -> str:
        """Name in the log."""

    @property
    def path(self) -> str:
        """Path that requests are posted to; `{model}` in it stands for the model."""

    def api_key_of(self, headers: Mapping[str, str]) -> str | None:
        """Return the API key that a request carries."""

    def read(self, body: bytes, model: str | None = None) -> ModelRequest:
        """Read a request body.

        Args:
            body: As it came.
            model: The model that the address names, if it does.

        Raises:
            RequestRejectedError: It is not well formed, or asks for what is not simulated.
        """

    def answer(self, answer: Answer, request: ModelRequest, identity: Identity) -> bytes:
        """Write an answer as a response body, as events if the request asks for them."""

    def problem(self, problem: Problem) -> bytes:
        """Write a problem as a response body."""

    def headers(self, admission: Admission, identity: Identity) -> dict[str, str]:
        """Return the headers of every response: identity and state of the limits."""


def estimate_tokens(text: str) -> int:
    """Estimate tokens: one per started four bytes of UTF-8, near what tokenizers give for English."""
    return -(-len(text.encode()) // BYTES_PER_TOKEN)


def cut_to_tokens(text: str, tokens: int) -> str:
    """Return the longest start of `text` whose estimate is at most `tokens`."""
    return text.encode()[: tokens * BYTES_PER_TOKEN].decode("utf-8", "ignore")
