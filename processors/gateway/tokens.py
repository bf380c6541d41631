"""Tokens counted offline: an estimate for limits, and a bound for money."""

CHARS_PER_TOKEN = 4
"""English text. Source: https://platform.openai.com/tokenizer"""


def estimate(text: str) -> int:
    """Return about how many tokens `text` has.

    ASCII counts four characters a token; any other character counts one, as in scripts without spaces.
    """
    chars = len(text)
    ascii_chars = chars if text.isascii() else len(text.encode("ascii", "ignore"))
    return -(-ascii_chars // CHARS_PER_TOKEN) + chars - ascii_chars


def input_estimate(body: bytes) -> int:
    """Return about how many input tokens a request has, its answer's schema included.

    Args:
        body: the request as it goes out, JSON in UTF-8. Its field names stand for the framing of a chat.
    """
    return estimate(body.decode())


def input_max(body: bytes, context_tokens: int) -> int:
    """Return a number of input tokens that a request surely does not exceed.

    Byte-level tokenizers make at most one token of each byte, and a window holds `context_tokens`.
    """
    return min(context_tokens, len(body))
