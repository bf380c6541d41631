"""Text as PostgreSQL can hold it."""

REPLACEMENT = "\N{REPLACEMENT CHARACTER}"


def storable(text: str) -> str:
    """Return the text with NUL and lone surrogates replaced by U+FFFD, which `text` columns refuse.

    JSON allows neither unescaped, so an answer that held one is invalid before and after.
    Source: https://www.postgresql.org/docs/current/datatype-character.html
    """
    if "\0" in text:
        text = text.replace("\0", REPLACEMENT)
    # Most texts have none, and encoding is the quickest way to know.
    try:
        text.encode()
    except UnicodeEncodeError:
        return "".join(REPLACEMENT if "\ud800" <= char <= "\udfff" else char for char in text)
    return text
