"""Text to the characters of an address or an identifier."""

import hashlib
import re
import unicodedata
from collections.abc import Sequence

SLUG_CHARS_MAX = 100
ROW_KEY_CHARS_MAX = 100
KEY_SLUG_CHARS_MAX = 60
"""Of a slug that is made of a key: a recipe's name stands before it."""
DIGEST_CHARS = 8
KEPT = re.compile(r"[a-zA-Z0-9\s.,;:'\u2019\"()/&_\u2013-]*")
"""Letters, digits and what stands between words."""
# Latin letters that Unicode does not decompose; dropping them would turn Łódź into odz.
LETTERS = str.maketrans(
    {"ß": "ss", "æ": "ae", "Æ": "AE", "œ": "oe", "Œ": "OE", "ø": "o", "Ø": "O", "ł": "l", "Ł": "L", "đ": "d"}
    | {
        "Đ": "D",
        "ð": "d",
        "Ð": "D",
        "þ": "th",
        "Þ": "Th",
        "ħ": "h",
        "Ħ": "H",
        "\u0131": "i",
        "ŧ": "t",
        "Ŧ": "T",
    }
)


def slugify(text: str) -> str:
    """Return `text` as lower-case ASCII words joined by hyphens, at most SLUG_CHARS_MAX characters.

    A longer one is cut at a hyphen. Text without any letter or digit of ASCII gives the empty string.
    """
    slug = re.sub(r"[^a-z0-9]+", "-", _ascii(text).lower()).strip("-")
    if len(slug) <= SLUG_CHARS_MAX:
        return slug
    head, hyphen, _ = slug[: SLUG_CHARS_MAX + 1].rpartition("-")
    return head if hyphen else slug[:SLUG_CHARS_MAX]


def key_slug(value: object) -> str:
    """Return a key as a slug of at most KEY_SLUG_CHARS_MAX characters: filter `slug`.

    Keys that lose a letter or a symbol in it, as 東京 and C++ do, or are longer, are told apart by the first
    DIGEST_CHARS hex digits of their sha256 behind it. Accents, case and what joins words do not count.

    Args:
        value: the key, or a list of its parts.
    """
    values = value if isinstance(value, Sequence) and not isinstance(value, str) else (value,)
    key = " ".join(" ".join(str(part).casefold().split()) for part in values)
    slug = slugify(key)
    if slug and len(slug) <= KEY_SLUG_CHARS_MAX and KEPT.fullmatch(_unaccented(key)):
        return slug
    digest = hashlib.sha256(key.encode()).hexdigest()[:DIGEST_CHARS]
    head = slug[: KEY_SLUG_CHARS_MAX - DIGEST_CHARS - 1].rstrip("-")
    return f"{head}-{digest}" if head else digest


def row_key(text: str) -> str:
    """Return `text` as an identifier of at most ROW_KEY_CHARS_MAX characters; different texts stay different.

    Letters become ASCII, every run of other characters than ``. _ : @ / -`` becomes a hyphen. When that, or
    the length, lost anything, the first DIGEST_CHARS hex digits of the text's sha256 are appended.

    Raises:
        ValueError: the text is blank.
    """
    text = text.strip()
    if not text:
        raise ValueError("the key is blank")
    clean = re.sub(r"[^A-Za-z0-9._:@/-]+", "-", _ascii(text)).lstrip("._:@/-")
    if clean == text and len(clean) <= ROW_KEY_CHARS_MAX:
        return clean
    digest = hashlib.sha256(text.encode()).hexdigest()[:DIGEST_CHARS]
    head = clean[: ROW_KEY_CHARS_MAX - DIGEST_CHARS - 1].rstrip("-")
    return f"{head}-{digest}" if head else digest


def _ascii(text: str) -> str:
    """Letters lose their marks (NFKD); what still is not ASCII becomes a space."""
    return "".join(char if char.isascii() else " " for char in _unaccented(text))


def _unaccented(text: str) -> str:
    decomposed = unicodedata.normalize("NFKD", text.translate(LETTERS))
    return "".join(char for char in decomposed if not unicodedata.combining(char))
