from decimal import Decimal

import pytest

from fakes.task_path import a_call, an_indexed_task
from streams.cli.cache_text import answered_text, saved_text, unpaid_text

STEP = {"step": "write", "model": "small-1", "replayed": False}


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({}, "by"),
        ({"cache": None}, "by"),
        ({"cache": "miss"}, "by"),
        ({"replayed": True}, "from the journal, of"),
        ({"cache": "hit"}, "from the cache, of"),
        ({"cache": "stale"}, "from the cache, stale, of"),
    ],
)
def test_a_step_says_where_its_answer_is_from(changes: dict[str, object], text: str) -> None:
    assert answered_text(STEP | changes) == text


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({}, None),
        ({"cache": "miss"}, None),
        ({"replayed": True}, "replayed, paid before"),
        ({"cache": "hit", "saved_usd": Decimal("0.001")}, "from the cache, 0.001 USD saved"),
        ({"cache": "stale", "saved_usd": Decimal("0.001")}, "from the cache, stale, 0.001 USD saved"),
    ],
)
def test_a_call_that_was_not_paid_says_why(changes: dict[str, object], text: str | None) -> None:
    assert unpaid_text(a_call(**changes)) == text


def test_a_task_says_what_the_cache_saved_it_if_anything() -> None:
    spared = an_indexed_task(cache_hits=2, saved_usd=Decimal("0.002"))

    assert saved_text(spared) == ", 2 from the cache saved 0.002 USD"
    assert saved_text(an_indexed_task()) == ""
