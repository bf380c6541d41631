"""Text of others on a terminal: nothing in it may steer the terminal."""

KEPT = "\n\t"
REPLACEMENT = "\N{REPLACEMENT CHARACTER}"


def printable(text: str) -> str:
    """Return the text with control and other unprintable characters replaced by U+FFFD."""
    if text.isprintable():
        return text
    return "".join(char if char.isprintable() or char in KEPT else REPLACEMENT for char in text)


def one_line(text: str) -> str:
    """Return the text printable and with every run of white space as one space."""
    return printable(" ".join(text.split()))
