"""Text to the characters of an address or an identifier."""

import hashlib
import re
import unicodedata

SLUG_CHARS_MAX = 100
ROW_KEY_CHARS_MAX = 100
DIGEST_CHARS = 8
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
    decomposed = unicodedata.normalize("NFKD", text.translate(LETTERS))
    return "".join(char if char.isascii() else " " for char in decomposed if not unicodedata.combining(char))
