import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter

from processors.slugs import SLUG_CHARS_MAX, row_key, slugify
from schemas.base import Identifier, Slug


@given(st.text(min_size=1).filter(str.strip))
def test_a_row_key_is_always_an_identifier(text: str) -> None:
    TypeAdapter(Identifier).validate_python(row_key(text))


@given(st.text(min_size=1).filter(str.strip), st.text(min_size=1).filter(str.strip))
def test_different_keys_stay_different(one: str, other: str) -> None:
    assert (row_key(one) == row_key(other)) == (one.strip() == other.strip())


@given(st.text(max_size=300))
def test_a_slug_is_empty_or_valid(text: str) -> None:
    slug = slugify(text)

    assert not slug or TypeAdapter(Slug).validate_python(slug)


@pytest.mark.parametrize(
    ("text", "slug"),
    [
        ("Straße nach Ærø", "strasse-nach-aero"),
        ("a " * 80, "-".join(["a"] * 50)),
        ("b" * 101, "b" * SLUG_CHARS_MAX),
        ("b" * 99 + " c", "b" * 99),
    ],
)
def test_slugs_are_lower_case_ascii_cut_at_a_hyphen(text: str, slug: str) -> None:
    assert slugify(text) == slug
