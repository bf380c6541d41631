"""The window never lets a commit pass an unfinished record."""

import random

from hypothesis import given
from hypothesis import strategies as st

from streams.engine import commit_metadata
from streams.engine.window import WINDOW_OFFSETS_MAX, Window


def test_a_new_window_commits_its_start() -> None:
    window = Window(7)

    assert window.lowest_unfinished == 7
    assert window.span == 0


def test_the_lowest_unfinished_record_holds_the_commit_back() -> None:
    window = Window(0)
    for offset in range(5):
        window.take(offset)

    for offset in (1, 2, 4):
        window.finish(offset)

    assert window.lowest_unfinished == 0
    assert window.finished_above == {1, 2, 4}


def test_gaps_in_offsets_are_not_waited_for() -> None:
    window = Window(0)
    for offset in (0, 5, 9):
        window.take(offset)

    for offset in (0, 5, 9):
        window.finish(offset)

    assert window.lowest_unfinished == 10


def test_an_offset_is_taken_once() -> None:
    window = Window(3)

    assert window.take(3)
    assert not window.take(3)
    assert not window.take(2)


def test_a_window_is_full_at_its_bound() -> None:
    window = Window(0)
    window.take(0)
    window.take(WINDOW_OFFSETS_MAX - 1)

    assert window.full


@given(
    start=st.integers(0, 10**12),
    gaps=st.lists(st.integers(1, 5), min_size=1, max_size=200),
    choose=st.randoms(use_true_random=False),
)
def test_a_restart_repeats_exactly_the_unfinished_records(
    start: int, gaps: list[int], choose: random.Random
) -> None:
    """Commit at any moment, restart from what was committed: finished records are skipped, no other is."""
    offsets = [start + sum(gaps[: i + 1]) for i in range(len(gaps))]
    window = Window(start)
    for offset in offsets:
        assert window.take(offset)
    finished = {offset for offset in offsets if choose.random() < 0.6}
    for offset in sorted(finished, key=lambda _: choose.random()):
        window.finish(offset)

    committed = window.lowest_unfinished
    metadata = commit_metadata.encode(committed, window.finished_above)
    revived = Window(committed, commit_metadata.decode(committed, metadata))
    repeated = {offset for offset in offsets if offset >= committed and revived.take(offset)}

    assert all(offset in finished for offset in offsets if offset < committed)
    assert repeated == {offset for offset in offsets if offset not in finished}
