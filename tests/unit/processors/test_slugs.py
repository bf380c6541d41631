import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter

from processors.slugs import KEY_SLUG_CHARS_MAX, SLUG_CHARS_MAX, key_slug, row_key, slugify
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


@pytest.mark.parametrize(
    ("key", "slug"),
    [
        ("New  York", "new-york"),
        (("New York", "Harlem"), "new-york-harlem"),
        ("São Paulo", "sao-paulo"),
        ("St. John's (Antigua)", "st-john-s-antigua"),
        (7, "7"),
    ],
)
def test_a_key_whose_words_are_all_kept_is_its_own_slug(key: object, slug: str) -> None:
    assert key_slug(key) == slug


def test_a_key_that_loses_a_letter_or_a_symbol_as_a_slug_gets_a_digest() -> None:
    slugs = [key_slug(text) for text in ("C", "C++", "C#", "Москва", "東京", "Oslo 東", "b" * 99)]

    assert slugs[0] == "c"
    assert [slug[:-8] for slug in slugs[1:]] == ["c-", "c-", "", "", "oslo-", "b" * 51 + "-"]
    assert len(set(slugs)) == len(slugs)


@given(st.text(), st.text())
def test_keys_of_one_slug_are_told_apart_by_no_letter_or_symbol(one: str, other: str) -> None:
    first, second = key_slug(one), key_slug(other)

    assert TypeAdapter(Slug).validate_python(first)
    assert len(first) <= KEY_SLUG_CHARS_MAX
    assert first != second or slugify(one.casefold()) == slugify(other.casefold())
