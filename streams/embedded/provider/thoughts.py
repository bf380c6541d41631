"""Models that reason: what they refuse, by the names of the real ones, and the thoughts that they sign."""

import re
from collections.abc import Iterable
from typing import Any

from streams.embedded.provider.problems import invalid_request
from streams.embedded.provider.wire import Json

SIGNATURE = "c2ltdWxhdGVk"
"""What thoughts are signed with: opaque to callers, who have to send it back with the call."""
TEMPERATURES = (None, 1)
"""All that a model that thinks takes."""

OPENAI_REASONING = re.compile(r"gpt-5|o\d")
"""Source: https://community.openai.com/t/gpt-5-models-temperature/1337957"""
CLAUDE_ADAPTIVE_ONLY = re.compile(r"claude-(opus-4-[78]|[a-z]+-5)")
CLAUDE_BUDGET_ONLY = re.compile(r"claude-[a-z]+-4-[0-5]")
"""Source of both: https://platform.claude.com/docs/en/build-with-claude/adaptive-thinking"""
CLAUDE_BUDGET_MIN = 1_024
DEEPSEEK = re.compile("deepseek-")
"""Source: https://api-docs.deepseek.com/guides/thinking_mode"""


def refuse_temperature(content: Json) -> None:
    """Check a request to OpenAI's models that reason.

    Raises:
        RequestRejectedError: It has another temperature than 1.
    """
    temperature = content.get("temperature")
    if OPENAI_REASONING.match(str(content.get("model"))) and temperature not in TEMPERATURES:
        raise invalid_request(
            f"Unsupported value: 'temperature' does not support {temperature} with this model. Only the"
            " default (1) value is supported.",
            param="temperature",
            code="unsupported_value",
        )


def claude_thinks(content: Json) -> bool:
    """Return whether a request to Claude is answered with thoughts.

    Raises:
        RequestRejectedError: Its model, or any that thinks, refuses it.
    """
    model, thinking = str(content.get("model")), content.get("thinking")
    kind = thinking.get("type") if isinstance(thinking, dict) else None
    if kind == "enabled":
        _require_budget(model, thinking, content)
    if kind == "adaptive" and CLAUDE_BUDGET_ONLY.match(model):
        raise invalid_request("adaptive thinking is not supported on this model")
    thinks = kind in {"enabled", "adaptive"}
    if (thinks or CLAUDE_ADAPTIVE_ONLY.match(model)) and content.get("temperature") not in TEMPERATURES:
        raise invalid_request("`temperature` may only be set to 1 when thinking is enabled.")
    return thinks


def _require_budget(model: str, thinking: Any, content: Json) -> None:
    if CLAUDE_ADAPTIVE_ONLY.match(model):
        raise invalid_request(
            '"thinking.type.enabled" is not supported for this model. Use "thinking.type.adaptive" and'
            ' "output_config.effort" to control thinking behavior.'
        )
    budget = thinking.get("budget_tokens")
    if not isinstance(budget, int) or not CLAUDE_BUDGET_MIN <= budget < content["max_tokens"]:
        raise invalid_request(
            f"thinking.budget_tokens is {budget!r}, expected from {CLAUDE_BUDGET_MIN} to below max_tokens."
        )


def require_signed(signatures: Iterable[object]) -> None:
    """Check that thoughts come back as they were told.

    Raises:
        RequestRejectedError: One has another signature.
    """
    if any(signature != SIGNATURE for signature in signatures):
        raise invalid_request("Invalid signature of a thought. Send thoughts back as they came.")
