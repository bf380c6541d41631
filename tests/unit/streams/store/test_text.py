"""Text as PostgreSQL can hold it."""

from hypothesis import given
from hypothesis import strategies as st

from streams.store.text import storable

ANY_CHARACTER = st.text(st.characters(codec=None))


@given(ANY_CHARACTER)
def test_every_text_becomes_storable_and_keeps_its_length(text: str) -> None:
    stored = storable(text)

    assert "\0" not in stored
    assert len(stored) == len(text)
    stored.encode()


@given(st.text(st.characters(codec="utf-8", exclude_characters="\0")))
def test_what_is_storable_stays_as_it_is(text: str) -> None:
    assert storable(text) == text
