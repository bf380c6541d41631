from hypothesis import given
from hypothesis import strategies as st

from processors.gateway.tokens import estimate, input_estimate, input_max


def test_english_has_a_token_for_four_characters() -> None:
    assert estimate("") == 0
    assert estimate("abcde") == 2


def test_other_scripts_have_a_token_for_each_character() -> None:
    assert estimate("日本語abcd") == 4


@given(st.text())
def test_an_estimate_is_never_above_the_bound(text: str) -> None:
    body = text.encode("utf-8", "ignore")

    assert input_estimate(body) <= input_max(body, 10**9)


def test_the_bound_is_no_more_than_the_model_takes() -> None:
    assert input_max(b"x" * 100, 10) == 10
