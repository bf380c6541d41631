import pytest
from pydantic import ValidationError

from schemas.recipe import CACHE_S_MAX, AnswerCache


def test_answers_are_fresh_for_a_bounded_time_and_stale_only_on_request() -> None:
    longest = AnswerCache(ttl_s=CACHE_S_MAX, stale_s=CACHE_S_MAX)

    assert (longest.ttl_s, AnswerCache(ttl_s=1).stale_s) == (CACHE_S_MAX, 0)


@pytest.mark.parametrize(
    "fields", [{}, {"ttl_s": 0}, {"ttl_s": CACHE_S_MAX + 1}, {"ttl_s": 1, "stale_s": -1}, {"ttl_s": "1 day"}]
)
def test_any_other_time_is_refused(fields: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        AnswerCache.model_validate(fields)
