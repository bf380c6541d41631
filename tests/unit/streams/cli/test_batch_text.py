import io
from dataclasses import replace
from decimal import Decimal
from typing import cast

import pytest
from rich.console import Console

from fakes.loads import a_status
from streams.cli.batch_text import (
    STALL_S,
    closing_table,
    cost_text,
    duration,
    is_good,
    next_steps,
    progress_line,
    progress_object,
)
from streams.cli.batch_views import Pace, StallHint
from streams.progress import LoadProgress


def a_progress(stalled_s: float = 0.0, **states: int) -> LoadProgress:
    return LoadProgress(status=a_status(None, 10, 3, **states), simulated=True, stalled_s=stalled_s)


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0.4, "0 s"), (59.4, "59 s"), (59.6, "1 min 00 s"), (3599.6, "1 h 00 min"), (90_000.0, "25 h 00 min")],
)
def test_durations_read_as_people_say_them(seconds: float, text: str) -> None:
    assert duration(seconds) == text


def test_simulated_cost_is_always_labelled() -> None:
    progress = a_progress(published=10)

    assert "(simulated)" in cost_text(progress)
    assert "(simulated)" in progress_line(progress)
    assert progress_object(progress)["simulated"] is True


def test_what_the_cache_saved_is_told_when_it_saved_anything() -> None:
    def table(progress: LoadProgress) -> str:
        console = Console(file=io.StringIO(), width=120)
        console.print(closing_table(progress, "site"))
        return cast("io.StringIO", console.file).getvalue()

    bare = a_progress(published=10)
    spared = replace(bare, status=replace(bare.status, cache_hits=7, saved_usd=Decimal("0.07")))

    assert "7 answers, $0.0700 saved" in table(spared)
    assert "cache" not in table(bare)
    told = progress_object(spared)
    assert (told["cache_hits"], told["saved_usd"]) == (7, "0.07")


def test_only_pages_and_reviews_are_good_and_rows_must_balance() -> None:
    assert is_good(a_status(published=8, unchanged=1, in_review=1))
    assert not is_good(a_status(published=9, rejected=1))
    assert not is_good(a_status(published=9))
    assert not is_good(a_status(published=11))


def test_the_next_steps_fit_the_outcomes() -> None:
    steps = " / ".join(next_steps(a_status(published=7, rejected=1, dead_lettered=1, in_review=1)))

    assert "review list" in steps
    assert "dead-letters list" in steps
    assert "--where outcome=rejected" in steps
    assert "watch" not in steps
    assert "pressline watch b1-1" in next_steps(a_status(accepted=10))


def test_a_stall_is_told_once_and_again_after_movement() -> None:
    told: list[str] = []
    hint = StallHint()

    for stalled_s in (STALL_S - 1, STALL_S, STALL_S + 1, 0.0, STALL_S):
        hint.tell(a_progress(stalled_s, accepted=10), lambda text, **_fields: told.append(text))

    assert len(told) == 2
    assert "pressline doctor" in told[0]


def test_lines_come_at_most_once_in_a_period() -> None:
    times = iter([0.0, 4.9, 5.0, 5.1, 10.0])
    pace = Pace(5.0, lambda: next(times))

    assert [pace() for _ in range(4)] == [False, True, False, True]
