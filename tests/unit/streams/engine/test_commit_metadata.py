"""The bitmap in the commit metadata: small enough, exact, and harmless when it is not ours."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streams.engine.commit_metadata import METADATA_BYTES_MAX, decode, encode
from streams.engine.window import WINDOW_OFFSETS_MAX


@given(st.integers(0, 2**62), st.sets(st.integers(0, WINDOW_OFFSETS_MAX)))
def test_what_is_encoded_is_decoded(offset: int, places: set[int]) -> None:
    finished = {offset + place for place in places}

    assert decode(offset, encode(offset, finished)) == finished


def test_the_widest_window_fits() -> None:
    every = range(100, 100 + WINDOW_OFFSETS_MAX + 1)

    metadata = encode(100, every)

    assert len(metadata) <= METADATA_BYTES_MAX
    assert decode(100, metadata) == set(every)


def test_offsets_beyond_the_cap_are_processed_again_and_never_skipped() -> None:
    metadata = encode(0, [1, 1_000_000])

    assert len(metadata) <= METADATA_BYTES_MAX
    assert decode(0, metadata) == {1}


@pytest.mark.parametrize(
    "foreign",
    ["", "NaN", "{}", "é", "AQ==", "x" * 5000, "AAAAAAAA"],
)
def test_foreign_metadata_means_start_from_the_offset(foreign: str) -> None:
    assert decode(5, foreign) == frozenset()


@given(st.integers(0, 10**6), st.sets(st.integers(1, 500), min_size=1), st.data())
def test_a_flipped_character_is_noticed(offset: int, places: set[int], data: st.DataObject) -> None:
    metadata = encode(offset, {offset + place for place in places})
    at = data.draw(st.integers(0, len(metadata.rstrip("=")) - 2))
    other = data.draw(st.sampled_from("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"))
    broken = metadata[:at] + other + metadata[at + 1 :]

    assert broken == metadata or decode(offset, broken) == frozenset()


def test_metadata_of_another_offset_is_not_taken() -> None:
    assert decode(11, encode(10, {12})) == frozenset()
