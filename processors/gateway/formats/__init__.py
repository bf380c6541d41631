"""The wire formats, one file each, all of one shape: `WireFormat`."""

from processors.gateway.formats.anthropic_messages import AnthropicMessages
from processors.gateway.formats.deepseek_chat import DeepSeekChat
from processors.gateway.formats.gemini import Gemini
from processors.gateway.formats.minimax_chat import MiniMaxChat
from processors.gateway.formats.openai_chat import OpenAIChat
from processors.gateway.formats.openai_responses import OpenAIResponses
from processors.gateway.wire import WireFormat
from schemas.catalogue import Format

FORMATS: dict[Format, WireFormat] = {
    Format.OPENAI_CHAT: OpenAIChat(),
    Format.OPENAI_RESPONSES: OpenAIResponses(),
    Format.ANTHROPIC_MESSAGES: AnthropicMessages(),
    Format.GEMINI: Gemini(),
    Format.DEEPSEEK_CHAT: DeepSeekChat(),
    Format.MINIMAX_CHAT: MiniMaxChat(),
}
