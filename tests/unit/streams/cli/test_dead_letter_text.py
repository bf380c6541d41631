"""What is shown is harmless to the terminal; what is exported is byte for byte the record."""

import base64
from datetime import UTC, datetime
from typing import TypeAlias

import orjson
from hypothesis import given
from hypothesis import strategies as st

from streams.cli.dead_letter_text import VALUE_CHARS_SHOWN, exported, json_line, letter_text, value_text
from streams.cli.printable import one_line, printable
from streams.dead_letters import DeadLetter, Position, parse

AT = datetime(2026, 1, 2, tzinfo=UTC)
Headers: TypeAlias = list[tuple[str, bytes | None]]
BYTES = st.none() | st.binary(max_size=60)


def a_letter(key: bytes | None, value: bytes | None, headers: Headers) -> DeadLetter:
    return parse(Position("pressline.generate.dead.v1", 0, 5), key, value, headers, AT)


def from_base64(text: str | None) -> bytes | None:
    return None if text is None else base64.b64decode(text)


@given(BYTES, BYTES, st.lists(st.tuples(st.text(max_size=5), BYTES), max_size=4))
def test_an_export_gives_back_every_byte(key: bytes | None, value: bytes | None, headers: Headers) -> None:
    line = orjson.loads(json_line(exported(a_letter(key, value, headers))))

    assert from_base64(line["key_base64"]) == key
    assert from_base64(line["value_base64"]) == value
    assert [(name, from_base64(text)) for name, text in line["headers_base64"]] == headers


@given(BYTES, BYTES, st.lists(st.tuples(st.text(max_size=5), BYTES), max_size=4))
def test_no_letter_can_steer_the_terminal(key: bytes | None, value: bytes | None, headers: Headers) -> None:
    text = letter_text(a_letter(key, value, headers))

    assert all(char.isprintable() or char in "\n\t" for char in text)


def test_json_is_indented_and_cut() -> None:
    assert value_text(b'{"a":1}') == '{\n  "a": 1\n}'
    assert value_text(orjson.dumps("x" * 2 * VALUE_CHARS_SHOWN)).endswith("export` has all of it")


def test_bytes_are_dumped() -> None:
    assert value_text(b"\x00ab").startswith("000000  00 61 62 ")
    assert value_text(b"\x00ab").endswith(" .ab")
    assert value_text(None) == ""


def test_escapes_and_line_breaks_do_not_reach_a_table() -> None:
    assert printable("\x1b[31mred") == "\N{REPLACEMENT CHARACTER}[31mred"
    assert one_line("a\n\tb") == "a b"
