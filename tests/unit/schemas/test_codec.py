"""What is encoded is decoded; what a sender should not send is refused, and never quoted."""

import json
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from pydantic import BaseModel

from builders import (
    NOW,
    a_classified,
    a_finished,
    a_generated,
    a_review_decided,
    a_review_requested,
    a_submitted,
    a_task,
    a_usage_recorded,
    a_validated,
)
from schemas.base import Lane
from schemas.codec import (
    DEPTH_MAX,
    EVENT_BYTES_MAX,
    InvalidMessageError,
    canonical,
    check_json,
    decode,
    encode,
)
from schemas.events import TaskSubmitted

MAKERS: list[Callable[[], BaseModel]] = [
    a_submitted,
    a_classified,
    a_generated,
    a_validated,
    a_finished,
    a_review_requested,
    a_review_decided,
    a_usage_recorded,
]
TEXT = st.text(st.characters(codec="utf-8"), max_size=30)
VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(10**30), 10**30)
    | st.floats(allow_nan=False, allow_infinity=False)
    | TEXT,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXT, inner, max_size=4),
    max_leaves=12,
)


@pytest.mark.parametrize("make", MAKERS)
def test_what_is_encoded_is_decoded(make: Callable[[], BaseModel]) -> None:
    message = make()

    assert decode(encode(message), type(message)) == message
    assert encode(message) == message.model_dump_json().encode()


@given(st.dictionaries(st.from_regex(r"[A-Za-z_][A-Za-z0-9_]{0,20}", fullmatch=True), VALUES, max_size=8))
def test_any_inputs_come_back_as_they_were(inputs: dict[str, Any]) -> None:
    message = a_submitted(task=a_task(inputs=inputs))

    assert decode(encode(message), TaskSubmitted) == message
    assert encode(message) == message.model_dump_json().encode()


@pytest.mark.parametrize("make", MAKERS)
def test_what_others_encode_in_their_own_way_is_decoded(make: Callable[[], BaseModel]) -> None:
    message = make()
    value = json.dumps(json.loads(encode(message)), indent=1, sort_keys=True).encode()

    assert decode(value, type(message)) == message


@given(st.binary(max_size=200))
def test_arbitrary_bytes_are_refused_with_one_error(value: bytes) -> None:
    with pytest.raises(InvalidMessageError):
        decode(value, TaskSubmitted)


@given(st.data())
def test_a_message_cut_anywhere_is_refused(data: st.DataObject) -> None:
    value = encode(a_submitted())
    cut = data.draw(st.integers(0, len(value) - 1))

    with pytest.raises(InvalidMessageError):
        decode(value[:cut], TaskSubmitted)


@pytest.mark.parametrize(
    ("value", "why"),
    [
        (None, "null"),
        (b"", "not JSON"),
        (b"\xff", "not JSON"),
        (b'{"a":1,"a":2}', "not JSON"),
        (b'{"a":{"b":1,"b":2}}', "not JSON"),
        (b"NaN", "not JSON"),
        (b'{"a":Infinity}', "not JSON"),
        (b'{"a":-Infinity}', "not JSON"),
        (b"{} {}", "not JSON"),
        (b"[" * 100_000, "not JSON"),
        (b"[]", "not a TaskSubmitted"),
        (b'"' + b"a" * EVENT_BYTES_MAX + b'"', "at most"),
    ],
)
def test_what_no_message_may_be_is_refused(value: bytes | None, why: str) -> None:
    with pytest.raises(InvalidMessageError, match=why):
        decode(value, TaskSubmitted)


@pytest.mark.parametrize(("open_", "close"), [(b"[", b"]"), (b'{"a":', b"}")])
def test_depth_is_bounded(open_: bytes, close: bytes) -> None:
    check_json(open_ * DEPTH_MAX + b"1" + close * DEPTH_MAX)

    with pytest.raises(InvalidMessageError, match="deeper"):
        check_json(open_ * (DEPTH_MAX + 1) + b"1" + close * (DEPTH_MAX + 1))


@pytest.mark.parametrize(
    ("inputs", "why"),
    [
        (b'{"a":1,"a":1}', "not JSON: .*uplicate"),
        (b'{"a":{"b":1,"b":1}}', "not JSON: .*uplicate"),
        (b'{"a":[NaN]}', "not JSON"),
        (b'{"a":-Infinity}', "not JSON"),
        (b'{"a":' + b"[" * DEPTH_MAX + b"]" * DEPTH_MAX + b"}", "nested deeper"),
        (b'{"a":"' + b"a" * EVENT_BYTES_MAX + b'"}', "bytes, at most"),
    ],
)
def test_each_limit_holds_inside_of_a_message_too(inputs: bytes, why: str) -> None:
    value = encode(a_submitted(task=a_task(inputs={"a": 1}))).replace(b'{"a":1}', inputs, 1)

    with pytest.raises(InvalidMessageError, match=why):
        decode(value, TaskSubmitted)


@pytest.mark.parametrize(
    "key", [b'"task_id":"x",', b'"inputs":{},', b'"target":{"site":"default","slug":null},']
)
def test_no_field_may_stand_twice(key: bytes) -> None:
    value = encode(a_submitted()).replace(b'{"task":{', b'{"task":{' + key, 1)

    with pytest.raises(InvalidMessageError, match="uplicate"):
        decode(value, TaskSubmitted)


def test_brackets_in_text_are_no_depth() -> None:
    check_json(b'["' + b"[{" * DEPTH_MAX + b'"]')

    with pytest.raises(InvalidMessageError, match="deeper"):
        check_json(b'["[{",' + b"[" * DEPTH_MAX + b"1" + b"]" * DEPTH_MAX + b"]")


def test_unknown_fields_and_other_types_are_refused() -> None:
    value = encode(a_submitted())
    wrong = [
        value.replace(b'"task":', b'"extra":1,"task":', 1),
        value.replace(b'"priority":5', b'"priority":"5"', 1),
        value.replace(b'"row":1', b'"row":1.0', 1),
    ]

    for one in wrong:
        assert one != value
        with pytest.raises(InvalidMessageError):
            decode(one, TaskSubmitted)


def test_an_error_never_quotes_the_content() -> None:
    value = encode(a_submitted()).replace(b'"priority":5', b'"priority":"my-secret"', 1)

    with pytest.raises(InvalidMessageError) as raised:
        decode(value, TaskSubmitted)

    assert "my-secret" not in str(raised.value)
    assert "task.priority" in str(raised.value)


def test_a_message_over_the_limit_is_not_encoded() -> None:
    with pytest.raises(InvalidMessageError, match="at most"):
        encode(a_submitted(task=a_task(inputs={"text": "x" * EVENT_BYTES_MAX})))


@given(st.dictionaries(TEXT, VALUES, max_size=6), st.randoms(use_true_random=False))
def test_canonical_bytes_do_not_depend_on_key_order(value: dict[str, Any], random: Any) -> None:
    shuffled = list(value.items())
    random.shuffle(shuffled)

    assert canonical(dict(shuffled)) == canonical(value)


@given(VALUES)
@example([9999999999999998.0, 1e-4, -1e-4, 0.0, -0.0])
@example([1e16])
@example([-1e16])
@example([9.999e-5])
@example([5e-324])
@example([2**63, 2**64 - 1, -(2**63)])
@example([2**64])
@example([-(2**63) - 1])
@example([float("nan")])
@example({"a": [-float("inf")]})
@example({"\U00010000": 1, "\uffff": 2, "\x7f": "\x1f\u2028\\/", "": ()})
@example({1: "a key that is no text", 2: None})
@example([Lane.LIVE, {Lane.BULK: Lane.BULK}])
def test_canonical_bytes_are_the_standard_librarys(value: Any) -> None:
    text = json.dumps(value, sort_keys=True, ensure_ascii=False, separators=(",", ":"))

    assert canonical(value) == text.encode()


def test_what_is_no_json_has_no_canonical_bytes() -> None:
    for value in ([Decimal(1)], {"a": NOW}, "\ud800"):
        with pytest.raises((TypeError, UnicodeEncodeError)):
            canonical(value)
